package control

import (
	"errors"
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster/meta"
	"holdfast/stock"
)

var seeds = flag.Int("seeds", 3, "how many seeded runs of each fault test")

// Questions, answers and verdicts are lost, nodes die and come back, nodes join during a change and one is removed: all of it comes to its end.
// What the groups themselves check goes on being checked (see world_test.go): majorities, raft ids, replicas that vote, catching up.
func TestChangesEndInAnyWeather(t *testing.T) {
	for seed := range uint64(*seeds) {
		synctest.Test(t, func(t *testing.T) { weather(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func weather(t *testing.T, seed uint64) {
	w := newWorld(t, 3, seed)
	defer w.close()
	w.set(func() { w.lossy = 10 })
	for _, id := range []string{"n2", "n3"} {
		if err := w.join(id, "n1:1"); err != nil {
			t.Fatal(err)
		}
	}
	w.reaches("three nodes", func() bool { return w.settled(3) })
	for i, id := range []string{"n4", "n5"} {
		if err := w.join(id, "n1:1", "n2:1", "n3:1"); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(1+i) * time.Second)
		w.storm(2)
	}
	w.reaches("five nodes", func() bool { return w.settled(5) })
	w.until("n2 is leaving", func() bool {
		out, err := w.remove("n2")
		return err == nil && (out.Code == meta.OK || out.Code == meta.UnknownNode || out.Code == meta.NodeLeaving)
	})
	w.storm(3)
	w.reaches("four nodes", func() bool { return w.settled(4) })
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.steps) < 20 {
		t.Errorf("only %d steps", len(w.steps))
	}
}

func (w *world) set(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// until polls once a second.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 120 {
		if ok() {
			return
		}
		<-time.After(time.Second)
	}
	w.dump()
	w.t.Errorf("never: %s", what)
}

// storm kills nodes one after the other, the one that drives first, and starts them again.
func (w *world) storm(deaths int) {
	for i := range deaths {
		var id string
		w.set(func() {
			if id = w.groups[0].leader; id == "" || i%2 == 1 {
				id = fmt.Sprintf("n%d", 1+w.rng.IntN(len(w.nodes)))
			}
		})
		n := w.node(id)
		n.crash()
		<-time.After(time.Duration(1+i) * 1500 * time.Millisecond)
		n.start()
		<-time.After(time.Second)
	}
}

// A node that was deposed goes on driving beside the new leader: it writes nothing, and what it does to groups is refused or was due.
func TestTwoDrivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 3)
		defer w.close()
		old := w.leader(0)
		w.set(func() {
			g := w.groups[0]
			g.pretend, g.leader = old, map[string]string{"n1": "n2", "n2": "n3", "n3": "n1"}[old]
			g.term++
		})
		if c := w.node(old).control; c.driver.term == 0 {
			t.Fatal("the old leader does not drive")
		}
		for _, id := range []string{"n4", "n5"} {
			if err := w.join(id, "n1:1", "n2:1", "n3:1"); err != nil {
				t.Fatal(err)
			}
		}
		w.reaches("five nodes", func() bool { return w.settled(5) })
		w.set(func() { w.groups[0].pretend = "" })
		if out, err := w.remove(old); err != nil || out.Code != meta.OK {
			t.Fatal(out.Text(), err)
		}
		w.reaches("four nodes", func() bool { return w.settled(4) })
	})
}

// doom lets a node die when it is added to its first group.
func (w *world) doom(id string) <-chan struct{} {
	died := make(chan struct{})
	w.set(func() {
		w.onStep = func(_, what string) {
			if what != "add "+id {
				return
			}
			w.set(func() {
				w.nodes[id].up, w.onStep = false, nil
				close(died)
			})
		}
	})
	return died
}

// A node dies for good in the middle of its join. Nothing goes on, and the operator stops the change and removes it.
func TestJoinerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		died := w.doom("n4")
		if err := w.join("n4", "n2:1"); err != nil {
			t.Fatal(err)
		}
		<-died
		w.node("n4").stop()
		<-time.After(30 * time.Second)
		c := w.node("n2").control
		change := c.Cluster().UnderWay()
		if change == nil {
			t.Fatal("no change is under way")
		}
		if _, out, err := c.RemoveNode(t.Context(), "n4", false); err != nil || out.Code != meta.ChangeUnderWay {
			t.Errorf("remove while joining: %v %v", out, err)
		}
		if out, err := c.Abort(t.Context(), change.ID, "it died"); err != nil || out.Code != meta.OK {
			t.Fatalf("abort: %v %v", out.Text(), err)
		}
		w.until("n4 is leaving", func() bool {
			_, out, err := c.RemoveNode(t.Context(), "n4", false)
			return err == nil && (out.Code == meta.OK || out.Code == meta.UnknownNode)
		})
		w.reaches("three nodes", func() bool { return w.settled(3) })
	})
}

// A node dies during a change and comes back: the change goes on.
func TestNodeDiesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 3)
		defer w.close()
		died := w.doom("n4")
		if err := w.join("n4", "n2:1"); err != nil {
			t.Fatal(err)
		}
		<-died
		w.node("n4").stop()
		<-time.After(20 * time.Second)
		if w.settled(4) {
			t.Error("a node that is not there has its replicas")
		}
		for _, s := range w.node("n1").control.Nodes() {
			if want := map[bool]NodeState{true: Unreachable, false: Alive}[s.Node == "n4"]; s.State != want {
				t.Errorf("%s is %v", s.Node, s.State)
			}
		}
		w.node("n4").start()
		w.reaches("four nodes", func() bool { return w.settled(4) })
	})
}

// What would lose a majority, or the last copy, is refused with a way out.
func TestRemoveIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 1)
		defer w.close()
		c := w.node("n1").control
		w.reaches("one node", func() bool { return w.settled(1) })
		refused := func(id string, want meta.Code) {
			t.Helper()
			for _, dry := range []bool{true, false} {
				_, out, err := c.RemoveNode(t.Context(), id, dry)
				if err != nil || out.Code != want || out.WayOut() == "" {
					t.Errorf("remove %s: %v %q, %v; want %v", id, out.Code, out.Text(), err, want)
				}
			}
		}
		refused("n1", meta.LastVoter)
		refused("n7", meta.UnknownNode)
		for _, id := range []string{"n2", "n3"} {
			if err := w.join(id, "n1:1"); err != nil {
				t.Fatal(err)
			}
		}
		w.reaches("three nodes", func() bool { return w.settled(3) })
		w.node("n2").crash()
		w.node("n3").crash()
		<-time.After(10 * time.Second)
		refused("n3", meta.QuorumLoss)
		_, err := c.Do(t.Context(), &meta.SetSettings{})
		if !errors.Is(err, stock.ErrNotExecuted) || errors.Is(err, stock.ErrUnknown) {
			t.Errorf("a command without a majority: %v", err)
		}
	})
}
