package stock

// MaxEpoch bounds the epochs of a cluster.
const MaxEpoch = 1<<15 - 1

// RaiseEpoch takes the shard to an epoch; one that it is past already changes nothing. It is the first entry behind the snapshot in the log of a
// restored shard (rule R6), put there by the restore and not by a leader: the lost history may have given order ids beyond the backup, and those that
// are given from here on differ from them in their epoch. Orders from before keep theirs. No level switches it: it stands in no log but one that a
// binary which knows it began, and another one stops at it.
type RaiseEpoch struct {
	Epoch uint16
}

// Kind returns the command's number in the log.
func (*RaiseEpoch) Kind() Kind { return KindRaiseEpoch }

// Head returns nil: a restore makes the command, and nobody waits for it.
func (*RaiseEpoch) Head() *Meta { return nil }

// Epoch returns that of the orders which the shard accepts from now on.
func (b *Book) Epoch() uint16 { return b.epoch }

// Partitions returns the shard's partitions; they never change. Not to be changed by the caller.
func (b *Book) Partitions() []Partition { return b.partitions }

func (b *Book) raiseEpoch(at Position, c *RaiseEpoch) Outcome {
	b.epoch = max(b.epoch, c.Epoch)
	b.everyone(at, c)
	return Outcome{Code: OK}
}
