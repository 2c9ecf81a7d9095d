package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// keyCurrentTerm and keyLastVoteTerm are where raft keeps its term, and that of its last vote, in the stable store.
var (
	keyCurrentTerm  = []byte("CurrentTerm")
	keyLastVoteTerm = []byte("LastVoteTerm")
)

// firstTerm is the term of a bootstrap.
const firstTerm = 1

// termOf returns the term that a group's replica is in, 0 when it never was in one.
func termOf(log GroupLog) (uint64, error) {
	term, err := log.GetUint64(keyCurrentTerm)
	if err != nil && err.Error() != "not found" {
		return 0, fmt.Errorf("cluster: term of the group: %w", err)
	}
	return term, nil
}

// reconcile makes a group's log fit its newest snapshot before raft sees them (rule R23). A crash between "snapshot installed" and "old log
// removed" leaves a log that ends before the snapshot, or holds another entry at its index; raft could never append to it. Such a log is dropped
// whole, durably, after the snapshot has been verified to its end: until then the log may be all there is.
// A log that begins after a gap is refused: dropping it would take back acknowledged orders.
func reconcile(log GroupLog, store *snapshotStore) (dropped bool, err error) {
	first, err := log.FirstIndex()
	if err != nil {
		return false, fmt.Errorf("cluster: first index of the log: %w", err)
	}
	last, err := log.LastIndex()
	if err != nil {
		return false, fmt.Errorf("cluster: last index of the log: %w", err)
	}
	if last == 0 {
		return false, nil
	}
	snap := store.latest()
	at := store.index()
	switch {
	case first == at+1:
		return false, nil
	case first > at+1:
		return false, fmt.Errorf("%w: the snapshot ends at %d, the log begins at %d; put the missing snapshot back into %s, or restore a backup",
			ErrLogGap, at, first, store.dir)
	case last >= at:
		var entry raft.Log
		if err := log.GetLog(at, &entry); err != nil {
			return false, fmt.Errorf("cluster: log entry %d: %w", at, err)
		}
		if entry.Term == snap.Term {
			return false, nil
		}
	}
	if err := store.verify(); err != nil {
		return false, err
	}
	if err := log.Drop(); err != nil {
		return false, fmt.Errorf("cluster: drop the log before the snapshot at %d: %w", at, err)
	}
	return true, nil
}

// bootstrap makes this replica the only voter of a new group, when the group has neither log nor snapshot. It writes the same two things as
// raft's own bootstrap, in the same order, but finishes one that a crash cut in two: raft's refuses when only the term was written, and the
// group would have no member for ever.
func bootstrap(log GroupLog, store *snapshotStore, self raft.Server) error {
	last, err := log.LastIndex()
	if err != nil {
		return fmt.Errorf("cluster: last index of the log: %w", err)
	}
	if last > 0 || store.latest() != nil {
		return nil
	}
	term, err := termOf(log)
	if err != nil {
		return err
	}
	if term > firstTerm {
		return fmt.Errorf("%w, though the group was in term %d: restore a backup, or join again under a new node id", ErrStateLost, term)
	}
	if err := log.SetUint64(keyCurrentTerm, firstTerm); err != nil {
		return fmt.Errorf("cluster: write the first term: %w", err)
	}
	members := raft.Configuration{Servers: []raft.Server{self}}
	entry := &raft.Log{Index: 1, Term: firstTerm, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(members)}
	if err := log.StoreLog(entry); err != nil {
		return fmt.Errorf("cluster: write the first entry: %w", err)
	}
	return nil
}
