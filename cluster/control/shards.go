package control

import (
	"cmp"
	"slices"

	"holdfast/cluster/meta"
)

// ShardStatus is what the nodes that answer say of a shard.
type ShardStatus struct {
	ID uint32
	// Leader is "" while there is none that answers.
	Leader       string
	Term, Commit uint64
	// Members is sorted by node: the group's as its leader knows them, or as the table wants them while nobody who answers knows any.
	Members []MemberStatus
}

// MemberStatus is a member of a shard's group. Said is what its node says of it, zero when the node does not answer or has another replica.
type MemberStatus struct {
	Node   string
	Number uint64
	Role   meta.Role
	// Seen says that its node answers and has the replica.
	Seen bool
	// Trailing is by how many entries its actors trail the leader's.
	Trailing uint64
	Said     ReplicaStatus
}

// Shards returns the data shards by id, and the meta group first.
func (c *Control) Shards() []ShardStatus {
	table, v, nodes := c.Cluster(), c.view(), c.Nodes()
	out := make([]ShardStatus, 0, len(table.Shards))
	for i := range table.Shards {
		s := ShardStatus{ID: table.Shards[i].ID}
		if g := v.groups[s.ID]; g != nil {
			s.Leader, s.Term = g.Leader, g.term
			for _, m := range g.Members {
				s.Members = append(s.Members, MemberStatus{Node: m.Node, Number: m.Number, Role: m.Role})
			}
		} else {
			for _, r := range table.Shards[i].Replicas {
				s.Members = append(s.Members, MemberStatus{Node: r.Node, Number: r.Number, Role: r.Role})
			}
		}
		s.fill(nodes)
		out = append(out, s)
	}
	return out
}

// fill adds what the nodes said of their replicas.
func (s *ShardStatus) fill(nodes []NodeStatus) {
	slices.SortFunc(s.Members, func(a, b MemberStatus) int { return cmp.Compare(a.Node, b.Node) })
	var lead uint64
	for i := range s.Members {
		m := &s.Members[i]
		at := slices.IndexFunc(nodes, func(n NodeStatus) bool { return n.Node == m.Node && n.Reachable })
		if at < 0 {
			continue
		}
		if r := nodes[at].Replica(s.ID); r != nil && r.Number == m.Number {
			m.Seen, m.Said = true, *r
			s.Commit = max(s.Commit, r.Commit)
			if m.Node == s.Leader {
				lead = r.Applied
			}
		}
	}
	for i := range s.Members {
		if m := &s.Members[i]; m.Seen && lead > m.Said.Applied {
			m.Trailing = lead - m.Said.Applied
		}
	}
}
