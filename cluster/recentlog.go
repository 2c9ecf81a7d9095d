package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

// recentEntries is how many entries of a group stay in memory as they were stored. Raft asks for an entry once for each follower, once more for its
// term when the next one is sent, and a follower again to apply it: all soon after it was stored, and no more of them are outstanding.
const recentEntries = 8

// recentLog is a group's log whose newest entries are handed out as they were stored, without a copy of each for every reader. Nobody writes to
// the data of an entry: raft encodes it, machines decode it. What is no longer there is read from the log.
type recentLog struct {
	GroupLog

	mu   sync.RWMutex // guards ring
	ring [recentEntries]*raft.Log
}

// GetLog implements raft.LogStore.
func (l *recentLog) GetLog(index uint64, entry *raft.Log) error {
	l.mu.RLock()
	kept := l.ring[index%recentEntries]
	l.mu.RUnlock()
	if kept == nil || kept.Index != index {
		return l.GroupLog.GetLog(index, entry)
	}
	*entry = *kept
	return nil
}

// StoreLog implements raft.LogStore.
func (l *recentLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements raft.LogStore. What is not known to be durable is not kept.
func (l *recentLog) StoreLogs(entries []*raft.Log) error {
	if err := l.GroupLog.StoreLogs(entries); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, entry := range entries[max(0, len(entries)-recentEntries):] {
		kept := *entry // what raft has holds on to more
		kept.AppendedAt = kept.AppendedAt.Round(0).UTC()
		l.ring[entry.Index%recentEntries] = &kept
	}
	return nil
}

// DeleteRange implements raft.LogStore. Other entries may take the places of those that are removed.
func (l *recentLog) DeleteRange(low, high uint64) error {
	l.mu.Lock()
	clear(l.ring[:])
	l.mu.Unlock()
	return l.GroupLog.DeleteRange(low, high)
}

// Drop implements GroupLog.
func (l *recentLog) Drop() error {
	l.mu.Lock()
	clear(l.ring[:])
	l.mu.Unlock()
	return l.GroupLog.Drop()
}
