package cluster

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/hashicorp/raft"
)

// raftLog is a group's log as raft gets it. Raft panics when it cannot save its term or read an entry, and with it goes
// the process, whatever it was about to say or to flush. Here the one goroutine that met the error ends instead, with
// its deferred calls, and the replica leaves its group: nothing is voted, acknowledged or applied on the strength of what
// failed. To return nil, or to wait for somebody to decide, would either be a lie or hold raft's shutdown for ever.
type raftLog struct {
	GroupLog
	failed  func(error)
	held    func() error // the replica holds entries: said once, durably, before the first are acknowledged
	members *memberLog
}

var (
	_ raft.LogStore          = raftLog{}
	_ raft.StableStore       = raftLog{}
	_ raft.MonotonicLogStore = raftLog{}
)

// SetUint64 implements raft.StableStore.
func (l raftLog) SetUint64(key []byte, value uint64) error {
	if err := l.GroupLog.SetUint64(key, value); err != nil {
		l.end(fmt.Errorf("cluster: save %s: %w", key, err))
	}
	return nil
}

// GetLog implements raft.LogStore.
func (l raftLog) GetLog(index uint64, entry *raft.Log) error {
	err := l.GroupLog.GetLog(index, entry)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		l.end(fmt.Errorf("cluster: read entry %d: %w", index, err))
	}
	if err == nil {
		l.members.read(entry)
	}
	return err
}

// StoreLog implements raft.LogStore.
func (l raftLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements raft.LogStore.
func (l raftLog) StoreLogs(entries []*raft.Log) error {
	if err := l.GroupLog.StoreLogs(entries); err != nil {
		return err
	}
	if err := l.held(); err != nil {
		l.end(err) // Raft would try to append the same entries again.
	}
	for _, entry := range entries {
		l.members.stored(entry)
	}
	return nil
}

// DeleteRange implements raft.LogStore.
func (l raftLog) DeleteRange(low, high uint64) error {
	last, err := l.LastIndex()
	if err == nil {
		err = l.GroupLog.DeleteRange(low, high)
	}
	if err == nil && high >= last {
		l.members.cut(low)
	}
	return err
}

// end reports the error and ends the calling goroutine, which is one of raft's.
func (l raftLog) end(err error) {
	l.failed(err)
	runtime.Goexit()
}

// startRaft is raft.NewRaft on a goroutine of its own, which its log may end.
func startRaft(config *raft.Config, machine raft.FSM, log raftLog, store raft.SnapshotStore, transport raft.Transport) (group *raft.Raft, err error) {
	done, failed := make(chan struct{}), make(chan error, 1)
	report := log.failed
	log.failed = func(err error) {
		select {
		case failed <- err: // the first one
		default:
		}
		report(err)
	}
	go func() {
		defer close(done)
		group, err = raft.NewRaft(config, machine, log, log, store, transport)
	}()
	<-done
	if group == nil && err == nil {
		err = <-failed
	}
	return group, err
}
