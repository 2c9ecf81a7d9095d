// Step 7 of an order: raft.Apply. One entry a batch, given to the shard's group at once; the outcome comes later, exactly once.

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"holdfast/stock"
)

// Shard is one Raft group's copy on this node. It outlives the replicas that serve it: after a fault another is built from snapshot and log.
type Shard struct {
	id        uint32
	number    uint64
	cluster   *Cluster
	metrics   *shardMetrics
	callbacks callbacks
	contacts  *contacts
	replica   atomic.Pointer[replica] // nil while none serves

	bootstraps bool        // may begin its group
	held       atomic.Bool // the mark says so
	holding    sync.Mutex  // one writes the mark

	wake    chan struct{} // a fault was recorded
	closing chan struct{}
	wg      sync.WaitGroup // the supervisor

	mu     sync.Mutex // guards what follows
	fault  *fault     // why no replica serves, or will not in a moment; nil when all is well
	last   fault      // the newest fault that named an entry
	spells int        // faults in a row that named none
	downed error      // why the shard stays down; nil when it does not
	closed bool
}

func newShard(c *Cluster, id uint32, number uint64) *Shard {
	return &Shard{
		id: id, number: number, cluster: c, metrics: c.metrics.of(id), contacts: newContacts(),
		wake: make(chan struct{}, 1), closing: make(chan struct{}),
	}
}

// ID returns the shard's number, 0 for the meta group.
func (s *Shard) ID() uint32 { return s.id }

// Number returns the number of the replica here, which no other replica of the cluster has or will have in this group (rule R22).
func (s *Shard) Number() uint64 { return s.number }

// hold notes, durably and once, that the replica holds entries.
func (s *Shard) hold() error {
	if s.held.Load() {
		return nil
	}
	s.holding.Lock()
	defer s.holding.Unlock()
	if s.held.Load() {
		return nil
	}
	cfg := &s.cluster.cfg
	if err := writeMark(cfg.FS, shardDir(cfg.Dir, s.id), mark{markHeld, s.number}); err != nil {
		return err
	}
	s.held.Store(true)
	return nil
}

// Propose gives one entry to the shard's group and returns at once. Done is called exactly once, later, from another goroutine, which it must not
// hold up: with nil when the entry is committed and was handed to the machine (whose actors answer, rule R13), else with an error that is
// stock.ErrNotExecuted (it never entered a log) or stock.ErrUnknown (it may have). Data belongs to the shard from now on.
func (s *Shard) Propose(data []byte, done func(err error)) {
	r := s.replica.Load()
	if r == nil {
		s.refuse(ErrDown, done)
		return
	}
	r.propose(data, done)
}

// refuse tells a caller that its proposal was not executed.
func (s *Shard) refuse(cause error, done func(error)) {
	s.callbacks.enter()
	go s.finish(fmt.Errorf("%w: %w", stock.ErrNotExecuted, cause), done)
}

// finish tells an outcome; the callbacks were entered for it.
func (s *Shard) finish(outcome error, done func(error)) {
	switch {
	case outcome == nil:
		s.metrics.committed.Inc()
	case errors.Is(outcome, stock.ErrNotExecuted):
		s.metrics.notExecuted.Inc()
	default:
		s.metrics.unknown.Inc()
	}
	defer s.callbacks.leave()
	done(outcome)
}

// Term returns the raft term of this replica, 0 while none serves.
func (s *Shard) Term() uint64 {
	if r := s.replica.Load(); r != nil {
		return r.raft.CurrentTerm()
	}
	return 0
}

// Leads reports whether this replica leads the group in that term, as it knows right now.
func (s *Shard) Leads(term uint64) bool {
	r := s.replica.Load()
	if r == nil {
		return false
	}
	now, leads := r.leadership()
	return leads && now == term
}

// Leader returns the id of the node that leads the group as far as this replica knows, "" for none.
func (s *Shard) Leader() string {
	r := s.replica.Load()
	if r == nil || r.halted.Load() {
		return ""
	}
	_, id := r.raft.LeaderWithID()
	return nodeOf(id)
}

// CommitIndex returns the last log index that this replica knows to be committed. It does not say applied: that is the machine's to say.
func (s *Shard) CommitIndex() uint64 {
	if r := s.replica.Load(); r != nil {
		return r.raft.CommitIndex()
	}
	return 0
}

// Snapshot takes a snapshot now and returns its log index and the bytes of its state; when the newest holds everything, that one's.
// It returns ErrNoSnapshot when nothing was ever applied. When ctx ends first the snapshot goes on.
func (s *Shard) Snapshot(ctx context.Context) (index uint64, bytes int64, err error) {
	r := s.replica.Load()
	if r == nil {
		return 0, 0, s.Fault()
	}
	answer := make(chan snapshotAnswer, 1)
	select {
	case r.asked <- snapshotRequest{answer: answer}:
	case <-r.stop:
		return 0, 0, ErrDown
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	select {
	case a := <-answer:
		return a.index, a.bytes, a.err
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// callbacks counts calls of done that are under way, so that nothing is told to a machine that was closed.
type callbacks struct {
	mu      sync.Mutex // guards what follows
	count   int
	waiting []chan struct{}
}

func (c *callbacks) enter() {
	c.mu.Lock()
	c.count++
	c.mu.Unlock()
}

func (c *callbacks) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count--; c.count > 0 {
		return
	}
	for _, ch := range c.waiting {
		close(ch)
	}
	c.waiting = nil
}

// wait waits until none is under way.
func (c *callbacks) wait() {
	c.mu.Lock()
	if c.count == 0 {
		c.mu.Unlock()
		return
	}
	ch := make(chan struct{})
	c.waiting = append(c.waiting, ch)
	c.mu.Unlock()
	<-ch
}
