package meta

import (
	"slices"

	"holdfast/cluster/placement"
)

const (
	// Replicas is how many replicas a data shard has, or one on each node where there are fewer.
	Replicas = 3
	// MetaVoters bounds the voters of the meta group; the other nodes follow it as learners.
	MetaVoters = 5
)

// Want is a change that somebody asks for.
type Want struct {
	Kind ChangeKind
	// Node is the one to add, to remove, or to rebuild a replica on.
	Node string
	// Shard is the one to rebuild a replica of.
	Shard uint32
}

// target returns where the replicas should be after a change.
func (c *Cluster) target(v *View, w Want) ([]Shard, Outcome) {
	var nodes []string
	for i := range c.Nodes {
		if n := &c.Nodes[i]; stays(v, n, w) {
			nodes = append(nodes, n.ID)
		}
	}
	if len(nodes) == 0 {
		return nil, refuseWith(LastVoter, Detail{Shard: 0})
	}
	if w.Kind == Rebuilding {
		return c.rebuilt(v, nodes, w)
	}
	table, ok := c.placed(v, nodes)
	if !ok {
		return nil, refuseWith(Unreachable, Detail{Node: c.firstSilent(v, nodes)})
	}
	next := c.NextReplica
	shards := make([]Shard, len(c.Shards))
	for i := range c.Shards {
		at, most := nodes, MetaVoters
		if i > 0 {
			at, most = table[uint32(i)], Replicas
		}
		shards[i] = c.Shards[i].on(v, at, most, &next)
	}
	return shards, Outcome{Code: OK}
}

// stays reports whether a node has replicas after a change. A node that is joining too is taken along when it answers.
func stays(v *View, n *Node, w Want) bool {
	switch {
	case n.State == Leaving || w.Kind == RemovingNode && n.ID == w.Node:
		return false
	case n.State == Joining:
		return w.Kind != Rebuilding && (n.ID == w.Node || v.reaches(n.ID))
	}
	return true
}

// placed returns the table of the data shards on the nodes. New replicas go to nodes that answer only: when the even table would place some
// elsewhere, replicas stay where they are and what is missing goes to the nodes that answer. ok is false when there are none for a shard.
func (c *Cluster) placed(v *View, nodes []string) (table placement.Table, ok bool) {
	present := c.table()
	table, moves, err := placement.Plan(present, nodes, Replicas)
	if err != nil {
		return nil, false
	}
	if !slices.ContainsFunc(moves, func(m placement.Move) bool { return m.To != "" && !v.reaches(m.To) }) {
		return table, true
	}
	table = placement.Refill(present, nodes, v.answering(nodes), Replicas)
	for shard := range present {
		if len(table[shard]) == 0 {
			return nil, false
		}
	}
	return table, true
}

func (c *Cluster) firstSilent(v *View, nodes []string) string {
	for _, n := range nodes {
		if !v.reaches(n) {
			return n
		}
	}
	return ""
}

// rebuilt returns the shards with a new replica in the place of one, and every node in the meta group.
func (c *Cluster) rebuilt(v *View, nodes []string, w Want) ([]Shard, Outcome) {
	if uint64(w.Shard) >= uint64(len(c.Shards)) || c.Shards[w.Shard].On(w.Node) == nil {
		return nil, refuseWith(UnknownShard, Detail{Shard: w.Shard, Node: w.Node})
	}
	next := c.NextReplica
	shards := cloneShards(c.Shards)
	shards[0] = c.Shards[0].on(v, nodes, MetaVoters, &next)
	shards[w.Shard].On(w.Node).Number = next
	renumber(shards, c.NextReplica)
	return shards, Outcome{Code: OK}
}

// renumber numbers the new replicas, which are those from next on, in their order.
func renumber(shards []Shard, next uint64) {
	from := next
	for i := range shards {
		for j := range shards[i].Replicas {
			if r := &shards[i].Replicas[j]; r.Number >= from {
				r.Number = next
				next++
			}
		}
	}
}

// on returns the shard with replicas on the nodes: those that are in the group keep their numbers, the others are numbered from next. Votes
// stay where they are, but for nodes that do not answer when others can have them.
func (s *Shard) on(v *View, nodes []string, most int, next *uint64) Shard {
	present := s.Nodes(Voter)
	count := votersOf(len(nodes), most, len(present))
	voters := placement.Voters(s.ID, nodes, count, v.answering(present), v.answering(s.Nodes(Learner)), v.answering(nodes), present)
	out := Shard{ID: s.ID}
	for _, node := range slices.Sorted(slices.Values(nodes)) {
		r := Replica{Node: node, Role: Learner}
		if slices.Contains(voters, node) {
			r.Role = Voter
		}
		if was := s.On(node); was != nil && v.follows(s.ID, was) {
			r.Number = was.Number
		} else {
			r.Number = *next
			*next++
		}
		out.Replicas = append(out.Replicas, r)
	}
	return out
}

// votersOf returns how many of n replicas vote, of which now do. An even number of voters survives no more failures than one voter less, so
// the last replica of an even number learns. But of two that both vote, none loses its vote: then no node's death loses an order.
func votersOf(n, most, now int) int {
	n = min(n, most)
	switch {
	case n == 2 && now >= 2:
		return 2
	case n%2 == 0:
		return n - 1
	}
	return n
}
