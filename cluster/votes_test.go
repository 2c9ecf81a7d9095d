package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A voter that was away while the group changed comes back as another one dies. It does not know of the one that could lead now, and votes for it
// all the same: the two are a majority. Raft by itself refuses, and nobody leads until the dead one is back.
func TestAVoterThatWasAwayVotesForANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		f.start("d", "at-d")
		s := f.leader(1, "a", "b", "c")
		leader := s.Leader()
		away := map[string]string{"a": "b", "b": "c", "c": "a"}[leader]
		leaves := map[string]string{"a": "c", "b": "a", "c": "b"}[leader]
		f.isolate(away)
		f.grow(1, "d", 4, leader)
		g, _ := s.Group()
		if err := s.RemoveMember(t.Context(), leaves, f.shard(leaves, 1).Number(), g.Index); err != nil {
			t.Fatal(err)
		}
		f.nodes[leader].mustPropose(s, "1")
		if got := membersOf(f.shard(away, 1)); got == membersOf(s) {
			t.Fatal("vacuous: the one that was away knows the members")
		}
		if err := f.nodes[leaves].cluster.RemoveReplica(1); err != nil {
			t.Fatal(err)
		}
		f.isolate(leader)
		f.heal(away)
		f.leader(1, "d")
		f.nodes["d"].mustPropose(f.shard("d", 1), "2")
	})
}

// A node's new replica does not vote in the name of the one that was removed there: what is old and cut off would lead by it, beside the leader.
func TestANewReplicaIsNotTakenForTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := three(t)
		defer f.close()
		f.start("d", "at-d")
		s := f.leader(1, "a", "b", "c")
		leader := s.Leader()
		stale := map[string]string{"a": "b", "b": "c", "c": "a"}[leader]
		again := map[string]string{"a": "c", "b": "a", "c": "b"}[leader]
		f.nodes[leader].mustPropose(s, "1")
		eventually(t, "all have it", func() bool { return f.nodes[stale].has(1, s.CommitIndex()) })
		f.isolate(stale)
		f.grow(1, "d", 4, leader)
		g, _ := s.Group()
		if err := s.RemoveMember(t.Context(), again, f.shard(again, 1).Number(), g.Index); err != nil {
			t.Fatal(err)
		}
		f.nodes[leader].mustPropose(s, "2")
		c := f.nodes[again].cluster
		if err := c.RemoveReplica(1); err != nil {
			t.Fatal(err)
		}
		if _, err := c.OpenReplica(1, 9); err != nil {
			t.Fatal(err)
		}
		f.isolate(leader)
		f.isolate("d")
		f.heal(stale)
		for range 60 {
			pass(time.Second)
			if old := f.shard(stale, 1); old.Leads(old.Term()) {
				t.Fatalf("%s leads in term %d with the vote of a replica that is no member", stale, old.Term())
			}
		}
		f.heal(leader)
		f.heal("d")
		f.nodes["d"].mustPropose(f.leader(1, leader, "d"), "3")
	})
}

// What another replica answers in the name of the one that is meant counts for nothing.
func TestOnlyTheReplicaThatIsMeantAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _ := peers(t)
		answer(t, server)
		for id, want := range map[raft.ServerID]error{"b": nil, "b#2": ErrReplicaOther} {
			var appended raft.AppendEntriesResponse
			if err := client.AppendEntries(id, "b", heartbeat, &appended); !errors.Is(err, want) {
				t.Errorf("append to %s: %v", id, err)
			}
			var preVote raft.RequestPreVoteResponse
			if err := client.RequestPreVote(id, "b", &raft.RequestPreVoteRequest{Term: 3}, &preVote); !errors.Is(err, want) {
				t.Errorf("pre-vote of %s: %v", id, err)
			}
		}
	})
}
