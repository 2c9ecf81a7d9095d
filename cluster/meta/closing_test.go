package meta

import (
	"slices"
	"testing"
)

// A replica that a late step took out is not added again under its number; the next plan gives it another.
func TestALostReplicaGetsANewNumber(t *testing.T) {
	w := newTown(t, 2, 3)
	g := &w.view.Groups[1]
	at := slices.IndexFunc(g.Members, func(m GroupMember) bool { return m.Node != g.Leader })
	gone := g.Members[at]
	g.Members = slices.Delete(g.Members, at, at+1)
	left := Remaining(w.state.Cluster(), w.view)
	if !left.Done() || len(left.Lost) != 1 || left.Lost[0] != (Want{Kind: Rebuilding, Node: gone.Node, Shard: 1}) {
		t.Fatalf("%+v", left)
	}
	for _, want := range []Want{left.Lost[0], {Kind: Balancing}} {
		next := w.state.Cluster().NextReplica
		p, out := NewPlan(w.state.Cluster(), w.view, want)
		if out.Code != OK || p.Steps[0] != (Step{AddLearner, 1, gone.Node, next}) {
			t.Errorf("%+v: %s%s", want, out.Text(), p.Text())
		}
	}
}

// Leadership is spread when everything else is done, and a transfer that failed is given up.
func TestTheLastTransfersComeLastAndMayFail(t *testing.T) {
	w := newTown(t, 4, 3)
	for i := range w.view.Groups {
		w.view.Groups[i].Leader = "n1"
	}
	p, out := NewPlan(w.state.Cluster(), w.view, Want{Kind: Balancing})
	if out.Code != OK || len(p.Steps) == 0 {
		t.Fatalf("%s%s", out.Text(), p.Text())
	}
	id := w.send(p.Begin(Keyed{})).Change
	w.view.Groups[4].Members = append(w.view.Groups[4].Members, GroupMember{"n9", 99, Learner, true}) // something is left to do
	left := Remaining(w.state.Cluster(), w.view)
	next := left.Next()
	if len(next) != 1 || next[0].Step != (Step{Remove, 4, "n9", 99}) {
		t.Fatalf("transfers do not wait: %+v", next)
	}
	w.view.Groups[4].carry(next[0].Step)
	for _, s := range p.Steps {
		w.send(&Report{Change: id, Step: s, State: StepFailed, Reason: "no answer"})
	}
	if left := Remaining(w.state.Cluster(), w.view); !left.Done() {
		t.Errorf("still %+v", left.Steps)
	}
}

// A copy with a later deadline keeps the outcome remembered for as long.
func TestACopyExtendsTheMemory(t *testing.T) {
	w := newTown(t, 1, 1)
	send := func(at, deadline int64) Outcome {
		c := &RaiseEpoch{Keyed: keyed("k"), Epoch: 2}
		c.Deadline = startMS.Add(deadline)
		_, out, err := w.state.Apply(encoded(t, startMS.Add(at), c))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := send(0, 10); out.Code != OK || out.Replayed {
		t.Fatalf("%+v", out)
	}
	if out := send(5, 20); !out.Replayed {
		t.Fatalf("%+v", out)
	}
	if r := w.state.recall(&Keyed{Caller: "ops", Key: "k"}); r == nil || r.Until != startMS.Add(20) {
		t.Fatalf("remembered: %+v", r)
	}
}
