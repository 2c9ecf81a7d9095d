package node

import (
	"context"
	"io"
	"sync/atomic"

	"holdfast/actors"
	"holdfast/cluster"
	"holdfast/stock"
	"holdfast/storage"
)

// shard joins what one shard is on this node: the replica of its actors, which may be replaced after a fault, and its raft group.
type shard struct {
	id      uint32
	replica atomic.Pointer[actors.Replica] // nil while none serves
	group   atomic.Pointer[cluster.Shard]  // nil while none is here
	node    string                         // this one
	told    atomic.Bool                    // storage, of the past
	// restored is the index of the last entry in the backup that the cluster was restored from, 0 when it was not.
	restored uint64
}

var _ storage.Source = (*shard)(nil)

// Changes asks the replica that serves now.
func (s *shard) Changes(ctx context.Context, since uint64, limit int) (stock.Changes, error) {
	r := s.replica.Load()
	if r == nil {
		return stock.Changes{}, cluster.ErrDown
	}
	return r.Changes(ctx, since, limit)
}

// Flushed tells the replica that serves now.
func (s *shard) Flushed(index uint64) {
	if r := s.replica.Load(); r != nil {
		r.Flushed(index)
	}
}

// FlushMark asks the replica that serves now.
func (s *shard) FlushMark(ctx context.Context) (uint64, error) {
	r := s.replica.Load()
	if r == nil {
		return 0, cluster.ErrDown
	}
	return r.FlushMark(ctx)
}

// History tells storage what it should have. The first time that is what the log said before this node led the shard: what it flushes and lets leave
// memory since is its own. A shard that another node leads has no better answer than what is applied.
func (s *shard) History(ctx context.Context) (h storage.History, known bool, err error) {
	r := s.replica.Load()
	if r == nil {
		return h, false, cluster.ErrDown
	}
	past, opened := r.Past()
	if !opened {
		if leader := s.leader(); leader == "" || leader == s.node {
			return h, false, nil
		}
	}
	if opened && s.told.CompareAndSwap(false, true) {
		return storage.History{Mark: past.Mark, Index: past.Index, Restored: s.restored}, true, nil
	}
	mark, err := r.FlushMark(ctx)
	return storage.History{Mark: mark, Index: r.Applied(), Restored: s.restored}, err == nil, err
}

// leader returns who leads the shard as the replica here knows, "" for nobody.
func (s *shard) leader() string {
	if group := s.group.Load(); group != nil {
		return group.Leader()
	}
	return ""
}

// detach forgets the replica that was removed.
func (s *shard) detach() {
	s.group.Store(nil)
	s.replica.Store(nil)
	s.told.Store(false)
}

// machine is a replica as raft sees it.
type machine struct {
	*actors.Replica
	flip func(entry []byte) []byte // nil but in tests
}

var _ cluster.Machine = machine{}

// Apply hands entries over one by one.
func (m machine) Apply(entries []cluster.Entry) error {
	for _, e := range entries {
		if m.flip != nil {
			e.Data = m.flip(e.Data)
		}
		if err := m.Replica.Apply(e.Index, e.Term, e.Data); err != nil {
			return &entryError{e.Index, err}
		}
	}
	return nil
}

// entryError names the entry of a batch that could not be applied.
type entryError struct {
	index uint64
	err   error
}

// Error says what was wrong with the entry.
func (e *entryError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *entryError) Unwrap() error { return e.err }

// EntryIndex tells the raft group which entry is to blame.
func (e *entryError) EntryIndex() uint64 { return e.index }

// Snapshot returns a cut.
func (m machine) Snapshot() (cluster.Cut, error) {
	c, err := m.Replica.Snapshot()
	if err != nil {
		return nil, err
	}
	return &cut{c}, nil
}

// cut holds a state until it is released; the pages it shares with the ledgers are then the ledgers' alone.
type cut struct{ state *stock.Cut }

// WriteTo writes the state.
func (c *cut) WriteTo(w io.Writer) (int64, error) { return c.state.WriteTo(w) }

// Release lets go of the state.
func (c *cut) Release() { c.state = nil }
