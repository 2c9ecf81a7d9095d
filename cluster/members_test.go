package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/cluster/meta"
	"holdfast/stock"
)

func membersOf(s *Shard) string {
	g, _ := s.Group()
	var list []string
	for _, m := range g.Members {
		list = append(list, meta.RaftID(m.Node, m.Number)+" "+m.Role.String())
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// From one voter to three and back to one, over the nodes' peer ports; the shard sells all the while.
func TestAGroupGrowsAndShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.close()
		f.start("a", "at-a")
		b := f.start("b", "at-b")
		f.start("c", "at-c")
		s := f.leader(1, "a")
		f.nodes["a"].mustPropose(s, "1", "2")
		for name, number := range map[string]uint64{"b": 4, "c": 7} {
			if _, err := f.nodes[name].cluster.OpenReplica(1, number); err != nil {
				t.Fatal(err)
			}
		}
		g, ok := s.Group()
		if !ok || g.Leader != "a" || g.Shard != 1 || membersOf(s) != "a#1 voter" {
			t.Fatalf("%+v", g)
		}
		ctx := t.Context()
		if err := s.AddLearner(ctx, "b", 4, "at-b", g.Index); err != nil {
			t.Fatal(err)
		}
		if err := s.AddLearner(ctx, "c", 7, "at-c", g.Index); !errors.Is(err, ErrStaleConfiguration) || !isNotExecuted(err) {
			t.Errorf("a second change on the same configuration: %v", err)
		}
		g, _ = s.Group()
		if err := s.AddLearner(ctx, "b", 4, "at-b", g.Index); err != nil {
			t.Errorf("done already: %v", err)
		}
		if now, _ := s.Group(); now.Index != g.Index {
			t.Error("what was done already was done again")
		}
		if err := s.AddLearner(ctx, "c", 7, "at-c", g.Index); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"b", "c"} {
			eventually(t, "the learner has all", func() bool { return slices.Equal(f.nodes[name].machine(1).applied(), []string{"1", "2"}) })
			if l := f.shard(name, 1); l.Leader() != "a" || l.Leads(l.Term()) {
				t.Errorf("%s is led by %q", name, l.Leader())
			}
			if err := f.shard(name, 1).Promote(ctx, name, 4, "at-b", 1); !errors.Is(err, ErrNotLeader) || !isNotExecuted(err) {
				t.Errorf("asked of a learner: %v", err)
			}
		}
		for name, number := range map[string]uint64{"b": 4, "c": 7} {
			g, _ = s.Group()
			if err := s.Promote(ctx, name, number, "at-"+name, g.Index); err != nil {
				t.Fatal(err)
			}
		}
		if got := membersOf(s); got != "a#1 voter, b#4 voter, c#7 voter" {
			t.Errorf("members: %s", got)
		}
		f.nodes["a"].mustPropose(s, "3")
		eventually(t, "b knows the members, too", func() bool { return membersOf(b.Shard(1)) == membersOf(s) })

		shrink(t, f)
	})
}

// shrink takes a, which may have led, out of the group of three.
func shrink(t *testing.T, f *fleet) {
	ctx := t.Context()
	f.stop("a")
	s := f.leader(1, "b", "c")
	f.nodes["b"].mustPropose(s, "4")
	a := f.start("a", "at-a")
	eventually(t, "a is back", func() bool { return slices.Equal(f.nodes["a"].machine(1).applied(), []string{"1", "2", "3", "4"}) })

	g, _ := s.Group()
	if err := s.Demote(ctx, "a", 1, g.Index); err != nil {
		t.Fatal(err)
	}
	g, _ = s.Group()
	if err := s.RemoveMember(ctx, "a", 1, g.Index); err != nil {
		t.Fatal(err)
	}
	g, _ = s.Group()
	if err := errors.Join(s.RemoveMember(ctx, "a", 1, g.Index), a.RemoveReplica(1)); err != nil {
		t.Errorf("removed already: %v", err)
	}
	if a.Shard(1) != nil || a.Shard(0) == nil {
		t.Error("the wrong replica went")
	}
	f.nodes["b"].mustPropose(s, "5")
	eventually(t, "c has all", func() bool { return len(f.nodes["c"].machine(1).applied()) == 5 })
}

func TestChangesThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.close()
		f.start("a", "at-a")
		s := f.leader(1, "a")
		g, _ := s.Group()
		ctx := t.Context()
		over, cancel := context.WithCancel(ctx)
		cancel()
		for what, row := range map[string]struct{ err, want error }{
			"the last voter, removed":  {s.RemoveMember(ctx, "a", 1, g.Index), ErrLastVoter},
			"the last voter, demoted":  {s.Demote(ctx, "a", 1, g.Index), ErrLastVoter},
			"a voter as learner":       {s.AddLearner(ctx, "a", 1, "at-a", g.Index), ErrNotMember},
			"a stranger, promoted":     {s.Promote(ctx, "b", 2, "at-b", g.Index), ErrNotMember},
			"another number, demoted":  {s.Demote(ctx, "a", 2, g.Index), ErrNotMember},
			"no address":               {s.AddLearner(ctx, "b", 2, "", g.Index), ErrConfig},
			"no number":                {s.AddLearner(ctx, "b", 0, "at-b", g.Index), ErrConfig},
			"no name":                  {s.AddLearner(ctx, "b#1", 2, "at-b", g.Index), ErrConfig},
			"no configuration":         {s.AddLearner(ctx, "b", 2, "at-b", 0), ErrStaleConfiguration},
			"a configuration to come":  {s.AddLearner(ctx, "b", 2, "at-b", g.Index+1), ErrStaleConfiguration},
			"nobody to hand over to":   {s.Transfer(ctx, ""), ErrNoHeir},
			"itself as heir":           {s.Transfer(ctx, "a"), ErrNoHeir},
			"nobody waits":             {s.AddLearner(over, "b", 2, "at-b", g.Index), context.Canceled},
			"another number's removal": {s.RemoveMember(ctx, "a", 2, g.Index), nil},
		} {
			if !errors.Is(row.err, row.want) || isNotExecuted(row.err) != (row.want != nil) {
				t.Errorf("%s: %v", what, row.err)
			}
		}
	})
}

// The outcome of a change is read from raft's error; for one of them there is only a text.
func TestWhatBecameOfAChange(t *testing.T) {
	for _, row := range []struct {
		err  error
		want []error
	}{
		{raft.ErrNotLeader, []error{stock.ErrNotExecuted, ErrNotLeader}},
		{raft.ErrLeadershipTransferInProgress, []error{stock.ErrNotExecuted}},
		{raft.ErrEnqueueTimeout, []error{stock.ErrNotExecuted}},
		{raft.ErrLeadershipLost, []error{stock.ErrUnknown}},
		{raft.ErrRaftShutdown, []error{stock.ErrUnknown}},
		{errors.New("anything else"), []error{stock.ErrUnknown}},
	} {
		for _, want := range row.want {
			if err := changeOutcome(row.err); !errors.Is(err, want) {
				t.Errorf("%v: %v", row.err, err)
			}
		}
	}
	if changeOutcome(nil) != nil {
		t.Error("a change that was made")
	}
	synctest.Test(t, func(t *testing.T) { // What raft really says.
		g := newRig(t)
		c := g.open()
		defer g.close()
		r := c.Shard(1).replica.Load()
		err := r.raft.AddNonvoter("b#2", "at-b", 999, time.Second).Error()
		if err = changeOutcome(err); !errors.Is(err, ErrStaleConfiguration) || !isNotExecuted(err) {
			t.Errorf("a stale configuration: %v", err)
		}
	})
}

// A replica that was removed while its node was down does not hear of it, and disturbs nobody when it is back.
func TestAReplicaThatDoesNotHearOfItsRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		s := f.leader(1, "a", "b", "c")
		leader := s.Leader()
		gone := map[string]string{"a": "b", "b": "c", "c": "a"}[leader]
		number := f.shard(gone, 1).Number()
		f.stop(gone)
		g, _ := s.Group()
		if err := s.RemoveMember(t.Context(), gone, number, g.Index); err != nil {
			t.Fatal(err)
		}
		f.nodes[leader].mustPropose(s, "x")
		term := s.Term()
		f.start(gone, "at-"+gone)
		pass(time.Minute)
		if !s.Leads(term) {
			t.Errorf("term %d, was %d", s.Term(), term)
		}
		back := f.nodes[gone].cluster
		if len(f.nodes[gone].machine(1).applied()) != 0 {
			t.Error("vacuous: it follows")
		}
		if err := back.RemoveReplica(1); err != nil {
			t.Fatal(err)
		}
		f.grow(1, gone, 9, leader)
		eventually(t, "the next one has all", func() bool { return slices.Equal(f.nodes[gone].machine(1).applied(), []string{"x"}) })
	})
}

// Two replicas of a node, the old and the new one, have one address; so have a node that moved away and one that came.
func TestAnAddressMayStandTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.close()
		f.start("a", "at-a")
		s := f.leader(1, "a")
		for number := range uint64(3) {
			g, _ := s.Group()
			if err := s.AddLearner(t.Context(), "b", number+2, "at-b", g.Index); err != nil {
				t.Fatal(err)
			}
		}
		if got := membersOf(s); got != "a#1 voter, b#2 learner, b#3 learner, b#4 learner" {
			t.Error(got)
		}
	})
}

func TestALearnerBehindTheLogGetsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		defer f.close()
		f.start("a", "at-a")
		s := f.leader(1, "a")
		var want []string
		fill := func() {
			for range 3 * maxAppendEntries {
				want = append(want, fmt.Sprint(len(want)))
				f.nodes["a"].mustPropose(s, want[len(want)-1])
			}
		}
		for range 3 { // The log keeps what the snapshot before covered.
			fill()
			if _, _, err := s.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		fill()
		if first, _ := f.nodes["a"].logs[1].FirstIndex(); first < 10 {
			t.Fatalf("vacuous: the log begins at %d", first)
		}
		f.start("b", "at-b")
		f.grow(1, "b", 2, "a")
		eventually(t, "b has all", func() bool { return slices.Equal(f.nodes["b"].machine(1).applied(), want) })
		r := f.shard("b", 1).replica.Load()
		if r.store.index() == 0 {
			t.Error("vacuous: no snapshot was installed")
		}
		eventually(t, "b knows the members", func() bool { return membersOf(f.shard("b", 1)) == membersOf(s) })
		f.stop("b")
		f.start("b", "at-b")
		eventually(t, "b is back", func() bool {
			return slices.Equal(f.nodes["b"].machine(1).applied(), want) && f.shard("b", 1).Leader() == "a"
		})
	})
}

func TestANodeThatMovedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.three(func(c *Config) {
			c.AddressOf = func(node string) string { // As the meta group would tell.
				f.mu.Lock()
				defer f.mu.Unlock()
				for address, at := range f.at {
					if at == node {
						return address
					}
				}
				return ""
			}
		})
		defer f.close()
		s := f.leader(1, "a", "b", "c")
		leader := s.Leader()
		rest := slices.DeleteFunc([]string{"a", "b", "c"}, func(n string) bool { return n == leader })
		f.nodes[leader].mustPropose(s, "1")
		for _, moved := range rest { // Both: without them there is no majority.
			f.stop(moved)
			f.mu.Lock()
			delete(f.at, "at-"+moved)
			f.mu.Unlock()
			f.start(moved, "elsewhere-"+moved)
		}
		s = f.leader(1, "a", "b", "c")
		f.nodes[leader].mustPropose(f.leader(1, s.Leader()), "2")
		for _, moved := range rest {
			eventually(t, moved+" has all", func() bool { return slices.Equal(f.nodes[moved].machine(1).applied(), []string{"1", "2"}) })
		}
	})
}
