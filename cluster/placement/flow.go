package placement

// network is a directed graph with capacities and costs, solved for a maximum flow of minimum cost by successive shortest paths (Busacker and
// Gowen, 1960). Costs may be negative as long as no cycle is: only forward edges from source to sink are added here, so none is.
// The result depends on nothing but the order in which edges were added.
type network struct {
	heads [][]int
	edges []edge
}

// edge is followed, at the next odd position, by its reverse, which has the capacity that the flow used.
type edge struct {
	to, capacity int
	cost         int64
}

func newNetwork(vertices int) *network { return &network{heads: make([][]int, vertices)} }

// add adds an edge and returns its number.
func (n *network) add(from, to, capacity int, cost int64) int {
	id := len(n.edges)
	n.edges = append(n.edges, edge{to: to, capacity: capacity, cost: cost}, edge{to: from, cost: -cost})
	n.heads[from] = append(n.heads[from], id)
	n.heads[to] = append(n.heads[to], id+1)
	return id
}

// used reports how much of an edge the flow uses.
func (n *network) used(id int) int { return n.edges[id+1].capacity }

// solve sends as much as possible from source to sink at the least cost and returns how much that is.
func (n *network) solve(source, sink int) int {
	total := 0
	for {
		via, ok := n.shortest(source, sink)
		if !ok {
			return total
		}
		for v := sink; v != source; v = n.edges[via[v]^1].to {
			n.edges[via[v]].capacity--
			n.edges[via[v]^1].capacity++
		}
		total++
	}
}

// shortest returns, for each vertex on the cheapest path with room from source to sink, the edge by which it is reached.
func (n *network) shortest(source, sink int) (via []int, ok bool) {
	const far = int64(1) << 62
	distance := make([]int64, len(n.heads))
	queued := make([]bool, len(n.heads))
	via = make([]int, len(n.heads))
	for v := range distance {
		distance[v] = far
	}
	distance[source] = 0
	for queue := []int{source}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		queued[v] = false
		for _, id := range n.heads[v] {
			e := n.edges[id]
			if e.capacity == 0 || distance[v]+e.cost >= distance[e.to] {
				continue
			}
			distance[e.to], via[e.to] = distance[v]+e.cost, id
			if !queued[e.to] {
				queued[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	return via, distance[sink] < far
}
