package placement

import "slices"

// Leaders returns which replica should lead each shard of the table: as even over the nodes as the replicas allow, then with the fewest changes
// from present (shard to node; a missing or foreign entry counts as none), then by highest random weight. A shard without replicas has no entry.
func Leaders(table Table, present map[uint32]string) map[uint32]string {
	shards, nodes := shardsOf(table), nodesOf(table)
	source, sink, shardAt, nodeAt := 0, 1, 2, 2+len(shards)
	net := newNetwork(nodeAt + len(nodes))
	transfer := int64(len(shards)+1) * int64(len(nodes)+1)
	edges := make([][]int, len(shards))
	for i, shard := range shards {
		net.add(source, shardAt+i, 1, 0)
		rank := ranks(uint64(shard), nodes)
		for j, node := range nodes {
			capacity := 0
			if slices.Contains(table[shard], node) {
				capacity = 1
			}
			cost := int64(rank[j])
			if present[shard] != node {
				cost += transfer
			}
			edges[i] = append(edges[i], net.add(shardAt+i, nodeAt+j, capacity, cost))
		}
	}
	// The k-th shard that a node leads costs k times more than anything else: the sum is least when the numbers are most even.
	uneven := transfer * int64(len(shards)+1)
	for j := range nodes {
		for k := range shards {
			net.add(nodeAt+j, sink, 1, int64(k)*uneven)
		}
	}
	net.solve(source, sink)
	leaders := make(map[uint32]string, len(shards))
	for i, shard := range shards {
		for j, node := range nodes {
			if net.used(edges[i][j]) == 1 {
				leaders[shard] = node
			}
		}
	}
	return leaders
}

func nodesOf(t Table) []string {
	var nodes []string
	for _, replicas := range t {
		nodes = append(nodes, replicas...)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}
