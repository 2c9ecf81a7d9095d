package placement_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"holdfast/cluster/placement"
)

// mostEven returns the least sum of squares of led shards over all ways to lead a table, and the fewest changes from present among those.
func mostEven(table placement.Table, shards int, present map[uint32]string) (squares, changes int) {
	squares = 1 << 30
	load := make(map[string]int)
	var try func(shard uint32, changed int)
	try = func(shard uint32, changed int) {
		if int(shard) > shards {
			sum := 0
			for _, n := range load {
				sum += n * n
			}
			if sum < squares || sum == squares && changed < changes {
				squares, changes = sum, changed
			}
			return
		}
		for _, n := range table[shard] {
			load[n]++
			cost := 0
			if present[shard] != n {
				cost = 1
			}
			try(shard+1, changed+cost)
			load[n]--
		}
	}
	try(1, 0)
	return squares, changes
}

func TestLeadersAreTheMostEvenWithTheFewestTransfers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := nodeNames(rapid.IntRange(1, 4).Draw(t, "nodes"))
		shards := rapid.IntRange(1, 6).Draw(t, "shards")
		table, present := make(placement.Table), make(map[uint32]string)
		for s := range uint32(shards) {
			at := rapid.Permutation(nodes).Draw(t, "order")[:rapid.IntRange(1, min(3, len(nodes))).Draw(t, "replicas")]
			table[s+1] = at
			if rapid.Bool().Draw(t, "led") {
				present[s+1] = rapid.SampledFrom(append([]string{"gone"}, at...)).Draw(t, "leader")
			}
		}
		leaders := placement.Leaders(table, present)
		load, squares, changes := make(map[string]int), 0, 0
		for s, at := range table {
			if !slices.Contains(at, leaders[s]) {
				t.Fatalf("shard %d on %v is led by %q", s, at, leaders[s])
			}
			load[leaders[s]]++
			if present[s] != leaders[s] {
				changes++
			}
			slices.Reverse(table[s])
		}
		for _, n := range load {
			squares += n * n
		}
		if wantSquares, wantChanges := mostEven(table, shards, present); squares != wantSquares || changes != wantChanges {
			t.Fatalf("%v led by %v: squares %d with %d changes, best %d with %d", table, leaders, squares, changes, wantSquares, wantChanges)
		}
		for s, n := range placement.Leaders(table, present) {
			if leaders[s] != n {
				t.Fatalf("shard %d: %s, with its replicas in another order %s", s, leaders[s], n)
			}
		}
	})
}

func TestVotersKeepToThePreferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := nodeNames(rapid.IntRange(0, 7).Draw(t, "nodes"))
		some := rapid.SliceOfDistinct(rapid.SampledFrom(nodeNames(9)), rapid.ID[string])
		first, second := some.Draw(t, "first"), some.Draw(t, "second")
		want := rapid.IntRange(0, 5).Draw(t, "want")
		got := placement.Voters(3, nodes, want, first, second)
		if len(got) != min(want, len(nodes)) || !slices.IsSorted(got) {
			t.Fatalf("%d of %v: %v", want, nodes, got)
		}
		class := func(n string) int {
			switch {
			case slices.Contains(first, n):
				return 0
			case slices.Contains(second, n):
				return 1
			}
			return 2
		}
		worst := -1
		for i, n := range got {
			if !slices.Contains(nodes, n) || slices.Contains(got[:i], n) {
				t.Fatalf("%v of %v", got, nodes)
			}
			worst = max(worst, class(n))
		}
		for _, n := range nodes {
			if !slices.Contains(got, n) && class(n) < worst {
				t.Fatalf("%s is preferred to one of %v (%v, %v)", n, got, first, second)
			}
		}
		if again := placement.Voters(3, rapid.Permutation(append(nodes, nodes...)).Draw(t, "order"), want, got); !slices.Equal(again, got) {
			t.Fatalf("%v, preferred and in another order %v", got, again)
		}
	})
}

func TestRefillMovesNothingThatMayStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards, nodes := rapid.IntRange(1, 12).Draw(t, "shards"), nodeNames(rapid.IntRange(2, 7).Draw(t, "nodes"))
		before, _ := plan(t, emptyTable(shards), nodes, 3)
		gone := rapid.SampledFrom(nodes).Draw(t, "gone")
		stay := slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return n == gone })
		fresh := stay[:rapid.IntRange(0, len(stay)).Draw(t, "answer")]
		after := placement.Refill(before, stay, fresh, 3)
		load := make(map[string]int)
		for s, was := range before {
			at := after[s]
			for _, n := range was {
				if n != gone && !slices.Contains(at, n) {
					t.Fatalf("shard %d left %s: %v -> %v", s, n, was, at)
				}
			}
			short := len(at) < 3
			for i, n := range at {
				load[n]++
				if !slices.Contains(was, n) && !slices.Contains(fresh, n) || n == gone || slices.Contains(at[:i], n) {
					t.Fatalf("shard %d: %v -> %v, %s gone, %v fresh", s, was, at, gone, fresh)
				}
			}
			for _, n := range fresh {
				if short && !slices.Contains(at, n) {
					t.Fatalf("shard %d has %v, and %s has room", s, at, n)
				}
			}
			if len(at) > 3 {
				t.Fatalf("shard %d has %v", s, at)
			}
		}
		again := placement.Refill(after, stay, rapid.Permutation(fresh).Draw(t, "order"), 3)
		for s := range after {
			if !slices.Equal(again[s], after[s]) {
				t.Fatalf("shard %d moves from %v to %v for nothing", s, after[s], again[s])
			}
		}
	})
}

// A cluster grows to seven nodes and shrinks again, a node at a time: the table stays even, and no step moves more than it must.
func TestGrowingAndShrinkingMovesLittle(t *testing.T) {
	const shards, replicas = 64, 3
	table := emptyTable(shards)
	var nodes []string
	step := func(name string, most int) {
		t.Helper()
		after, moves := plan(t, table, nodes, replicas)
		checkTable(t, after, nodes, replicas)
		if n := newReplicas(moves); n > most {
			t.Errorf("%s: %d new replicas, %d would do", name, n, most)
		}
		table = after
	}
	share := func(n int) int { return (shards*min(replicas, n) + n - 1) / n }
	for i := 1; i <= 7; i++ {
		nodes = append(nodes, fmt.Sprintf("n%d", i))
		step("add "+nodes[i-1], share(i))
	}
	for i := 6; i >= 3; i-- {
		// What the node had must go somewhere; the rest is as even as it was, so nothing else has to move.
		most := 0
		for _, at := range table {
			if slices.Contains(at, nodes[i]) {
				most++
			}
		}
		nodes = nodes[:i]
		step(fmt.Sprintf("remove n%d", i+1), most+i)
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []struct{ nodes, shards int }{{3, 4}, {7, 64}, {7, 512}} {
		b.Run(fmt.Sprintf("nodes=%d/shards=%d", n.nodes, n.shards), func(b *testing.B) {
			names := nodeNames(n.nodes)
			table, _, err := placement.Plan(emptyTable(n.shards), names[1:], 3)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				_, _, _ = placement.Plan(table, names, 3)
			}
		})
	}
}

func BenchmarkLeaders(b *testing.B) {
	for _, n := range []struct{ nodes, shards int }{{3, 4}, {7, 64}, {7, 512}} {
		b.Run(fmt.Sprintf("nodes=%d/shards=%d", n.nodes, n.shards), func(b *testing.B) {
			table, _, err := placement.Plan(emptyTable(n.shards), nodeNames(n.nodes), 3)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				placement.Leaders(table, nil)
			}
		})
	}
}
