package cluster

import "io"

// Entry is one committed position of a shard's log.
type Entry struct {
	Index, Term uint64
	// Data is a proposal; nil at positions that hold something of raft's own, which the machine only notes.
	Data []byte
}

// Machine is what a shard's log is applied to. The methods are called by raft's goroutine for the shard, one at a time, except Lead and Follow,
// which are called by the shard's leadership watcher.
type Machine interface {
	// Apply takes committed entries in log order and returns before they are applied; it blocks while too many wait (rule R13).
	// An error is final: the shard stops and the entry is named (rules R1, R17). One with a method EntryIndex() uint64 says which entry it is
	// about; otherwise the batch is named.
	Apply(entries []Entry) error
	// Snapshot returns a consistent cut at the position of the last entry given to Apply, without stopping orders (rule R23).
	Snapshot() (Cut, error)
	// Restore replaces the whole state by the one that a Cut wrote; an error leaves the old state unusable.
	Restore(r io.Reader) error
	// Lead says that this replica is leader of raft term T; the machine proposes its opening entry. Signals may be dropped, late, doubled.
	Lead(term uint64)
	// Follow says that this replica does not lead (any more): everything admitted in terms up to T is closed.
	Follow(term uint64)
	// Close stops the machine; whoever still waits is told that the outcome is unknown, or that nothing was executed. Called once, after raft's
	// group has been shut down, before a new machine takes its place (rule R17). When another call of the machine does not return in
	// Config.StopGrace after the shut-down, Close comes beside it and must make it return.
	Close()
}

// Cut is a state that no longer changes.
type Cut interface {
	// WriteTo writes the state in canonical form.
	WriteTo(w io.Writer) (int64, error)
	// Release lets go of it; the machine stops copying before it writes.
	Release()
}
