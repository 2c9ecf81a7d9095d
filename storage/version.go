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
