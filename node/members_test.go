package node

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"holdfast/api/topology"
)

var rounds = flag.Int("rounds", 1, "how often the tests of planned transfers and rolling restarts go round")

// A cluster grows from three nodes to five and shrinks to three again while all its nodes take orders, and none of them fails.
func TestThreeFiveThreeNodesUnderLoad(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 3, nil)
	c := f.buyers(4, 8, false, "n2", "n3")
	c.more(100)
	began := time.Now()
	f.start("n4")
	f.start("n5")
	f.settle()
	t.Logf("five nodes after %v", time.Since(began).Round(time.Millisecond))
	c.more(100)
	f.even(4)
	// The founder goes, which led much; a node that joined later goes on.
	began = time.Now()
	f.remove("n2", "n1")
	t.Logf("n1 removed after %v", time.Since(began).Round(time.Millisecond))
	c.more(50)
	f.stop("n1")
	began = time.Now()
	f.remove("n2", "n4")
	t.Logf("n4 removed after %v", time.Since(began).Round(time.Millisecond))
	f.stop("n4")
	f.settle()
	c.more(100)
	c.leave()
	f.even(4)
}

// even wants the replicas of the data shards even within one among the nodes.
func (f *fleet) even(shards int) {
	f.t.Helper()
	all, err := f.running()[0].client(f.t).Shards(context.Background())
	if err != nil || len(all) != shards {
		f.t.Fatalf("%d shards: %v", len(all), err)
	}
	replicas := make(map[string]int)
	for _, n := range f.running() {
		replicas[n.cfg.NodeID] = 0
	}
	for _, s := range all {
		voters := 0
		for _, r := range s.Replicas {
			replicas[r.Node]++
			if r.Role == topology.Voter {
				voters++
			}
		}
		if voters != min(3, len(f.running())) {
			f.t.Errorf("shard %d has %d voters: %+v", s.ID, voters, s.Replicas)
		}
	}
	f.within(1, "replicas", replicas)
}

// within wants counts that differ by that much at most.
func (f *fleet) within(most int, what string, counts map[string]int) {
	f.t.Helper()
	least, greatest := 1<<30, 0
	for _, n := range counts {
		least, greatest = min(least, n), max(greatest, n)
	}
	if greatest-least > most {
		f.t.Errorf("%s: %v", what, counts)
	}
}

// The leadership of every shard goes round all nodes while orders come through all of them: none is refused, each waits a moment at most.
func TestPlannedTransfersUnderLoadRefuseNobody(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 3, nil)
	c := f.buyers(8, 8, false, "n1", "n2", "n3")
	c.more(100)
	var took []time.Duration
	for range *rounds {
		for shard := uint32(1); shard <= 4; shard++ {
			for _, to := range []string{"n1", "n2", "n3"} {
				before, _, _ := f.node("n2").control.Leader(shard)
				began := time.Now()
				led, err := f.client("n2").Transfer(t.Context(), shard, to)
				if err != nil || led.Leader != to {
					t.Fatalf("shard %d from %s to %s: %+v %v", shard, before, to, led, err)
				}
				if before != to {
					took = append(took, time.Since(began))
				}
				c.more(20)
			}
		}
	}
	slices.Sort(took)
	c.leave()
	t.Logf("%d transfers: p50 %v, the slowest %v", len(took), took[len(took)/2], took[len(took)-1])
}

// Every node is drained and started again with the same command line, one after the other: whoever sends an order that was not executed again, under its
// key, gets it.
func TestRollingRestartFailsNoOrder(t *testing.T) {
	t.Parallel()
	f := fleetOf(t, 3, nil)
	c := f.buyers(4, 8, true, "n1", "n2", "n3")
	for range *rounds {
		for _, id := range []string{"n1", "n2", "n3"} {
			c.more(100)
			began := time.Now()
			f.stop(id)
			drained := time.Since(began)
			c.more(20)
			f.start(id)
			t.Logf("%s drained in %v, ready again after %v", id, drained.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		}
	}
	f.settle()
	c.more(100)
	c.leave()
}
