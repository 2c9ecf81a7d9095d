package placement_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

func TestPartitionsKeepTheCapAndCoverEverything(t *testing.T) {
	for _, shards := range []int{1, 2, 3, 4, 7, 8, 16, 64, placement.MaxShards} {
		table := placement.Partitions(shards)
		if len(table) != stock.Partitions {
			t.Fatalf("%d shards: %d partitions", shards, len(table))
		}
		load := make(map[uint32]int)
		for p, shard := range table {
			if shard < 1 || shard > uint32(shards) {
				t.Fatalf("%d shards: partition %d is on shard %d", shards, p, shard)
			}
			load[shard]++
		}
		limit := placement.LoadCap(shards)
		for shard, n := range load {
			if n > limit {
				t.Errorf("%d shards: shard %d owns %d partitions, cap %d", shards, shard, n, limit)
			}
		}
		if float64(limit-1) >= 1.25*stock.Partitions/float64(shards) || float64(limit) < 1.25*stock.Partitions/float64(shards) {
			t.Errorf("%d shards: cap %d is not 1.25 x average", shards, limit)
		}
	}
}

// The table is for good: data written by one build must be found by the next. These sums were written down when the format was fixed.
func TestPartitionsNeverChange(t *testing.T) {
	golden := map[int]uint32{1: 0x4e5beae1, 2: 0x123f91b5, 4: 0xfde74590, 8: 0xbb5555a2, 64: 0x203b799a}
	for shards, want := range golden {
		var b []byte
		for _, s := range placement.Partitions(shards) {
			b = append(b, byte(s), byte(s>>8))
		}
		if got := crc32.ChecksumIEEE(b); got != want {
			t.Errorf("%d shards: checksum %#x, want %#x", shards, got, want)
		}
	}
}

func TestPartitionsRefusesImpossibleShards(t *testing.T) {
	for _, shards := range []int{-1, 0, placement.MaxShards + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d shards: no panic", shards)
				}
			}()
			placement.Partitions(shards)
		}()
	}
}

func TestPlanNeedsNodes(t *testing.T) {
	for _, tc := range []struct {
		nodes    []string
		replicas int
	}{{nil, 3}, {[]string{"a"}, 0}} {
		if _, _, err := placement.Plan(placement.Table{1: nil}, tc.nodes, tc.replicas); !errors.Is(err, placement.ErrNoNodes) {
			t.Errorf("%v, %d replicas: %v", tc.nodes, tc.replicas, err)
		}
	}
}

func nodeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i+1)
	}
	return names
}

func emptyTable(shards int) placement.Table {
	table := make(placement.Table)
	for i := range shards {
		table[uint32(i+1)] = nil
	}
	return table
}

type fataler interface{ Fatalf(string, ...any) }

func plan(t fataler, present placement.Table, nodes []string, replicas int) (placement.Table, []placement.Move) {
	table, moves, err := placement.Plan(present, nodes, replicas)
	if err != nil {
		t.Fatalf("Plan: %v", err)
	}
	return table, moves
}

// checkTable fails unless replicas are distinct, complete, on known nodes, and even.
func checkTable(t fataler, table placement.Table, nodes []string, replicas int) {
	load := make(map[string]int)
	for shard, at := range table {
		if len(at) != min(replicas, len(nodes)) {
			t.Fatalf("shard %d has replicas on %v", shard, at)
		}
		for i, n := range at {
			if !slices.Contains(nodes, n) || slices.Contains(at[:i], n) {
				t.Fatalf("shard %d has replicas on %v, nodes are %v", shard, at, nodes)
			}
			load[n]++
		}
	}
	least, most := 1<<30, 0
	for _, n := range nodes {
		least, most = min(least, load[n]), max(most, load[n])
	}
	if most-least > 1 {
		t.Fatalf("loads differ by %d: %v", most-least, load)
	}
}

func TestAddingANodeMovesReplicasOnlyToIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards, replicas := rapid.IntRange(1, 12).Draw(t, "shards"), rapid.IntRange(1, 5).Draw(t, "replicas")
		nodes := nodeNames(rapid.IntRange(1, 8).Draw(t, "nodes"))
		before, _ := plan(t, emptyTable(shards), nodes, replicas)
		grown := append(slices.Clone(nodes), "new")
		after, moves := plan(t, before, grown, replicas)
		checkTable(t, after, grown, replicas)
		for _, m := range moves {
			if m.To != "new" {
				t.Fatalf("move %+v when a node was added", m)
			}
		}
	})
}

func TestRemovingANodeMovesItsReplicasAndWhatEvennessNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards, replicas := rapid.IntRange(1, 4).Draw(t, "shards"), rapid.IntRange(1, 3).Draw(t, "replicas")
		nodes := nodeNames(rapid.IntRange(2, 6).Draw(t, "nodes"))
		before, _ := plan(t, emptyTable(shards), nodes, replicas)
		gone := rapid.SampledFrom(nodes).Draw(t, "gone")
		left := slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return n == gone })
		after, moves := plan(t, before, left, replicas)
		checkTable(t, after, left, replicas)
		if comes, best := newReplicas(moves), fewestMoves(before, left, min(replicas, len(left))); comes != best {
			t.Fatalf("%d new replicas, %d are enough: %v -> %v", comes, best, before, after)
		}
	})
}

// newReplicas counts the moves that make a replica.
func newReplicas(moves []placement.Move) int {
	n := 0
	for _, m := range moves {
		if m.To != "" {
			n++
		}
	}
	return n
}

// A dumb oracle: try every even placement of small clusters and count moves.
func TestPlanMakesTheFewestMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards, n := rapid.IntRange(1, 4).Draw(t, "shards"), rapid.IntRange(1, 4).Draw(t, "nodes")
		nodes, replicas := nodeNames(n), rapid.IntRange(1, 3).Draw(t, "replicas")
		present := make(placement.Table)
		for s := range shards {
			present[uint32(s+1)] = rapid.SliceOfNDistinct(rapid.SampledFrom(nodeNames(5)), 0, 3, rapid.ID).Draw(t, "present")
		}
		table, moves := plan(t, present, nodes, replicas)
		checkTable(t, table, nodes, replicas)
		if comes, best := newReplicas(moves), fewestMoves(present, nodes, min(replicas, n)); comes != best {
			t.Fatalf("%d new replicas, %d are enough: %v -> %v", comes, best, present, table)
		}
	})
}

func fewestMoves(present placement.Table, nodes []string, replicas int) int {
	best, load := 1<<30, make([]int, len(nodes))
	var try func(shard uint32, moves int)
	try = func(shard uint32, moves int) {
		if int(shard) > len(present) {
			if slices.Max(load)-slices.Min(load) <= 1 {
				best = min(best, moves)
			}
			return
		}
		for set := range 1 << len(nodes) {
			cost, size := 0, 0
			for i, n := range nodes {
				if set>>i&1 == 1 {
					size++
					load[i]++
					if !slices.Contains(present[shard], n) {
						cost++
					}
				}
			}
			if size == replicas {
				try(shard+1, moves+cost)
			}
			for i := range nodes {
				load[i] -= set >> i & 1
			}
		}
	}
	try(1, 0)
	return best
}

func TestPlanDependsOnNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 10).Draw(t, "shards")
		nodes := nodeNames(rapid.IntRange(1, 7).Draw(t, "nodes"))
		want, _ := plan(t, emptyTable(shards), nodes, 3)
		shuffled := rapid.Permutation(append(slices.Clone(nodes), nodes...)).Draw(t, "order")
		got, _ := plan(t, emptyTable(shards), shuffled, 3)
		for s, at := range want {
			if !slices.Equal(at, got[s]) {
				t.Fatalf("shard %d: %v, in another order %v", s, at, got[s])
			}
		}
		again, moves := plan(t, got, shuffled, 3)
		if len(moves) != 0 {
			t.Fatalf("a settled table moves: %v, %v", moves, again)
		}
	})
}

func TestLeadersAreEvenAndStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.IntRange(1, 12).Draw(t, "shards")
		nodes := nodeNames(rapid.IntRange(1, 6).Draw(t, "nodes"))
		table, _ := plan(t, emptyTable(shards), nodes, 3)
		leaders := placement.Leaders(table, nil)
		load := make(map[string]int)
		for s, at := range table {
			if !slices.Contains(at, leaders[s]) {
				t.Fatalf("shard %d is led by %q, replicas on %v", s, leaders[s], at)
			}
			load[leaders[s]]++
		}
		for n, k := range load {
			if most := (shards + len(nodes) - 1) / len(nodes); k > most {
				t.Fatalf("%s leads %d of %d shards on %d nodes", n, k, shards, len(nodes))
			}
		}
		again := placement.Leaders(table, leaders)
		for s, n := range leaders {
			if again[s] != n {
				t.Fatalf("shard %d: leadership moves from %s to %s for nothing", s, n, again[s])
			}
		}
	})
}
