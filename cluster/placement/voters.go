package placement

import (
	"cmp"
	"slices"
)

// Voters returns which of a shard's nodes should vote: want of them, or all when there are fewer, in byte order. Nodes of the first preference
// come first, then those of the second, and so on; ties by highest random weight. So votes move only when they must.
func Voters(shard uint32, nodes []string, want int, preferences ...[]string) []string {
	nodes = slices.Compact(slices.Sorted(slices.Values(nodes)))
	rank := ranks(uint64(shard), nodes)
	order := make([]int, len(nodes))
	class := make([]int, len(nodes))
	for i, node := range nodes {
		order[i], class[i] = i, len(preferences)
		for p := range preferences {
			if slices.Contains(preferences[p], node) {
				class[i] = p
				break
			}
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(class[a], class[b]), cmp.Compare(rank[a], rank[b])) })
	var chosen []string
	for _, i := range order[:max(0, min(want, len(order)))] {
		chosen = append(chosen, nodes[i])
	}
	slices.Sort(chosen)
	return chosen
}
