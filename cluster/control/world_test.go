package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
	"holdfast/stock"
)

// world is a cluster in memory and in virtual time: groups that do what raft does with entries and configurations, nodes that die and come back, a
// network that loses questions and answers. All nodes of a group that are up see the same at once; what they tell each other travels.
type world struct {
	t      *testing.T
	shards int
	rng    *rand.Rand // under mu
	wg     sync.WaitGroup
	stop   chan struct{}

	mu     sync.Mutex // guards what follows
	nodes  map[string]*fakeNode
	groups map[uint32]*fakeGroup
	// lossy is how many of 100 questions, answers and verdicts are lost.
	lossy int
	// onStep is told of each change of members and transfer, before it is answered, without mu.
	onStep func(node string, what string)
	steps  []string
	calls  int
}

// fakeGroup is one Raft group.
type fakeGroup struct {
	id      uint32
	term    uint64
	leader  string
	config  meta.Group
	log     []cluster.Entry // of the meta group
	index   uint64
	gone    map[string]bool // raft ids that were removed
	pretend string          // a node that still believes it leads, in the term before
	astray  string          // a node that the next transfer comes to, whoever was meant
	late    time.Duration   // when the heir of the next transfer is elected, which has failed by then
	failing func() error    // what a transfer does instead; with w.mu held
}

// fakeNode is a node: what is on its disk, and a Control while it is up.
type fakeNode struct {
	w       *world
	id      string
	inc     uint64
	skew    time.Duration
	control *Control
	up      bool
	joined  func(ctx context.Context, node string, body []byte) ([]byte, error)
	serving map[cluster.RequestKind]cluster.RequestHandler
	held    map[uint32]uint64 // on disk
	applied map[uint32]uint64
	seen    map[uint32]meta.Group // the configuration that the replica knows
	machine cluster.Machine
	given   int // entries of the meta group's log
	opens   int
	create  *meta.Create
	http    string
	table   *meta.Cluster
}

var clusterID = [16]byte{7}

func newWorld(t *testing.T, shards int, seed uint64) *world {
	w := &world{
		t: t, shards: shards, rng: rand.New(rand.NewPCG(seed, 1)), stop: make(chan struct{}), nodes: map[string]*fakeNode{},
		groups: map[uint32]*fakeGroup{},
	}
	for id := range uint32(shards + 1) {
		w.groups[id] = &fakeGroup{
			id: id, index: 10, gone: map[string]bool{},
			config: meta.Group{Shard: id, Index: 1, Members: []meta.GroupMember{{Node: "n1", Number: 1, Role: meta.Voter}}},
		}
	}
	n := w.node("n1")
	for id := range uint32(shards + 1) {
		n.held[id] = 1
	}
	n.create = &meta.Create{
		ClusterID: clusterID, Epoch: 1, Level: 1, Node: "n1", Incarnation: n.inc, Addresses: n.addresses(), Binary: build(),
		Shards: uint32(shards), Partitions: placement.Partitions(shards), Settings: meta.DefaultSettings(),
	}
	n.start()
	w.wg.Go(w.run)
	return w
}

func build() meta.Binary { return meta.Binary{Version: "test", Level: 1} }

// close stops everything.
func (w *world) close() {
	for _, id := range w.names() {
		w.node(id).crash()
	}
	close(w.stop)
	w.wg.Wait()
}

func (w *world) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for id := range w.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// node returns the node of that name; it is made when it is new.
func (w *world) node(id string) *fakeNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	if n == nil {
		n = &fakeNode{
			w: w, id: id, inc: uint64(len(w.nodes) + 1), held: map[uint32]uint64{}, applied: map[uint32]uint64{}, seen: map[uint32]meta.Group{},
		}
		w.nodes[id] = n
	}
	return n
}

func (n *fakeNode) addresses() meta.Addresses { return meta.Addresses{Peer: n.id + ":1", HTTP: n.http} }

func (n *fakeNode) now() time.Time { return time.Now().Add(n.skew) }

// start starts the node's Control over what is on its disk.
func (n *fakeNode) start() {
	c, err := New(Config{
		NodeID: n.id, ClusterID: clusterID, Incarnation: n.inc, Addresses: n.addresses(), Binary: build(), Create: n.create, Table: n.table,
		Replicas: n, Report: n.report, Now: n.now,
	})
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.w.mu.Lock()
	n.control, n.up, n.serving = c, true, map[cluster.RequestKind]cluster.RequestHandler{}
	n.machine, n.given = nil, 0
	if n.held[0] != 0 {
		n.machine = c.Machine()
	}
	n.w.mu.Unlock()
	c.Start(&fakeGroups{n})
}

// crash stops it; what is on disk stays.
func (n *fakeNode) crash() {
	n.w.mu.Lock()
	was := n.up
	n.up = false
	n.w.mu.Unlock()
	if was {
		n.stop()
	}
}

// stop ends the Control of a node that is not up any more. The node keeps the table as a node does, in a file.
func (n *fakeNode) stop() {
	n.control.Close()
	if table := n.control.Cluster(); table.Created() {
		n.table = table
	}
}

// report tells what the actors applied.
func (n *fakeNode) report() []Replica {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	var out []Replica
	for shard, applied := range n.applied {
		out = append(out, Replica{Shard: shard, Applied: applied})
	}
	return out
}

// OpenReplica opens an empty replica; it must not be one that votes, or was here before.
func (n *fakeNode) OpenReplica(shard uint32, number uint64) error {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	g := n.w.groups[shard]
	if m := g.member(n.id); m != nil && m.Number == number && m.Role == meta.Voter {
		n.w.t.Errorf("%s opens an empty replica of %d in the place of a voter", n.id, shard)
	}
	if _, held := n.held[shard]; held || g.gone[meta.RaftID(n.id, number)] {
		n.w.t.Errorf("%s opens shard %d as %d: held %v, gone %v", n.id, shard, number, n.held, g.gone)
	}
	n.held[shard] = number
	n.opens++
	if shard == 0 {
		n.machine, n.given = n.control.Machine(), 0
	}
	return nil
}

// RemoveReplica removes one; it must not be in its group any more.
func (n *fakeNode) RemoveReplica(shard uint32) error {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if m := n.w.groups[shard].member(n.id); m != nil && m.Number == n.held[shard] {
		n.w.t.Errorf("%s removes its replica of %d, which is a member", n.id, shard)
	}
	delete(n.held, shard)
	delete(n.applied, shard)
	delete(n.seen, shard)
	if shard == 0 && n.machine != nil {
		n.machine.Close()
		n.machine = nil
	}
	return nil
}

func (g *fakeGroup) member(node string) *meta.GroupMember {
	for i := range g.config.Members {
		if g.config.Members[i].Node == node {
			return &g.config.Members[i]
		}
	}
	return nil
}

// present reports whether a member's replica is there; w.mu is held.
func (w *world) present(g *fakeGroup, m *meta.GroupMember) bool {
	n := w.nodes[m.Node]
	return n != nil && n.up && n.held[g.id] == m.Number
}

// quorum reports whether a majority of the voters is there.
func (w *world) quorum(g *fakeGroup, members []meta.GroupMember) bool {
	voters, there := 0, 0
	for i := range members {
		if members[i].Role == meta.Voter {
			voters++
			if w.present(g, &members[i]) {
				there++
			}
		}
	}
	return voters > 0 && 2*there > voters
}

// run elects leaders and replicates, every 50 ms.
func (w *world) run() {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.mu.Lock()
			for _, g := range w.groups {
				w.elect(g)
				w.replicate(g)
			}
			w.mu.Unlock()
		case <-w.stop:
			return
		}
	}
}

func (w *world) elect(g *fakeGroup) {
	leads := g.member(g.leader)
	if leads != nil && leads.Role == meta.Voter && w.present(g, leads) && w.quorum(g, g.config.Members) {
		return
	}
	g.leader = ""
	if !w.quorum(g, g.config.Members) {
		return
	}
	var can []string
	for i := range g.config.Members {
		if m := &g.config.Members[i]; m.Role == meta.Voter && w.present(g, m) {
			can = append(can, m.Node)
		}
	}
	g.leader = can[w.rng.IntN(len(can))]
	g.term++
	g.index++
}

// replicate brings every member that is there up to date.
func (w *world) replicate(g *fakeGroup) {
	if g.leader == "" {
		return
	}
	for i := range g.config.Members {
		m := &g.config.Members[i]
		if !w.present(g, m) {
			continue
		}
		n := w.nodes[m.Node]
		n.seen[g.id] = meta.Group{Shard: g.id, Index: g.config.Index, Members: slices.Clone(g.config.Members)}
		if g.id != 0 {
			n.applied[g.id] = g.index
			continue
		}
		w.feed(n, g)
	}
}

// feed gives a node the entries of the meta group's log that it lacks.
func (w *world) feed(n *fakeNode, g *fakeGroup) {
	if n.machine == nil || n.given == len(g.log) {
		return
	}
	if err := n.machine.Apply(g.log[n.given:]); err != nil {
		w.t.Errorf("%s: %v", n.id, err)
	}
	n.given = len(g.log)
}

// lose draws whether something is lost.
func (w *world) lose() bool { return w.lossy > 0 && w.rng.IntN(100) < w.lossy }

// fakeGroups is Groups and Peers of a node.
type fakeGroups struct{ n *fakeNode }

var (
	_ Groups   = (*fakeGroups)(nil)
	_ Peers    = (*fakeGroups)(nil)
	_ Shard    = (*fakeShard)(nil)
	_ Replicas = (*fakeNode)(nil)
)

func (f *fakeGroups) Peers() Peers { return f }

func (f *fakeGroups) Forget(string, string) {}

func (f *fakeGroups) ServeJoin(h func(context.Context, string, []byte) ([]byte, error)) {
	f.n.w.mu.Lock()
	f.n.joined = h
	f.n.w.mu.Unlock()
}

func (f *fakeGroups) Shard(id uint32) Shard {
	f.n.w.mu.Lock()
	defer f.n.w.mu.Unlock()
	number, ok := f.n.held[id]
	if !ok {
		return nil
	}
	return &fakeShard{n: f.n, g: f.n.w.groups[id], number: number}
}

func (f *fakeGroups) Held() []uint32 {
	f.n.w.mu.Lock()
	defer f.n.w.mu.Unlock()
	var ids []uint32
	for id := range f.n.held {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (f *fakeGroups) Handle(kind cluster.RequestKind, h cluster.RequestHandler) {
	f.n.w.mu.Lock()
	defer f.n.w.mu.Unlock()
	f.n.serving[kind] = h
}

// errLost is a question or an answer that was lost.
var errLost = errors.New("lost on the way")

func (f *fakeGroups) Call(ctx context.Context, node, address string, r cluster.Request) ([]byte, error) {
	w := f.n.w
	<-time.After(time.Millisecond)
	w.mu.Lock()
	w.calls++
	to := w.nodes[address[:len(address)-2]]
	if !f.n.up || to == nil || !to.up || node != "" && to.id != node {
		w.mu.Unlock()
		return nil, fmt.Errorf("%w: %w: nobody at %s", stock.ErrNotExecuted, cluster.ErrNotSent, address)
	}
	h, lost, late := to.serving[r.Kind], w.lose(), w.lose()
	w.mu.Unlock()
	if h == nil || lost {
		<-ctx.Done()
		return nil, fmt.Errorf("%w: %w", stock.ErrUnknown, errLost)
	}
	r.From = f.n.id
	answer, err := h.ServePeer(ctx, r)
	<-time.After(time.Millisecond)
	w.mu.Lock()
	gone := !f.n.up || !to.up
	w.mu.Unlock()
	if late || gone {
		return nil, fmt.Errorf("%w: %w", stock.ErrUnknown, errLost)
	}
	return answer, err
}

// fakeShard is a replica.
type fakeShard struct {
	n      *fakeNode
	g      *fakeGroup
	number uint64
}

// follows reports whether the replica is a member that is there; w.mu is held.
func (s *fakeShard) follows() bool {
	m := s.g.member(s.n.id)
	return m != nil && m.Number == s.number && s.n.w.present(s.g, m)
}

func (s *fakeShard) Number() uint64 { return s.number }

func (s *fakeShard) Fault() error { return nil }

func (s *fakeShard) Term() uint64 {
	s.n.w.mu.Lock()
	defer s.n.w.mu.Unlock()
	switch {
	case s.g.pretend == s.n.id:
		return s.g.term - 1
	case s.follows():
		return s.g.term
	}
	return 0
}

func (s *fakeShard) Leads(term uint64) bool {
	s.n.w.mu.Lock()
	defer s.n.w.mu.Unlock()
	if s.g.pretend == s.n.id {
		return term == s.g.term-1
	}
	return s.follows() && s.g.leader == s.n.id && s.g.term == term
}

func (s *fakeShard) Leader() string {
	s.n.w.mu.Lock()
	defer s.n.w.mu.Unlock()
	switch {
	case s.g.pretend == s.n.id:
		return s.n.id
	case s.follows():
		return s.g.leader
	}
	return ""
}

func (s *fakeShard) CommitIndex() uint64 {
	s.n.w.mu.Lock()
	defer s.n.w.mu.Unlock()
	return max(s.n.seen[s.g.id].Index, s.n.applied[s.g.id])
}

func (s *fakeShard) Group() (meta.Group, bool) {
	s.n.w.mu.Lock()
	defer s.n.w.mu.Unlock()
	g := s.n.seen[s.g.id]
	g.Members = slices.Clone(g.Members)
	return g, s.n.up
}

func (s *fakeShard) Snapshot(context.Context) (uint64, int64, error) {
	s.n.w.mu.Lock()
	defer s.n.w.mu.Unlock()
	return s.g.index, 100, nil
}

// Propose commits an entry when the node leads a majority. The verdict may be lost, either way.
func (s *fakeShard) Propose(data []byte, done func(error)) {
	w := s.n.w
	w.wg.Go(func() {
		<-time.After(time.Millisecond)
		w.mu.Lock()
		if s.g.pretend == s.n.id || s.g.leader != s.n.id || !s.follows() || !w.quorum(s.g, s.g.config.Members) {
			w.mu.Unlock()
			done(fmt.Errorf("%w: not the leader", stock.ErrNotExecuted))
			return
		}
		lost, late := w.lose(), w.lose()
		if !lost {
			s.g.index++
			s.g.log = append(s.g.log, cluster.Entry{Index: s.g.index, Term: s.g.term, Data: data})
			if !late {
				w.replicate(s.g)
			}
		}
		w.mu.Unlock()
		if lost || late {
			done(fmt.Errorf("%w: leadership lost", stock.ErrUnknown))
			return
		}
		done(nil)
	})
}

// alter carries out a change of members.
func (s *fakeShard) alter(what string, prev uint64, do func(g *fakeGroup) string) error {
	w := s.n.w
	w.mu.Lock()
	g := s.g
	switch {
	case g.leader != s.n.id || !s.follows() || !w.quorum(g, g.config.Members):
		w.mu.Unlock()
		return fmt.Errorf("%w: not the leader", stock.ErrNotExecuted)
	case prev != g.config.Index:
		w.mu.Unlock()
		return fmt.Errorf("%w: the configuration is that of %d, not %d", stock.ErrNotExecuted, g.config.Index, prev)
	}
	before := slices.Clone(g.config.Members)
	if wrong := do(g); wrong != "" {
		w.t.Errorf("%s of shard %d: %s", what, g.id, wrong)
	}
	if !w.quorum(g, g.config.Members) {
		w.t.Errorf("%s of shard %d leaves %+v without a majority", what, g.id, g.config.Members)
		g.config.Members = before
	}
	g.index++
	g.config.Index = g.index
	w.elect(g)
	w.replicate(g)
	w.steps = append(w.steps, what)
	hook, lost := w.onStep, w.lose()
	w.mu.Unlock()
	if hook != nil {
		hook(s.n.id, what)
	}
	if lost {
		return fmt.Errorf("%w: leadership lost", stock.ErrUnknown)
	}
	return nil
}

func (s *fakeShard) AddLearner(_ context.Context, node string, number uint64, address string, prev uint64) error {
	return s.alter("add "+node, prev, func(g *fakeGroup) string {
		if g.member(node) != nil || g.gone[meta.RaftID(node, number)] || address != node+":1" {
			return fmt.Sprintf("%s at %q beside %+v", meta.RaftID(node, number), address, g.config.Members)
		}
		g.config.Members = append(g.config.Members, meta.GroupMember{Node: node, Number: number, Role: meta.Learner})
		return ""
	})
}

func (s *fakeShard) Promote(_ context.Context, node string, number uint64, _ string, prev uint64) error {
	return s.alter("promote "+node, prev, func(g *fakeGroup) string {
		m := g.member(node)
		if m == nil || m.Number != number || m.Role != meta.Learner {
			return fmt.Sprintf("%s among %+v", meta.RaftID(node, number), g.config.Members)
		}
		if n := s.n.w.nodes[node]; g.id != 0 && n.applied[g.id]+64 < g.index {
			return fmt.Sprintf("%s has applied %d of %d", node, n.applied[g.id], g.index)
		}
		m.Role = meta.Voter
		return ""
	})
}

func (s *fakeShard) Demote(_ context.Context, node string, number uint64, prev uint64) error {
	return s.alter("demote "+node, prev, func(g *fakeGroup) string {
		m := g.member(node)
		if m == nil || m.Number != number || m.Role != meta.Voter {
			return fmt.Sprintf("%s among %+v", meta.RaftID(node, number), g.config.Members)
		}
		m.Role = meta.Learner
		return ""
	})
}

func (s *fakeShard) RemoveMember(_ context.Context, node string, number uint64, prev uint64) error {
	return s.alter("remove "+node, prev, func(g *fakeGroup) string {
		m := g.member(node)
		if m == nil || m.Number != number {
			return fmt.Sprintf("%s among %+v", meta.RaftID(node, number), g.config.Members)
		}
		g.gone[meta.RaftID(node, number)] = true
		g.config.Members = slices.DeleteFunc(g.config.Members, func(m meta.GroupMember) bool { return m.Node == node })
		return ""
	})
}

func (s *fakeShard) Transfer(ctx context.Context, to string) error {
	w := s.n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if after := s.g.late; after > 0 {
		s.g.late = 0
		time.AfterFunc(after, func() { _ = s.Transfer(ctx, to) })
		return fmt.Errorf("%w: it took too long", stock.ErrUnknown)
	}
	if s.g.leader != s.n.id {
		return fmt.Errorf("%w: not the leader", stock.ErrNotExecuted)
	}
	if s.g.failing != nil {
		return s.g.failing()
	}
	if s.g.astray != "" {
		to, s.g.astray = s.g.astray, ""
	}
	for i := range s.g.config.Members {
		m := &s.g.config.Members[i]
		if (m.Node == to || to == "" && m.Node != s.n.id) && m.Role == meta.Voter && w.present(s.g, m) {
			s.g.leader = m.Node
			s.g.term++
			s.g.index++
			w.replicate(s.g)
			w.steps = append(w.steps, fmt.Sprintf("transfer %d to %s", s.g.id, m.Node))
			return nil
		}
	}
	return fmt.Errorf("%w: no such voter", stock.ErrNotExecuted)
}
