package placement

import (
	"cmp"
	"slices"
)

// Refill returns the table in which no replica moves that is on a node of stay, those on other nodes are gone, and shards that have fewer than
// min(replicas, nodes of both lists) get new ones on the nodes of fresh, the one with the fewest replicas first, ties by highest random weight.
// It is for a cluster with dead nodes, on which Plan would place replicas too; evenness is for later. A shard may end with fewer replicas than
// asked for, or with none, when fresh has no more nodes for it.
func Refill(present Table, stay, fresh []string, replicas int) Table {
	fresh = slices.Compact(slices.Sorted(slices.Values(fresh)))
	planned, load := make(Table, len(present)), make(map[string]int)
	for shard, at := range present {
		for _, node := range slices.Compact(slices.Sorted(slices.Values(at))) {
			if slices.Contains(stay, node) {
				planned[shard] = append(planned[shard], node)
				load[node]++
			}
		}
	}
	for _, shard := range shardsOf(present) {
		rank := ranks(uint64(shard), fresh)
		for len(planned[shard]) < replicas {
			best := -1
			for i, node := range fresh {
				if slices.Contains(planned[shard], node) {
					continue
				}
				if best < 0 || cmp.Or(cmp.Compare(load[node], load[fresh[best]]), cmp.Compare(rank[i], rank[best])) < 0 {
					best = i
				}
			}
			if best < 0 {
				break
			}
			planned[shard] = append(planned[shard], fresh[best])
			load[fresh[best]]++
		}
		slices.Sort(planned[shard])
	}
	return planned
}
