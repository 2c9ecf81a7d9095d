package storage

// A version says when a row changed: the cluster's epoch and the log index within it, as one integer that orders like the pair.
// In epoch 0 it is the log index itself, which the API shows as as_of_index. The cursor's log_index is a version too.
//
//	 63  62      48 47                0
//	+---+----------+------------------+
//	| 0 |  epoch   |    log index     |
//	+---+----------+------------------+
type version int64

const (
	indexBits = 48
	maxEpoch  = 1<<15 - 1
)

func versionOf(epoch uint16, index uint64) version {
	return version(uint64(epoch)<<indexBits | index&(1<<indexBits-1))
}

func (v version) epoch() uint16 { return uint16(v >> indexBits) }
func (v version) index() uint64 { return uint64(v) & (1<<indexBits - 1) }

// since is where a sink with the cursor v is flushed on from in an epoch: from the beginning when an earlier one wrote it.
func (v version) since(epoch uint16) uint64 {
	if v.epoch() < epoch {
		return 0
	}
	return v.index()
}

// former is up to which index a sink with the cursor v had everything in an earlier epoch than this one; 0 when this one has written it.
func (v version) former(epoch uint16) uint64 {
	if v.epoch() < epoch {
		return v.index()
	}
	return 0
}
