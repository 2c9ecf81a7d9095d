package meta

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// settle drives a change to its end without disturbance and returns how many looks that took.
func (w *world) settle() int {
	d := &driver{}
	for looks := 1; ; looks++ {
		w.heal()
		v := w.view()
		d.cluster, d.pulse, d.moved = w.state.Cluster(), w.pulse, w.moved
		d.left = Remaining(d.cluster, v)
		d.todo = d.left.Next()
		if d.cluster.UnderWay() == nil && d.left.Done() {
			if len(d.left.Lost) == 0 {
				return looks
			}
			driven.replaced++
			if !w.begin(d.left.Lost[0]) {
				w.t.Fatalf("%+v cannot be replaced", d.left.Lost[0])
			}
			continue
		}
		if d.left.Done() {
			w.finish(d.cluster.UnderWay().ID)
			continue
		}
		if looks%60 == 0 && len(d.left.Lost) > 0 && w.abort() {
			driven.stuck++ // the change needs what a late step took out
			continue
		}
		before := len(d.left.Steps)
		for _, due := range d.todo {
			if due.Step.Kind == Forget {
				continue
			}
			if err := w.do(due, d.pulse, d.moved); err != nil {
				w.t.Fatalf("undisturbed: %v: %v", due.Step, err)
			}
		}
		if len(d.todo) == 0 && before > 0 && !slices.ContainsFunc(d.left.Steps, func(x Due) bool { return x.Wait == AwaitCaughtUp }) {
			w.t.Fatalf("stuck: %+v", d.left)
		}
		if looks > 400 {
			w.t.Fatalf("does not end: %+v", d.left)
		}
	}
}

// sound holds what must be true when nothing is under way.
func (w *world) sound(spread bool) {
	c := w.state.Cluster()
	for i, g := range w.groups {
		if len(g.Members) != len(c.Shards[i].Replicas) {
			w.t.Fatalf("group %d is %+v, wanted %+v", i, g.Members, c.Shards[i].Replicas)
		}
		for _, m := range g.Members {
			if r := c.Shards[i].On(m.Node); r == nil || r.Number != m.Number || r.Role != m.Role {
				w.t.Fatalf("group %d has %+v, wanted %+v", i, m, c.Shards[i].Replicas)
			}
		}
	}
	if !spread {
		return
	}
	replicas, leads := map[string]int{}, map[string]int{}
	for _, g := range w.groups[1:] {
		leads[g.Leader]++
		for _, m := range g.Members {
			replicas[m.Node]++
		}
		if n, v := len(g.Members), g.voters(); n != min(Replicas, len(c.Nodes)) || n == 3 && v != 3 {
			w.t.Fatalf("shard %d has %+v on %d nodes", g.Shard, g.Members, len(c.Nodes))
		}
	}
	low, high := 1<<30, 0
	for _, n := range c.Nodes {
		low, high = min(low, replicas[n.ID]), max(high, replicas[n.ID])
	}
	if high-low > 1 {
		w.t.Fatalf("replicas are uneven: %v", replicas)
	}
	if w.groups[0].voters() > MetaVoters || len(w.groups[0].Members) != len(c.Nodes) {
		w.t.Fatalf("the meta group is %+v on %d nodes", w.groups[0].Members, len(c.Nodes))
	}
}

// want draws a change that makes sense.
func (w *world) want() Want {
	nodes := w.state.cluster.Nodes
	some := nodes[w.roll(len(nodes))].ID
	switch k := w.roll(10); {
	case k < 5 && len(nodes) < 6:
		id := fmt.Sprintf("m%d", w.keys)
		w.must(&AddNode{Node: id, Incarnation: 9, Addresses: Addresses{Peer: id + ":1"}, Binary: Binary{Level: 1}})
		w.up[id] = true
		return Want{Kind: AddingNode, Node: id}
	case k < 7:
		return Want{Kind: RemovingNode, Node: some}
	case k < 8:
		return Want{Kind: Balancing}
	}
	return Want{Kind: Rebuilding, Node: some, Shard: uint32(w.roll(len(w.groups)))}
}

// begin plans a change and begins it; a refusal must be one that fits.
func (w *world) begin(want Want) bool {
	v := w.view()
	p, out := NewPlan(w.state.Cluster(), v, want)
	switch out.Code {
	case OK:
		w.must(p.Begin(Keyed{}))
		return true
	case LastVoter, UnknownShard:
	case QuorumLoss, Unreachable, ShardUnseen:
		if len(v.Reachable) == len(w.state.cluster.Nodes) && want.Kind != Rebuilding {
			w.t.Fatalf("%+v with every node up: %s", want, out.Text())
		}
	default:
		w.t.Fatalf("%+v: %s", want, out.Text())
	}
	return false
}

var driven = struct {
	kinds          map[StepKind]int
	lost, restarts int
	refused        int
	aborted        int
	stuck          int
	replaced       int // replicas that a late step took out
}{kinds: map[StepKind]int{}}

// Changes are carried out while nodes and drivers die, two drivers act on what they saw some time ago, groups elect whom they like, and some changes
// are stopped half-way. Every step is held against the rules in world.do; every change ends when the disturbance does.
func TestPlansSurviveCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 1+rapid.IntRange(0, 4).Draw(t, "shards"))
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			if w.roll(3) == 0 {
				w.kill()
			}
			want := w.want()
			all := len(w.view().Reachable) == len(w.state.cluster.Nodes) // else replicas go where they can
			whole := false
			if w.begin(want) {
				whole = w.disturbed()
			} else {
				driven.refused++
			}
			w.settle()
			w.sound(whole && all)
		}
		for k, n := range w.steps {
			driven.kinds[k] += n
		}
		driven.lost += w.lost
	})
	for _, k := range []StepKind{AddLearner, Promote, Transfer, Demote, Remove} {
		if driven.kinds[k] < 5 {
			t.Errorf("%v was carried out %d times", k, driven.kinds[k])
		}
	}
	if driven.lost < 10 || driven.restarts < 30 || driven.aborted < 5 || driven.refused < 5 {
		t.Errorf("vacuous: %+v", driven)
	}
	if testing.Verbose() {
		t.Logf("%+v", driven)
	}
}

// disturbed lets two drivers work on a change in a bad hour; it reports whether the change was not stopped.
func (w *world) disturbed() (whole bool) {
	drivers := []*driver{{}, {}}
	whole = w.state.cluster.UnderWay().Kind != Rebuilding
	for range w.roll(150) {
		d := drivers[w.roll(2)]
		switch k := w.roll(20); {
		case k < 5:
			d.look(w)
		case k < 14:
			d.act(w)
		case k == 14:
			*d = driver{} // it dies, and another takes its place
			driven.restarts++
		case k == 15 && w.roll(6) == 0:
			whole = !w.abort() && whole
		default:
			w.disturb()
		}
	}
	return whole
}

func (w *world) abort() bool {
	c := w.state.Cluster()
	if c.UnderWay() == nil {
		return false
	}
	a, out := NewAbort(c, w.view(), Keyed{}, c.UnderWay().ID, "enough")
	if out.Code == ShardUnseen {
		return false
	}
	if out.Code != OK {
		w.t.Fatalf("abort: %s", out.Text())
	}
	w.must(a)
	driven.aborted++
	return true
}

// A finished change can be finished again, and one that nobody disturbs ends with everything spread and nothing left, for any history of sizes.
func TestUndisturbedChangesEndEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 1+rapid.IntRange(0, 15).Draw(t, "shards"))
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			want := w.want()
			if !w.begin(want) {
				continue
			}
			id := w.state.cluster.UnderWay().ID
			first := Remaining(w.state.Cluster(), w.view())
			if len(first.Steps) != len(w.state.cluster.UnderWay().Steps) {
				t.Fatalf("%d steps were planned, %d remain at once", len(w.state.cluster.UnderWay().Steps), len(first.Steps))
			}
			w.settle()
			w.sound(want.Kind != Rebuilding)
			if want.Kind != Rebuilding {
				w.evenlyLed()
			}
			if out := w.send(&Finish{Change: id}); out.Code != OK || !out.Replayed {
				t.Fatalf("finished again: %+v", out)
			}
			if c := w.state.Cluster().Change(id); c.Done() != len(c.Steps) {
				t.Fatalf("%d of %d steps are done", c.Done(), len(c.Steps))
			}
		}
	})
}

// evenlyLed holds that leaderships differ by at most one among the nodes that vote in data shards.
func (w *world) evenlyLed() {
	leads, can := map[string]int{}, map[string]bool{}
	for _, g := range w.groups[1:] {
		leads[g.Leader]++
		for _, m := range g.Members {
			can[m.Node] = can[m.Node] || m.Role == Voter
		}
	}
	low, high := 1<<30, 0
	for n, votes := range can {
		if votes {
			low, high = min(low, leads[n]), max(high, leads[n])
		}
	}
	if len(w.groups) > 3*len(can) && high-low > 1 {
		w.t.Fatalf("leaderships are uneven: %v", leads)
	}
}
