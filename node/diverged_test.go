package node

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
	"holdfast/stock"
)

// oddOne is the replica that applies something else than the others.
type oddOne struct {
	mu     sync.Mutex // guards what follows
	node   string
	shard  uint32
	number uint64 // its raft id's: the replica that takes its place is sound
}

// flip changes the client's reference in orders of the user "odd".
func (o *oddOne) flip(node string) func(uint32, uint64) func([]byte) []byte {
	return func(shard uint32, number uint64) func([]byte) []byte {
		return func(entry []byte) []byte {
			o.mu.Lock()
			hit := o.node == node && o.shard == shard && (o.number == 0 || o.number == number)
			o.mu.Unlock()
			if p, err := stock.DecodeProposal(entry); hit && err == nil {
				return o.changed(p, number, entry)
			}
			return entry
		}
	}
}

func (o *oddOne) changed(p stock.Proposal, number uint64, entry []byte) []byte {
	w, odd := stock.NewProposalWriter(stock.MaxProposalBytes), false
	w.Reset(p.Header)
	for _, c := range p.Commands {
		if place, ok := c.(*stock.Place); ok && place.User == "odd" {
			place.ClientRef, odd = "flipped", true
		}
		if err := w.Add(c); err != nil {
			panic(err)
		}
	}
	if !odd {
		return entry
	}
	o.mu.Lock()
	o.number = number
	o.mu.Unlock()
	return w.Seal(p.Clock)
}

// A replica whose state is not that of the others stops, be it the leader or a follower; its node says so while it stays ready and others serve, and
// rebuilding the replica from its peers makes all well.
func TestADivergedReplicaIsRebuilt(t *testing.T) {
	t.Parallel()
	for _, leader := range []bool{false, true} {
		t.Run(fmt.Sprintf("leader=%v", leader), func(t *testing.T) {
			t.Parallel()
			diverge(t, leader)
		})
	}
}

func diverge(t *testing.T, leader bool) {
	odd := &oddOne{}
	f := fleetOf(t, 3, func(c *Config) { c.HashEvery, c.flip = 200*time.Millisecond, odd.flip(c.NodeID) })
	c := f.buyers(2, 4, true, "n1", "n2", "n3")
	c.more(20)
	victim, shard := f.pick(t, leader)
	odd.mu.Lock()
	odd.node, odd.shard = victim, shard
	odd.mu.Unlock()
	// Whoever asks a leader that is wrong may be told that nobody knows: what it proposed is not what it was given.
	_, _ = f.client("n1").PlaceOrder(t.Context(), "odd", client.NewOrder{SKU: "sku-0", User: "odd"})
	awaitFor(t, time.Minute, func() string { return victim + " is found out" }, func() bool {
		r := f.replica(victim, shard)
		return r != nil && strings.HasPrefix(r.Down, "diverged")
	})
	said := ""
	for _, check := range f.node(victim).Ready() {
		if check.Name == fmt.Sprintf("replica of shard %d", shard) {
			said = check.Detail
		}
	}
	if !strings.Contains(said, "not that of the other replicas") {
		t.Errorf("readyz says of the replica: %q", said)
	}
	for _, n := range f.running() {
		awaitFor(t, time.Minute, func() string { return n.cfg.NodeID + " is ready" }, func() bool {
			for _, check := range n.Ready() {
				if !check.OK && !check.Advisory {
					return false
				}
			}
			return true
		})
	}
	c.more(50)
	plan, err := f.client("n1").Rebuild(t.Context(), shard, victim, false)
	if err != nil {
		t.Fatal(err)
	}
	if done := f.changed("n1", plan.Change); done.State != topology.Completed {
		t.Fatalf("%+v", done)
	}
	f.settle()
	c.more(50)
	awaitFor(t, time.Minute, func() string { return "the replicas are alike" }, func() bool { return f.alike(shard) })
	for _, check := range f.node(victim).Ready() {
		if strings.HasPrefix(check.Name, "replica of shard") {
			t.Errorf("after the rebuild: %+v", check)
		}
	}
	c.stay(1) // the odd order
}

// pick returns the shard of sku-0 and a node that leads it, or one that follows.
func (f *fleet) pick(t *testing.T, leader bool) (node string, shard uint32) {
	sku, err := f.client("n1").SKU(t.Context(), "sku-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range f.running() {
		if (n.cfg.NodeID == sku.Leader) == leader {
			node = n.cfg.NodeID
		}
	}
	return node, uint32(sku.Shard)
}

// replica returns a replica as the first node shows it, nil for none.
func (f *fleet) replica(node string, shard uint32) *topology.Replica {
	all, err := f.client("n1").Shards(context.Background())
	if err != nil {
		return nil
	}
	for _, r := range all[shard-1].Replicas {
		if r.Node == node {
			return &r
		}
	}
	return nil
}

// alike reports whether all replicas of a shard have the same hash at the same place.
func (f *fleet) alike(shard uint32) bool {
	all, err := f.client("n1").Shards(context.Background())
	if err != nil || len(all[shard-1].Replicas) != 3 {
		return false
	}
	first := all[shard-1].Replicas[0]
	for _, r := range all[shard-1].Replicas {
		if r.HashIndex == 0 || r.HashIndex != first.HashIndex || r.StateHash != first.StateHash || r.Down != "" {
			return false
		}
	}
	return true
}
