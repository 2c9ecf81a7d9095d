package cluster

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/stock"
)

// replica is one life of a shard's copy on this node: from snapshot and log to a fault or Close. A rebuilt shard has another one.
type replica struct {
	shard     *Shard
	self      raft.ServerID
	cfg       *Config
	log       GroupLog
	store     *snapshotStore
	members   *memberLog
	machine   Machine
	fsm       *fsm
	transport *transport
	raft      *raft.Raft

	notify    chan bool     // raft's signals of leadership
	poke      chan struct{} // look at leadership now
	asked     chan snapshotRequest
	stop      chan struct{}
	wg        sync.WaitGroup // watcher and snapshotter
	halted    atomic.Bool    // leads no more, whatever raft says
	openedAt  time.Time
	ledBy     string        // the last leader that the watcher saw
	told      leaderInTerm  // what Config.OnLeader was told of last; the watcher's
	changing  chan struct{} // holds a change of members
	barring   chan struct{} // holds a barrier
	prompting atomic.Int32
	resigning atomic.Bool
	handover  handover
	trailing  trailing // the watcher's
	installs  installs
	mu        sync.Mutex // guards what follows
	pending   map[*proposal]struct{}
	tasks     int // under way, of begin
	refusing  bool
	settled   chan struct{} // closed when refusing, pending is empty and no task is under way
	isSettled bool
}

// notifyBuffer is room for raft's signals while the watcher is in the machine; raft waits when it is full.
const notifyBuffer = 16

// openReplica opens a shard's copy from its snapshot and log. It is not served before serve.
func (s *Shard) openReplica() (_ *replica, err error) {
	r := &replica{
		shard: s, cfg: &s.cluster.cfg, notify: make(chan bool, notifyBuffer), poke: make(chan struct{}, 1),
		changing: make(chan struct{}, 1), barring: make(chan struct{}, 1), asked: make(chan snapshotRequest), stop: make(chan struct{}),
		settled: make(chan struct{}), pending: make(map[*proposal]struct{}), openedAt: time.Now(), self: raftID(s.cluster.cfg.NodeID, s.number),
	}
	if err := r.openState(); err != nil {
		return nil, err
	}
	streams, err := s.cluster.port.listen(streamKey{kind: streamRaft, shard: s.id})
	if err != nil {
		return nil, err
	}
	if r.machine, err = s.cluster.newMachine(s); err != nil {
		_ = streams.Close()
		return nil, fmt.Errorf("cluster: make the state machine: %w", err)
	}
	logger := newRaftLogger(r.cfg.Logger.With("shard", s.id))
	r.transport = newTransport(streams, r.cfg, logger)
	r.transport.contacts = s.contacts
	if err := r.start(logger); err != nil {
		_ = r.transport.Close()
		r.machine.Close()
		return nil, err
	}
	s.metrics.newest(r.store.latest())
	s.cluster.metrics.openSecs.Observe(since(r.openedAt))
	return r, nil
}

// openState opens log and snapshots, makes them fit each other, and begins a group that is to be bootstrapped.
func (r *replica) openState() (err error) {
	s := r.shard
	r.log = &recentLog{GroupLog: r.cfg.Groups(s.id)}
	if r.store, err = openSnapshotStore(r.cfg.FS, r.cfg.Dir, r.cfg.ClusterID, s.id, r.cfg.Logger); err != nil {
		return err
	}
	r.store.held = s.hold
	dropped, err := reconcile(r.log, r.store)
	if err != nil {
		return err
	}
	if dropped {
		s.metrics.logDrops.Inc()
		r.cfg.Logger.Warn("the log ended before the snapshot and was dropped", "shard", s.id, "snapshot", r.store.index())
	}
	last, err := r.log.LastIndex()
	if err != nil {
		return fmt.Errorf("cluster: last index of the log: %w", err)
	}
	empty := last == 0 && r.store.latest() == nil
	switch {
	case empty && s.held.Load():
		return fmt.Errorf("%w: replica %d of shard %d held entries: restore a backup, or join again under a new node id",
			ErrStateLost, s.number, s.id)
	case empty && !s.bootstraps:
		return nil // A replica that waits to be added to its group.
	case empty:
		if err := bootstrap(r.log, r.store, r.member()); err != nil {
			return err
		}
	}
	return s.hold()
}

// member returns this replica as it stands in a configuration.
func (r *replica) member() raft.Server {
	return raft.Server{ID: r.self, Address: memberAddress(r.self, r.cfg.Advertise)}
}

// start starts raft.
func (r *replica) start(logger *raftLogger) error {
	r.members = newMemberLog(r.store)
	r.fsm = &fsm{machine: r.machine, fail: r.shard.fail, kept: r.keepTrailing, restored: func() { r.installed(r.store.index()) }}
	r.fsm.opening.Store(r.store.latest() != nil)
	r.transport.voter = r.aVoter
	r.transport.late = &lateSnapshots{
		given: func() uint64 { return max(r.fsm.given.Load(), r.store.index()) }, log: r.log,
		dropped: func(index uint64) { r.shard.metrics.lateSnapshots.Inc(); r.installed(index) },
	}
	log := raftLog{GroupLog: r.log, failed: func(err error) { r.shard.fail(0, 0, err) }, held: r.shard.hold, members: r.members}
	group, err := startRaft(raftConfig(r.cfg, r.self, logger, r.notify), r.fsm, log, r.store, r.transport)
	r.members.opened()
	if r.fsm.restoreErr != nil {
		err = r.fsm.restoreErr // Raft only says that it could not load any snapshot.
	}
	if err != nil {
		return fmt.Errorf("cluster: start raft: %w", err)
	}
	r.raft = group
	group.RegisterObserver(raft.NewObserver(nil, false, r.observe))
	r.hurry()
	return nil
}

// hurry lets the only voter of a group stand for election at once instead of after a heartbeat timeout: nobody else could be leading, and any change
// of that configuration would be in this very log. Raft looks at its timers anew when the heartbeat timeout is lowered. A learner, or a replica that
// no configuration names yet, waits.
func (r *replica) hurry() {
	voters, votes := 0, false
	for _, member := range r.raft.GetConfiguration().Configuration().Servers {
		if member.Suffrage == raft.Voter {
			voters++
			votes = votes || member.ID == r.self
		}
	}
	if voters != 1 || !votes {
		return
	}
	usual := r.raft.ReloadableConfig()
	lower := usual
	lower.HeartbeatTimeout -= lower.HeartbeatTimeout / 10
	if err := errors.Join(r.raft.ReloadConfig(lower), r.raft.ReloadConfig(usual)); err != nil {
		r.cfg.Logger.Warn("the first election waits for its timeout", "shard", r.shard.id, "error", err)
	}
}

// serve starts what watches the replica.
func (r *replica) serve() {
	r.wg.Go(r.watch)
	r.wg.Go(r.snapshots)
}

// halt ends leadership and the flow into the machine, at once, without waiting.
func (r *replica) halt() {
	r.halted.Store(true)
	r.fsm.stopped.Store(true)
	r.hint()
}

// close stops the replica and closes its machine. Proposals under way have Config.StopGrace to get their outcome: raft forgets some of its
// futures when it is shut down, and never answers them (raft#498). What is open then is unknown.
func (r *replica) close() error {
	r.refuse()
	select {
	case <-r.settled:
	case <-time.After(r.cfg.StopGrace):
	}
	r.halt()
	group := r.raft.Shutdown()
	_ = r.transport.Close() // A call that waits for a peer would hold raft's goroutines.
	close(r.stop)
	r.abandon()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = group.Error()
		r.wg.Wait()
		r.shard.callbacks.wait()
	}()
	early := !wait(ended, r.cfg.StopGrace)
	if early {
		r.machine.Close() // It may be what holds raft: a machine whose actors are gone takes no entries.
		if !wait(ended, r.cfg.StopTimeout) {
			return fmt.Errorf("%w: shard %d after %v", ErrStuck, r.shard.id, r.cfg.StopTimeout)
		}
		return nil
	}
	r.machine.Close()
	return nil
}

// wait waits for ch to close; false when it took longer than d.
func wait(ch <-chan struct{}, d time.Duration) bool {
	select {
	case <-ch:
		return true
	case <-time.After(d):
		return false
	}
}

// proposal is one that waits for its outcome.
type proposal struct {
	done func(error)
}

// propose gives data to raft; it does not wait. See Shard.Propose.
func (r *replica) propose(data []byte, done func(error)) {
	p := &proposal{done: done}
	if err := r.admit(p, len(data)); err != nil {
		r.shard.refuse(err, done)
		return
	}
	future := r.raft.Apply(data, 0)
	go func() {
		// Not waited for at Close: this may be one of the futures that raft forgets. abandon has settled the proposal then.
		err := future.Error()
		var response any
		if err == nil {
			response = future.Response()
		}
		r.settle(p, outcomeOf(err, response))
	}()
}

// admit counts a proposal in, or says why it cannot be. Raft's queue has room for as many as are admitted.
func (r *replica) admit(p *proposal, bytes int) error {
	if bytes > r.cfg.MaxEntryBytes {
		r.shard.metrics.entryBound.Inc()
		return fmt.Errorf("%w: %d bytes, at most %d", ErrEntryTooLarge, bytes, r.cfg.MaxEntryBytes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.refusing || r.halted.Load():
		return ErrDown
	case len(r.pending) >= r.cfg.MaxOutstanding:
		r.shard.metrics.outstandingBound.Inc()
		return fmt.Errorf("%w: %d", ErrOutstanding, len(r.pending))
	}
	r.pending[p] = struct{}{}
	r.shard.metrics.outstanding.Set(float64(len(r.pending)))
	return nil
}

// settle tells the outcome of a proposal, once.
func (r *replica) settle(p *proposal, outcome error) {
	r.mu.Lock()
	_, open := r.pending[p]
	delete(r.pending, p)
	r.shard.metrics.outstanding.Set(float64(len(r.pending)))
	if open {
		r.shard.callbacks.enter()
	}
	r.settleLocked()
	r.mu.Unlock()
	if open {
		r.shard.finish(outcome, p.done)
	}
}

func (r *replica) settleLocked() {
	if r.refusing && len(r.pending) == 0 && r.tasks == 0 && !r.isSettled {
		r.isSettled = true
		close(r.settled)
	}
}

// refuse ends the intake.
func (r *replica) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusing = true
	r.settleLocked()
}

var errAbandoned = errors.New("cluster: the replica stopped before the outcome was known")

// abandon settles everything that is still open as unknown.
func (r *replica) abandon() {
	r.mu.Lock()
	open := make([]*proposal, 0, len(r.pending))
	for p := range r.pending {
		open = append(open, p)
	}
	r.mu.Unlock()
	for _, p := range open {
		r.settle(p, fmt.Errorf("%w: %w", stock.ErrUnknown, errAbandoned))
	}
}
