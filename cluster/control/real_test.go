package control

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/cluster/placement"
)

var idle = flag.Duration("idle", 0, "how long five nodes with 16 shards are left idle to see what that costs")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/raft.(*deferError).Error"))
}

// memLog is a group's log in memory.
type memLog struct{ *raft.InmemStore }

func (l memLog) IsMonotonic() bool { return true }

func (l memLog) Drop() error {
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	if last == 0 {
		return nil
	}
	return l.DeleteRange(first, last)
}

func (l memLog) BytesSince(index uint64) int64 {
	last, _ := l.LastIndex()
	return int64(max(last, index)-index) * 64
}

// counter is the machine of a data shard: it proposes an entry in each term, and counts.
type counter struct {
	shard *cluster.Shard

	mu      sync.Mutex // guards what follows
	applied uint64
}

func (m *counter) Apply(entries []cluster.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = entries[len(entries)-1].Index
	return nil
}

func (m *counter) position() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied
}

func (m *counter) Snapshot() (cluster.Cut, error) {
	return cut(binary.BigEndian.AppendUint64(nil, m.position())), nil
}

func (m *counter) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = binary.BigEndian.Uint64(b)
	return nil
}

func (m *counter) Lead(uint64)   { m.shard.Propose([]byte("open"), func(error) {}) }
func (m *counter) Follow(uint64) {}
func (m *counter) Close()        {}

// realNode is a node with a real cluster layer and a real peer port; its disk is memory and a directory.
type realNode struct {
	t      *testing.T
	id     string
	inc    uint64
	dir    string
	shards int
	port   net.Listener
	peer   string

	mu       sync.Mutex // guards what follows
	logs     map[uint32]memLog
	held     map[uint32]uint64 // replicas.json
	machines map[uint32]*counter

	cluster *cluster.Cluster
	control *Control
}

func newRealNode(t *testing.T, id string, shards int) *realNode {
	return &realNode{
		t: t, id: id, inc: uint64(len(id)) + uint64(id[1]), dir: t.TempDir(), shards: shards, logs: map[uint32]memLog{},
		held: map[uint32]uint64{}, machines: map[uint32]*counter{},
	}
}

func (n *realNode) listen() {
	address := "127.0.0.1:0"
	if n.peer != "" {
		address = n.peer
	}
	var err error
	for range 100 { // After a restart the port may be in use for a moment.
		if n.port, err = net.Listen("tcp", address); err == nil {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	n.peer = n.port.Addr().String()
}

// open opens the node: a new cluster's first one with create, else with the table that it learned.
func (n *realNode) open(create bool, table *meta.Cluster) {
	cfg := Config{
		NodeID: n.id, Incarnation: n.inc, ClusterID: clusterID, Addresses: meta.Addresses{Peer: n.peer}, Binary: build(), Table: table,
		Replicas: n, Report: n.report, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	}
	if create {
		cfg.Create = &meta.Create{
			ClusterID: clusterID, Epoch: 1, Level: 1, Node: n.id, Incarnation: n.inc, Addresses: cfg.Addresses, Binary: cfg.Binary,
			Shards: uint32(n.shards), Partitions: placement.Partitions(n.shards), Settings: meta.DefaultSettings(),
		}
		for id := range uint32(n.shards + 1) {
			n.held[id] = 1
		}
	}
	control, err := New(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	n.control = control
	n.cluster, err = cluster.Open(cluster.Config{
		NodeID: n.id, ClusterID: clusterID, Dir: n.dir, Shards: n.shards, Replicas: maps.Clone(n.held), Bootstrap: create, Listener: n.port,
		AddressOf: control.AddressOf, Groups: n.log, NewMachine: n.machine,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	control.Start(Of(n.cluster))
}

func (n *realNode) close() {
	n.control.Close()
	if err := n.cluster.Close(); err != nil {
		n.t.Errorf("%s: %v", n.id, err)
	}
}

func (n *realNode) log(shard uint32) cluster.GroupLog {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.logs[shard]; !ok {
		n.logs[shard] = memLog{raft.NewInmemStore()}
	}
	return n.logs[shard]
}

func (n *realNode) machine(s *cluster.Shard) (cluster.Machine, error) {
	if s.ID() == 0 {
		return n.control.Machine(), nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.machines[s.ID()] = &counter{shard: s}
	return n.machines[s.ID()], nil
}

func (n *realNode) report() []Replica {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Replica
	for id, m := range n.machines {
		out = append(out, Replica{Shard: id, Applied: m.position()})
	}
	return out
}

func (n *realNode) OpenReplica(shard uint32, number uint64) error {
	n.mu.Lock()
	n.held[shard] = number
	n.mu.Unlock()
	_, err := n.cluster.OpenReplica(shard, number)
	return err
}

func (n *realNode) RemoveReplica(shard uint32) error {
	if err := n.cluster.RemoveReplica(shard); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.held, shard)
	delete(n.machines, shard)
	return nil
}

// fleet is some of them.
type fleet struct {
	t     *testing.T
	nodes []*realNode
}

func newFleet(t *testing.T, count, shards int) *fleet {
	f := &fleet{t: t}
	for i := range count {
		f.add(fmt.Sprintf("n%d", i+1), shards)
	}
	return f
}

// add starts a node that creates the cluster, or joins it.
func (f *fleet) add(id string, shards int) {
	n := newRealNode(f.t, id, shards)
	n.listen()
	if len(f.nodes) == 0 {
		n.open(true, nil)
		f.nodes = append(f.nodes, n)
		return
	}
	welcome, err := Join(f.t.Context(), JoinConfig{
		NodeID: id, Incarnation: n.inc, Addresses: meta.Addresses{Peer: n.peer}, Binary: build(), Among: []string{f.nodes[0].peer},
		Ask: func(ctx context.Context, address string, body []byte) ([]byte, error) {
			return cluster.AskToJoin(ctx, cluster.JoinConfig{NodeID: id}, address, body)
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	n.open(false, welcome.Table)
	f.nodes = append(f.nodes, n)
}

func (f *fleet) close() {
	for _, n := range f.nodes {
		n.close()
	}
}

// wait polls, in real time.
func (f *fleet) wait(what string, ok func() bool) {
	f.t.Helper()
	ticker, late := time.NewTicker(20*time.Millisecond), time.After(90*time.Second)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-late:
			for _, n := range f.nodes {
				f.t.Logf("%s: held %v, table %d, change %+v", n.id, n.held, n.control.Cluster().Version, n.control.Cluster().UnderWay())
				f.t.Logf("    %+v", n.control.view().Groups)
			}
			f.t.Fatalf("never: %s", what)
		}
	}
}

// settled reports whether all nodes know a table without a change under way, and groups are led and have the members that it says.
func (f *fleet) settled() bool {
	version := f.nodes[0].control.Cluster().Version
	for _, n := range f.nodes {
		table := n.control.Cluster()
		if len(table.Nodes) != len(f.nodes) || table.UnderWay() != nil || len(table.Joining()) > 0 || table.Version != version {
			return false
		}
		for shard := range table.Shards {
			if leader, _, _ := n.control.Leader(uint32(shard)); leader == "" {
				return false
			}
			want, here := table.Shards[shard].On(n.id), n.cluster.Shard(uint32(shard))
			if (want == nil) != (here == nil) || want != nil && want.Number != here.Number() {
				return false
			}
		}
	}
	return true
}

// Real groups over real sockets: three nodes grow to four, the node that drives dies and comes back, leadership is handed over, and a node is
// removed.
func TestRealCluster(t *testing.T) {
	f := newFleet(t, 3, 2)
	defer func() { f.close() }()
	f.wait("three nodes", f.settled)
	if index, size, err := f.nodes[1].control.Snapshot(t.Context(), 0); err != nil || index == 0 || size < cutHeadBytes {
		t.Errorf("snapshot at %d, %d bytes: %v", index, size, err)
	}
	leader, _, _ := f.nodes[0].control.Leader(0)
	for _, n := range f.nodes {
		if n.id == leader { // A new process on the same disk, which goes on from the snapshot.
			n.close()
			n.listen()
			n.open(false, nil)
			if !n.control.Cluster().Created() {
				t.Error("the table is not in the snapshot")
			}
		}
	}
	f.wait("three nodes again", f.settled)
	f.add("n4", 2)
	f.wait("four nodes", f.settled)
	led, err := f.nodes[1].control.Transfer(t.Context(), 1, "")
	if err != nil || led == "" {
		t.Errorf("transfer: %s, %v", led, err)
	}
	if err := f.nodes[2].control.ClocksAgree(t.Context(), 0, 5*time.Second); err != nil {
		t.Error(err)
	}
	var out meta.Outcome
	f.wait("n1 is leaving", func() bool {
		_, out, err = f.nodes[1].control.RemoveNode(t.Context(), "n1", false)
		return err == nil && (out.Code == meta.OK || !out.Code.Retryable())
	})
	gone := f.nodes[0]
	f.nodes = f.nodes[1:]
	f.wait("three nodes without n1", f.settled)
	f.wait("n1 has nothing left", func() bool { return len(Of(gone.cluster).Held()) == 0 })
	gone.close()
}

// What five idle nodes with 16 shards cost, in one process, with -args -idle 10s; the target is under 10 % of a core a node.
func TestIdleCost(t *testing.T) {
	if *idle == 0 {
		t.Skip("only with -args -idle 10s")
	}
	f := newFleet(t, 5, 16)
	defer f.close()
	f.wait("five nodes", f.settled)
	written := func() (entries uint64) {
		for _, n := range f.nodes {
			for _, s := range n.cluster.Shards() {
				entries += s.CommitIndex()
			}
			entries += n.cluster.Shard(0).CommitIndex()
		}
		return entries
	}
	<-time.After(10 * time.Second)
	before, cpu := written(), spent(t)
	<-time.After(*idle)
	used := spent(t) - cpu
	t.Logf("%.1f %% of a core a node over %v", 100*used.Seconds()/idle.Seconds()/5, *idle)
	if after := written(); after != before {
		t.Errorf("%d entries were written", after-before)
	}
}

// spent returns the CPU time of this process.
func spent(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil && !errors.Is(err, os.ErrInvalid) {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
