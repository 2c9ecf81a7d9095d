package node

import (
	"holdfast/actors"
	"holdfast/cluster"
)

// raftLog is a raft group as its actors see it.
type raftLog struct {
	*cluster.Shard
}

var _ actors.Log = raftLog{}

// Sent returns the mark of what was sent last.
func (l raftLog) Sent() uint64 { return uint64(l.Shard.Sent()) }

// Confirmed reports whether a majority answered, in a term, what was sent after a mark.
func (l raftLog) Confirmed(mark, term uint64) bool {
	return l.Shard.Confirmed(cluster.Mark(mark), term)
}
