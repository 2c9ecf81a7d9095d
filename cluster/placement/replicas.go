package placement

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrNoNodes is returned when a plan is asked for without a node, or with fewer than one replica.
var ErrNoNodes = errors.New("placement: no nodes to place replicas on")

// Table says on which nodes each shard's replicas are.
type Table map[uint32][]string

// Move is one step of a plan: a replica of Shard leaves From for To. From is empty when a replica is only added, To when one is only removed.
type Move struct {
	Shard    uint32
	From, To string
}

// Plan returns the table in which every shard of the present one has min(replicas, nodes) replicas, spread over the nodes so that the numbers
// on any two differ by at most one, with the fewest moves from present, and those moves in order of shard. Among plans with equally few moves
// the one with the highest random weights wins. The nodes of a shard come out in byte order. Neither argument is changed.
func Plan(present Table, nodes []string, replicas int) (Table, []Move, error) {
	nodes = slices.Compact(slices.Sorted(slices.Values(nodes)))
	if len(nodes) == 0 || replicas < 1 {
		return nil, nil, fmt.Errorf("%w: %d nodes, %d replicas", ErrNoNodes, len(nodes), replicas)
	}
	shards := shardsOf(present)
	chosen := assign(present, shards, nodes, min(replicas, len(nodes)))
	planned := make(Table, len(shards))
	var moves []Move
	for i, shard := range shards {
		planned[shard] = chosen[i]
		moves = append(moves, movesOf(shard, present[shard], chosen[i])...)
	}
	return planned, moves, nil
}

// assign solves the placement as a flow: source -> shard (its replicas) -> node (at most one each) -> sink. A node's share, the average rounded
// down, goes to the sink directly; what is left over goes by one vertex that lets each node take at most one more. A new replica costs more than
// all weights together, so the fewest moves come first.
func assign(present Table, shards []uint32, nodes []string, replicas int) [][]string {
	total := len(shards) * replicas
	share, rest := total/len(nodes), total%len(nodes)
	source, sink, spare := 0, 1, 2
	shardAt, nodeAt := 3, 3+len(shards)
	net := newNetwork(nodeAt + len(nodes))
	move := int64(total+1) * int64(len(nodes))
	edges := make([][]int, len(shards))
	for i, shard := range shards {
		net.add(source, shardAt+i, replicas, 0)
		rank := ranks(uint64(shard), nodes)
		for j, node := range nodes {
			cost := int64(rank[j])
			if !slices.Contains(present[shard], node) {
				cost += move
			}
			edges[i] = append(edges[i], net.add(shardAt+i, nodeAt+j, 1, cost))
		}
	}
	for j := range nodes {
		net.add(nodeAt+j, sink, share, 0)
		net.add(nodeAt+j, spare, 1, 0)
	}
	net.add(spare, sink, rest, 0)
	if placed := net.solve(source, sink); placed != total {
		panic(fmt.Sprintf("placement: placed %d of %d replicas", placed, total))
	}
	chosen := make([][]string, len(shards))
	for i := range shards {
		for j, node := range nodes {
			if net.used(edges[i][j]) == 1 {
				chosen[i] = append(chosen[i], node)
			}
		}
	}
	return chosen
}

// movesOf pairs what leaves with what comes, both in byte order.
func movesOf(shard uint32, from, to []string) []Move {
	var leaves, comes []string
	for _, n := range slices.Compact(slices.Sorted(slices.Values(from))) {
		if !slices.Contains(to, n) {
			leaves = append(leaves, n)
		}
	}
	for _, n := range to {
		if !slices.Contains(from, n) {
			comes = append(comes, n)
		}
	}
	var moves []Move
	for i := range max(len(leaves), len(comes)) {
		m := Move{Shard: shard}
		if i < len(leaves) {
			m.From = leaves[i]
		}
		if i < len(comes) {
			m.To = comes[i]
		}
		moves = append(moves, m)
	}
	return moves
}

func shardsOf(t Table) []uint32 {
	shards := make([]uint32, 0, len(t))
	for s := range t {
		shards = append(shards, s)
	}
	slices.SortFunc(shards, func(a, b uint32) int { return cmp.Compare(a, b) })
	return shards
}
