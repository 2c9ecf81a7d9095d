package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/actors"
	"holdfast/cluster"
	"holdfast/cluster/forward"
	"holdfast/cluster/meta"
	"holdfast/node/historytest"
	"holdfast/stock"
	"holdfast/wal"
	"holdfast/wal/waltest"
)

var (
	stackSeeds = flag.Int("stack-seeds", 6, "random stacks of three nodes in virtual time")
	stackSeed  = flag.Uint64("stack-seed", 1, "the first of their seeds")
)

const stackShard = 1

// stack is three nodes in one process and virtual time: the log, raft, actors and forwarding of each are what a node runs; the disk and the network are
// in memory. What moves replicas is left out.
type stack struct {
	t      *testing.T
	net    *wires
	random *rand.Rand // of the one who disturbs
	nodes  []*stackNode
	begun  time.Time

	mu  sync.Mutex // guards ops
	ops []historytest.Op
}

// stackNode is one of them.
type stackNode struct {
	s       *stack
	id, dir string
	off     time.Duration // of its clock
	fs      *waltest.FS
	creates bool

	up        atomic.Bool
	log       *wal.Log
	system    *actors.System
	cluster   *cluster.Cluster
	replica   atomic.Pointer[actors.Replica]
	gateway   *actors.Gateway
	forwarder atomic.Pointer[forward.Forwarder]
}

func (n *stackNode) Locate(stock.Partition) *actors.Replica {
	if r := n.replica.Load(); r != nil && r.Term() != 0 {
		return r
	}
	return nil
}

func (n *stackNode) Replicas() []*actors.Replica {
	if r := n.replica.Load(); r != nil {
		return []*actors.Replica{r}
	}
	return nil
}

func (n *stackNode) ShardOf(stock.Partition) uint32 { return stackShard }
func (n *stackNode) Self() string                   { return n.id }

func (n *stackNode) Leader(shard uint32) (node, address string, term uint64) {
	s := n.cluster.Shard(shard)
	if s == nil {
		return "", "", 0
	}
	term = s.Term()
	node = s.Leader()
	return node, node, term
}

// Changed stands for news, which come now and then.
func (n *stackNode) Changed() <-chan struct{} {
	changed := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { close(changed) })
	return changed
}

func (n *stackNode) now() time.Time { return time.Now().Add(n.off) }

// open starts a node on what its disk holds.
func (n *stackNode) open() {
	n.s.t.Helper()
	var err error
	if n.log, err = wal.Open(wal.Config{
		Dir: "wal", FS: n.fs, ClusterID: [16]byte{1}, SegmentBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		n.s.t.Fatal(n.id, err)
	}
	n.system = actors.Start(actors.Config{Now: n.now, Logger: slog.New(slog.DiscardHandler)})
	if n.cluster, err = cluster.Open(cluster.Config{
		NodeID: n.id, ClusterID: [16]byte{1}, Dir: n.dir, Shards: 1, Replicas: map[uint32]uint64{stackShard: 1}, Bootstrap: n.creates,
		Listener: n.s.net.listen(n.id), Advertise: n.id, AddressOf: func(node string) string { return node },
		Dial: func(ctx context.Context, to string, timeout time.Duration) (net.Conn, error) {
			return n.s.net.dial(ctx, n.id, to, timeout)
		},
		Groups:     func(id uint32) cluster.GroupLog { return n.log.Group(id) },
		NewMachine: n.machine, Timing: cluster.Timing{SnapshotPoll: 300 * time.Millisecond},
		Bounds: cluster.Bounds{SnapshotBytes: 48 << 10},
	}); err != nil {
		n.s.t.Fatal(n.id, err)
	}
	n.gateway = n.system.NewGateway(n, nil)
	f, err := forward.New(forward.Config{Local: n.gateway, Routes: n, Peers: n.cluster.Peers(), Incarnation: n.s.random.Uint64(), Now: n.now})
	if err != nil {
		n.s.t.Fatal(n.id, err)
	}
	for kind, h := range f.Handlers() {
		n.cluster.Peers().Handle(kind, h)
	}
	n.forwarder.Store(f)
	n.up.Store(true)
}

func (n *stackNode) machine(group *cluster.Shard) (cluster.Machine, error) {
	owned := make([]stock.Partition, stock.Partitions)
	for i := range owned {
		owned[i] = stock.Partition(i)
	}
	r, err := n.system.NewReplica(actors.ReplicaConfig{
		Shard: stackShard, Log: raftLog{group}, Init: stock.Init{Partitions: owned, Settings: stock.DefaultSettings()},
		FirstLevel: stock.Level, ID: meta.RaftID(n.id, 1), Members: func() []string { return membersOf(group) }, HashEvery: time.Second,
		OnFault: func(index uint64, err error) {
			n.s.t.Errorf("%s: entry %d: %v", n.id, index, err)
			group.Fail(index, err)
		},
	})
	if err != nil {
		return nil, err
	}
	n.replica.Store(r)
	return machine{Replica: r}, nil
}

// close ends a node.
func (n *stackNode) close() {
	n.s.t.Helper()
	n.up.Store(false)
	n.forwarder.Load().Close()
	began := time.Now()
	if err := n.cluster.Close(); err != nil {
		n.s.t.Error(n.id, err)
	}
	if took := time.Since(began); took > 2*time.Second {
		n.s.t.Errorf("%s took %v to close", n.id, took)
	}
	n.system.Close()
	_ = n.log.Close() // of a disk that has gone on as another one, after a power cut
}

// newStack opens three nodes and makes voters of them.
func newStack(t *testing.T, seed uint64) *stack {
	t.Helper()
	s := &stack{t: t, net: newWires(time.Millisecond), random: rand.New(rand.NewPCG(seed, 7)), begun: time.Now()}
	for i := range 3 {
		n := &stackNode{
			s: s, id: fmt.Sprintf("n%d", i+1), dir: t.TempDir(), fs: waltest.NewFS(), creates: i == 0,
			off: time.Duration(s.random.IntN(300)-150) * time.Millisecond,
		}
		s.nodes = append(s.nodes, n)
		n.open()
	}
	first := s.nodes[0].cluster.Shard(stackShard)
	s.eventually("the first node leads", func() bool { return s.nodes[0].Locate(0) != nil })
	for _, n := range s.nodes[1:] {
		for _, change := range []func(context.Context, string, uint64, string, uint64) error{first.AddLearner, first.Promote} {
			s.eventually("a member is added", func() bool {
				g, ok := first.Group()
				return ok && change(t.Context(), n.id, 1, n.id, g.Index) == nil
			})
		}
	}
	return s
}

func (s *stack) close() {
	s.t.Helper()
	for _, n := range s.nodes {
		if n.up.Load() {
			n.close()
		}
	}
}

func (s *stack) eventually(what string, ok func() bool) {
	s.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	s.t.Fatalf("in vain: %s", what)
}

// leader returns a node that is open, nil for none.
func (s *stack) leader() *stackNode {
	for _, n := range s.nodes {
		if n.up.Load() && n.Locate(0) != nil {
			return n
		}
	}
	return nil
}

// disturb does something to the stack, and undoes it after a while.
func (s *stack) disturb() string {
	victim := s.nodes[s.random.IntN(3)]
	if l := s.leader(); l != nil && s.random.IntN(3) > 0 {
		victim = l
	}
	long := time.Duration(100+s.random.IntN(3000)) * time.Millisecond
	what := s.random.IntN(9)
	switch what {
	case 0, 1, 2: // answers to it, what it sends, or both stand still, and come late
		for _, other := range s.nodes {
			if other == victim {
				continue
			}
			if what != 1 {
				s.net.hold(other.id, victim.id)
			}
			if what != 0 {
				s.net.hold(victim.id, other.id)
			}
		}
		<-time.After(long)
		for _, other := range s.nodes {
			s.net.release(other.id, victim.id)
			s.net.release(victim.id, other.id)
		}
	case 3:
		s.net.cut(victim.id)
	case 4:
		if g := victim.cluster.Shard(stackShard); g != nil {
			_ = g.Transfer(s.t.Context(), "")
		}
	case 5:
		if g := victim.cluster.Shard(stackShard); g != nil {
			g.Fail(0, errors.New("a fault of the test"))
		}
	case 6:
		s.powerCut(victim, long)
	default:
		s.deafen(victim, long)
	}
	return fmt.Sprintf("%d of %s", what, victim.id)
}

// deafen lets a node's answers come one by one while nothing of it reaches the others any more: if it led, it takes itself for the leader for longer than
// they do.
func (s *stack) deafen(n *stackNode, long time.Duration) {
	s.net.dribble(n.id, true)
	<-time.After(time.Second)
	for _, other := range s.nodes {
		s.net.hold(n.id, other.id)
	}
	<-time.After(long)
	s.net.dribble(n.id, false)
	for _, other := range s.nodes {
		s.net.release(n.id, other.id)
	}
}

// powerCut takes a node's power. Nothing of it reaches the others after the moment at which its disk is what it will find.
func (s *stack) powerCut(n *stackNode, long time.Duration) {
	for _, other := range s.nodes {
		s.net.hold(n.id, other.id)
	}
	n.up.Store(false)
	disk := n.fs.Crash(s.random)
	s.net.cut(n.id)
	n.close()
	for _, other := range s.nodes {
		s.net.release(n.id, other.id)
	}
	n.fs = disk
	<-time.After(long)
	n.open()
}
