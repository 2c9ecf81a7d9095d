package control

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cluster/meta"
)

// takeOut removes a member behind everybody's back, as a late step of a change that was aborted does.
func (w *world) takeOut(shard uint32, node string) {
	w.set(func() {
		g := w.groups[shard]
		g.gone[meta.RaftID(node, g.member(node).Number)] = true
		g.config.Members = slices.DeleteFunc(g.config.Members, func(m meta.GroupMember) bool { return m.Node == node })
		g.index++
		g.config.Index = g.index
		w.elect(g)
		w.replicate(g)
	})
}

// A replica that is missing from its group is replaced under a new number, and the old one's remains go.
func TestLostReplicaIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		was := w.node("n2").control.Cluster().Shards[1].On("n2").Number
		w.takeOut(1, "n2")
		w.reaches("it is replaced", func() bool {
			r := w.node("n1").control.Cluster().Shards[1].On("n2")
			return w.settled(3) && r != nil && r.Number > was
		})
		changes := w.node("n1").control.Cluster().Changes
		if last := changes[len(changes)-1]; last.Kind != meta.Rebuilding || last.State != meta.Completed {
			t.Errorf("the last change is %+v", last)
		}
	})
}

// A change that waits for a node while a replica is lost cannot end: it is aborted, and what was lost is replaced.
func TestStuckChangeIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		died := w.doom("n4")
		if err := w.join("n4", "n2:1"); err != nil {
			t.Fatal(err)
		}
		<-died
		w.node("n4").stop()
		for _, s := range w.node("n1").control.Cluster().Shards[1:] {
			if s.On("n2") != nil { // It stays, so the change does not bring another.
				w.takeOut(s.ID, "n2")
				break
			}
		}
		var aborted *meta.Change
		w.reaches("the change is aborted", func() bool {
			for _, c := range w.node("n1").control.Cluster().Changes {
				if c.State == meta.Aborted {
					aborted = &c
				}
			}
			return aborted != nil
		})
		if aborted == nil || !strings.Contains(aborted.Reason, "lost") {
			t.Fatalf("aborted: %+v", aborted)
		}
		w.node("n4").start()
		w.reaches("four nodes", func() bool { return w.settled(4) })
	})
}

// A member that nobody wants, added by a step that came late, goes although no change is under way.
func TestLateMemberGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		if err := w.join("n4", "n1:1"); err != nil {
			t.Fatal(err)
		}
		w.reaches("four nodes", func() bool { return w.settled(4) })
		shard := uint32(1)
		if w.groups[1].member("n4") != nil {
			shard = 2
		}
		w.set(func() {
			g := w.groups[shard]
			if g.member("n4") != nil {
				t.Fatal("n4 is everywhere")
			}
			g.config.Members = append(g.config.Members, meta.GroupMember{Node: "n4", Number: 999, Role: meta.Learner})
			g.index++
			g.config.Index = g.index
		})
		w.reaches("it is gone", func() bool { return w.settled(4) })
	})
}

// A replica that votes and whose disk is gone is not opened again empty, however often the node starts.
func TestLostVoterIsNotOpenedEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		n := w.node("n3")
		n.crash()
		opens := n.opens
		w.set(func() {
			delete(n.held, 1)
			delete(n.applied, 1)
			delete(n.seen, 1)
		})
		n.start()
		<-time.After(time.Minute)
		w.set(func() {
			if _, ok := n.held[1]; ok || n.opens != opens {
				t.Errorf("it was opened: held %v", n.held)
			}
		})
		answer, out, err := w.node("n1").control.Rebuild(t.Context(), 1, "n3", false)
		if err != nil || out.Code != meta.OK || answer.Change == "" {
			t.Fatalf("rebuild: %+v %v %v", answer, out.Text(), err)
		}
		w.reaches("it is rebuilt", func() bool { return w.settled(3) && w.voters(1) == 3 })
	})
}

// A plan is shown without anything being done, also for a node that did not join yet.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := three(t, 2)
		defer w.close()
		before := w.logged()
		c := w.node("n2").control
		for name, plan := range map[string]func() (meta.Answer, meta.Outcome, error){
			"add":     func() (meta.Answer, meta.Outcome, error) { return c.AddNode(t.Context(), "n8", "n8:1", true) },
			"remove":  func() (meta.Answer, meta.Outcome, error) { return c.RemoveNode(t.Context(), "n3", true) },
			"rebuild": func() (meta.Answer, meta.Outcome, error) { return c.Rebuild(t.Context(), 1, "n3", true) },
		} {
			answer, out, err := plan()
			if err != nil || out.Code != meta.OK || len(answer.Plan) == 0 || answer.Change != "" {
				t.Errorf("%s: %+v %v %v", name, answer, out.Text(), err)
			}
		}
		if _, out, err := c.AddNode(t.Context(), "n8", "n1:1", true); err != nil || out.Code != meta.DuplicateAddress {
			t.Errorf("add at an address that another has: %v %v", out.Text(), err)
		}
		if _, out, err := c.AddNode(t.Context(), "n8", "n8:1", false); !errors.Is(err, ErrNotJoined) || out.Code != 0 {
			t.Errorf("add a node that did not join: %v %v", out.Text(), err)
		}
		if after := w.logged(); after != before {
			t.Errorf("%d entries were written", after-before)
		}
	})
}
