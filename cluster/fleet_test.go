package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fleet is several nodes over one network in memory. Nodes can be cut off and healed, stopped and started again, at another address too.
type fleet struct {
	t     *testing.T
	net   *memNet
	nodes map[string]*fleetNode

	mu    sync.Mutex // guards what follows
	cut   map[string]bool
	at    map[string]string // address to node
	conns map[net.Conn][2]string
	loses byte // the first byte of raft's messages that are lost
}

// What raft's messages begin with.
const (
	rpcTimeoutNow = 3
	loseNothing   = 255
)

func (f *fleet) lose(kind byte) {
	f.mu.Lock()
	f.loses = kind
	f.mu.Unlock()
}

// lossyConn loses messages.
type lossyConn struct {
	net.Conn
	fleet *fleet
}

func (c *lossyConn) Write(b []byte) (int, error) {
	c.fleet.mu.Lock()
	lost := b[0] == c.fleet.loses
	c.fleet.mu.Unlock()
	if lost {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

type fleetNode struct {
	*rig
	name, address string
	replicas      map[uint32]uint64
	creates       bool
}

func newFleet(t *testing.T) *fleet {
	return &fleet{
		t: t, net: newMemNet(), nodes: make(map[string]*fleetNode), cut: make(map[string]bool), at: make(map[string]string),
		conns: make(map[net.Conn][2]string), loses: loseNothing,
	}
}

// start starts a node, the first one as the creator of the cluster with shards 0 and 1.
func (f *fleet) start(name, address string, change ...func(*Config)) *Cluster {
	f.t.Helper()
	n := f.nodes[name]
	if n == nil {
		n = &fleetNode{rig: newRig(f.t), name: name, replicas: make(map[uint32]uint64)}
		if len(f.nodes) == 0 {
			n.creates, n.replicas = true, map[uint32]uint64{0: 1, 1: 1}
		}
		f.nodes[name] = n
	}
	n.address = address
	f.mu.Lock()
	f.at[address] = name
	f.mu.Unlock()
	n.openQuietly(append([]func(*Config){func(c *Config) {
		c.NodeID, c.Listener, c.Registerer = name, f.net.listen(address), prometheus.NewRegistry()
		c.Dial = func(_ context.Context, to string, timeout time.Duration) (net.Conn, error) {
			return f.dial(name, to, timeout)
		}
		c.Replicas, c.Bootstrap = maps.Clone(n.replicas), n.creates
	}}, change...)...)
	return n.cluster
}

func (f *fleet) close() {
	f.t.Helper()
	for _, n := range f.nodes {
		if n.cluster != nil {
			n.close()
		}
	}
}

func (f *fleet) stop(name string) {
	f.t.Helper()
	f.nodes[name].close()
	f.nodes[name].cluster = nil
}

// dial connects two nodes; one that is cut off does not answer.
func (f *fleet) dial(from, address string, timeout time.Duration) (net.Conn, error) {
	f.mu.Lock()
	to := f.at[address]
	dead := f.cut[from] || f.cut[to]
	f.mu.Unlock()
	if dead {
		<-time.After(timeout)
		return nil, errors.New("i/o timeout")
	}
	conn, err := f.net.dial(address, timeout)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.conns[conn] = [2]string{from, to}
	f.mu.Unlock()
	return &lossyConn{conn, f}, nil
}

func (f *fleet) isolate(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut[name] = true
	for conn, ends := range f.conns {
		if slices.Contains(ends[:], name) {
			_ = conn.Close()
			delete(f.conns, conn)
		}
	}
}

func (f *fleet) heal(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.cut, name)
}

// leader waits until one of the nodes leads a shard in a term that no other claims, and has told its machine.
func (f *fleet) leader(shard uint32, among ...string) *Shard {
	f.t.Helper()
	var leads *Shard
	eventually(f.t, fmt.Sprint("a leader of shard ", shard), func() bool {
		for _, name := range among {
			if s := f.nodes[name].cluster.Shard(shard); s != nil && s.Leads(s.Term()) && f.nodes[name].machine(shard).leads() {
				leads = s
				return true
			}
		}
		return false
	})
	return leads
}

func (f *fleet) shard(name string, id uint32) *Shard { return f.nodes[name].cluster.Shard(id) }

// grow makes a replica on a node a member of a shard, and a voter.
func (f *fleet) grow(shard uint32, name string, number uint64, from ...string) {
	f.t.Helper()
	n := f.nodes[name]
	if _, err := n.cluster.OpenReplica(shard, number); err != nil {
		f.t.Fatal(err)
	}
	n.replicas[shard] = number
	leader := f.leader(shard, from...)
	must := func(err error) {
		f.t.Helper()
		if err != nil {
			f.t.Fatal(err)
		}
	}
	g, _ := leader.Group()
	must(leader.AddLearner(f.t.Context(), name, number, n.address, g.Index))
	eventually(f.t, name+" catches up", func() bool { return n.has(shard, leader.CommitIndex()) })
	g, _ = leader.Group()
	must(leader.Promote(f.t.Context(), name, number, n.address, g.Index))
}

func (n *fleetNode) has(shard uint32, index uint64) bool {
	m := n.machine(shard)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last >= index
}

// three are nodes a, b and c, each a voter of shard 1.
func three(t *testing.T, change ...func(*Config)) *fleet {
	t.Helper()
	f := newFleet(t)
	f.three(change...)
	return f
}

func (f *fleet) three(change ...func(*Config)) {
	f.t.Helper()
	for _, name := range []string{"a", "b", "c"} {
		f.start(name, "at-"+name, change...)
	}
	f.grow(1, "b", 2, "a")
	f.grow(1, "c", 3, "a")
}
