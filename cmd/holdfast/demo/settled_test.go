package demo

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"holdfast/api/client"
	"holdfast/api/topology"
)

func threeReplicas() []topology.Shard {
	s := topology.Shard{ID: 1, Leader: "n1", CommitIndex: 9}
	for _, name := range []string{"n1", "n2", "n3"} {
		s.Replicas = append(s.Replicas, topology.Replica{Node: name, Role: topology.Voter, AppliedIndex: 9, HashIndex: 8, StateHash: "aa"})
	}
	return []topology.Shard{s}
}

func TestInStep(t *testing.T) {
	for name, test := range map[string]struct {
		change func(s *topology.Shard)
		says   string
	}{
		"no leader":              {func(s *topology.Shard) { s.Leader = "" }, "led by"},
		"a replica is missing":   {func(s *topology.Shard) { s.Replicas = s.Replicas[:2] }, "2 replicas"},
		"one has no vote":        {func(s *topology.Shard) { s.Replicas[1].Role = topology.Learner }, "n2, a learner"},
		"one is down":            {func(s *topology.Shard) { s.Replicas[2].Down = "broken" }, "broken"},
		"one has entries to do":  {func(s *topology.Shard) { s.Replicas[0].Trailing = 1 }, "n1"},
		"one has applied others": {func(s *topology.Shard) { s.Replicas[2].AppliedIndex = 8 }, "8 of 9"},
	} {
		t.Run(name, func(t *testing.T) {
			shards := threeReplicas()
			test.change(&shards[0])
			if err := inStep(shards, 3); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := inStep(threeReplicas(), 3); err != nil {
		t.Error(err)
	}
	if err := inStep(nil, 3); err == nil {
		t.Error("no shards are in step")
	}
}

// The wait for the replicas ends when all have noted their states at one entry after the sale, or when one of them says that it differs.
func TestAgreed(t *testing.T) {
	for name, changes := range map[string][]func(s *topology.Shard){
		"they catch up":   {func(s *topology.Shard) { s.Replicas[2].AppliedIndex-- }, func(*topology.Shard) {}},
		"they note":       {func(s *topology.Shard) { s.Replicas[0].HashIndex = 3 }, func(s *topology.Shard) { s.Replicas[1].HashIndex++ }, func(*topology.Shard) {}},
		"one is diverged": {func(s *topology.Shard) { s.Replicas[1].Down, s.Replicas[1].HashIndex = "diverged: entry 8", 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			at := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				shards := threeReplicas()
				changes[min(looks, len(changes)-1)](&shards[0])
				looks++
				if err := json.NewEncoder(w).Encode(topology.Shards{Shards: shards}); err != nil {
					t.Error(err)
				}
			})
			c, err := client.New(client.Config{AdminAddr: at.admin})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if shards, err := agreed(t.Context(), c, 3, 1, 8); err != nil || looks != len(changes) || len(shards) != 1 {
				t.Errorf("%v after %d looks of %d: %v", err, looks, len(changes), shards)
			}
		})
	}
}
