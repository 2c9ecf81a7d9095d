package control

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster/meta"
)

// eventually polls in virtual time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// join lets a node ask its way in, at any of the others, and starts it.
func (w *world) join(id string, among ...string) error {
	n := w.node(id)
	welcome, err := Join(w.t.Context(), JoinConfig{
		NodeID: id, Incarnation: n.inc, Addresses: n.addresses(), Binary: build(), Ask: w.askToJoin(id), Among: among, Timeout: 30 * time.Second,
	})
	if err != nil {
		return err
	}
	if welcome.ClusterID != clusterID || welcome.Shards != w.shards || welcome.Epoch != 1 {
		w.t.Errorf("welcome %+v", welcome)
	}
	n.table = welcome.Table
	n.start()
	return nil
}

func (w *world) askToJoin(id string) func(ctx context.Context, address string, body []byte) ([]byte, error) {
	return func(ctx context.Context, address string, body []byte) ([]byte, error) {
		<-time.After(time.Millisecond)
		w.mu.Lock()
		to := w.nodes[address[:len(address)-2]]
		var h func(context.Context, string, []byte) ([]byte, error)
		if to != nil && to.up {
			h = to.joined
		}
		lost := w.lose()
		w.mu.Unlock()
		if h == nil || lost {
			return nil, errLost
		}
		return h(ctx, id, body)
	}
}

// settled reports whether every shard has the voters it should have, as the newest table and the groups say, and nothing is under way.
func (w *world) settled(nodes int) bool {
	var table *meta.Cluster
	for _, id := range w.names() {
		if n := w.node(id); n.up && n.control.Cluster().Node(id) != nil {
			if c := n.control.Cluster(); table == nil || c.Version > table.Version {
				table = c
			}
		}
	}
	if table == nil || len(table.Nodes) != nodes || table.UnderWay() != nil || len(table.Joining()) > 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.groups {
		want := table.Shards[g.id].Replicas
		if len(want) != len(g.config.Members) || g.leader == "" {
			return false
		}
		for _, r := range want {
			m := g.member(r.Node)
			if m == nil || m.Number != r.Number || m.Role != r.Role || w.nodes[r.Node].held[g.id] != r.Number {
				return false
			}
		}
	}
	for id, n := range w.nodes { // nobody keeps what it should not have
		for shard := range n.held {
			if n.up && table.Shards[shard].On(id) == nil {
				return false
			}
		}
	}
	return true
}

// dump says how things are, for a test that failed.
func (w *world) dump() {
	for _, id := range w.names() {
		n := w.node(id)
		table := n.control.Cluster()
		w.mu.Lock()
		w.t.Logf("%s up %v held %v applied %v version %d nodes %v", id, n.up, n.held, n.applied, table.Version, table.Nodes)
		w.mu.Unlock()
		if term := n.control.clock.term; n.up && w.leader(0) == id {
			v := n.control.view()
			left := meta.Remaining(table, v.View)
			w.t.Logf("%s leads meta, term %d, reaches %v, refusal %q, change %+v", id, term, v.Reachable, n.control.driver.refusal, table.UnderWay())
			for _, d := range left.Steps {
				w.t.Logf("    %v: %v %+v", d.Step, d.Wait, n.control.driver.tries[d.Step])
			}
			w.t.Logf("    unseen %v lost %v steps %v sending %v", left.Unseen, left.Lost, n.control.driver.steps, n.control.driver.sending)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.groups {
		w.t.Logf("group %d term %d leader %q config %+v", g.id, g.term, g.leader, g.config)
	}
}

// reaches polls until ok and shows the world when it never is.
func (w *world) reaches(what string, ok func() bool) {
	w.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	w.dump()
	w.t.Errorf("never: %s", what)
}

// voters returns how many replicas of a shard vote.
func (w *world) voters(shard uint32) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := 0
	for _, m := range w.groups[shard].config.Members {
		if m.Role == meta.Voter {
			count++
		}
	}
	return count
}

// leader returns who leads a group.
func (w *world) leader(shard uint32) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groups[shard].leader
}

// logged returns the number of entries of the meta group's log.
func (w *world) logged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.groups[0].log)
}

func three(t *testing.T, shards int) *world {
	w := newWorld(t, shards, 1)
	for _, id := range []string{"n2", "n3"} {
		if err := w.join(id, "n1:1"); err != nil {
			t.Fatal(err)
		}
	}
	w.reaches("three nodes", func() bool { return w.settled(3) })
	return w
}

// Two nodes join one and are taken in by one change: every shard has three voters, leadership is even, and then nothing is written any more.
func TestNodesJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 1)
		defer w.close()
		for _, id := range []string{"n2", "n3"} {
			if err := w.join(id, "n9:1", "n1:1"); err != nil {
				t.Fatal(err)
			}
		}
		w.reaches("three nodes", func() bool { return w.settled(3) })
		led := map[string]int{}
		for shard := range uint32(5) {
			if n := w.voters(shard); n != 3 {
				t.Errorf("shard %d has %d voters", shard, n)
			}
			if shard > 0 {
				led[w.leader(shard)]++
			}
		}
		if len(led) != 3 {
			t.Errorf("leaderships %v", led)
		}
		for _, id := range w.names() {
			c := w.node(id).control
			eventually(t, "the same table everywhere", func() bool { return c.Cluster().Version == w.node("n1").control.Cluster().Version })
			if changes := c.Cluster().Changes; len(changes) != 1 || changes[0].State != meta.Completed || changes[0].Done() != len(changes[0].Steps) {
				t.Errorf("%s: changes %+v", id, changes)
			}
			for shard := range uint32(5) {
				if node, address, _ := c.Leader(shard); node != w.leader(shard) || address != node+":1" {
					t.Errorf("%s: shard %d is led by %q at %q, it is %q", id, shard, node, address, w.leader(shard))
				}
			}
			for shard, s := range c.Shards() {
				if s.ID != uint32(shard) || s.Leader != w.leader(s.ID) || s.Term == 0 || s.Commit == 0 || len(s.Members) != 3 {
					t.Errorf("%s: shard %d is %+v", id, shard, s)
				}
				for _, m := range s.Members {
					if !m.Seen || m.Role != meta.Voter || m.Said.Applied == 0 || m.Trailing > 10 || m.Number != m.Said.Number {
						t.Errorf("%s: shard %d has %+v", id, shard, m)
					}
				}
			}
			for _, s := range c.Nodes() {
				if s.State != Alive {
					t.Errorf("%s: %s is %v", id, s.Node, s.State)
				}
			}
		}
		before := w.logged()
		w.mu.Lock()
		calls := w.calls
		w.mu.Unlock()
		<-time.After(5 * time.Minute)
		w.mu.Lock()
		calls = w.calls - calls
		w.mu.Unlock()
		if after := w.logged(); after != before {
			t.Errorf("an idle cluster wrote %d entries", after-before)
		}
		if most := 3 * 2 * 320; calls > most {
			t.Errorf("an idle cluster asked %d times in 300 s, at most %d", calls, most)
		}
	})
}

// The node that drives dies right after the k-th step, for every k, and comes back: whoever drives next goes on.
func TestDriverDiesAfterEachStep(t *testing.T) {
	for k := 1; ; k++ {
		died := false
		synctest.Test(t, func(t *testing.T) { died = dieAfter(t, k) })
		if t.Failed() || !died {
			if !t.Failed() && k < 10 {
				t.Errorf("only %d steps", k-1)
			}
			return
		}
	}
}

func dieAfter(t *testing.T, k int) bool {
	w := three(t, 2)
	defer w.close()
	deaths := make(chan string, 1)
	count := 0
	w.mu.Lock()
	w.onStep = func(_, _ string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if count++; count == k {
			w.nodes[w.groups[0].leader].up = false // In this moment; the rest of the dying is done below.
			deaths <- w.groups[0].leader
		}
	}
	w.mu.Unlock()
	for _, id := range []string{"n4", "n5"} {
		if err := w.join(id, "n1:1", "n2:1", "n3:1"); err != nil {
			t.Fatal(err)
		}
	}
	died := false
	revive := func() {
		select {
		case id := <-deaths:
			died = true
			n := w.node(id)
			n.stop()
			<-time.After(2 * time.Second)
			n.start()
		default:
		}
	}
	w.reaches("five nodes", func() bool { revive(); return w.settled(5) })
	out, err := w.remove("n1")
	for err != nil || out.Code == meta.QuorumLoss {
		revive()
		<-time.After(time.Second)
		out, err = w.remove("n1")
	}
	if out.Code != meta.OK && out.Code != meta.UnknownNode && out.Code != meta.ChangeUnderWay {
		t.Fatalf("remove: %s", out.Text())
	}
	w.reaches("four nodes", func() bool { revive(); return w.settled(4) })
	w.reaches("everybody knows", func() bool {
		revive()
		return slices.Contains(w.node("n2").control.Cluster().Retired, "n1") && slices.Contains(w.node("n5").control.Cluster().Retired, "n1")
	})
	return died
}

// remove asks a node that is up to remove another.
func (w *world) remove(id string) (meta.Outcome, error) {
	for _, at := range w.names() {
		if n := w.node(at); n.up && at != id {
			_, out, err := n.control.RemoveNode(w.t.Context(), id, false)
			return out, err
		}
	}
	return meta.Outcome{}, fmt.Errorf("nobody is up")
}
