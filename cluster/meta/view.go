package meta

import "slices"

// View is what whoever drives a change sees: the members of the groups as raft has them, and who answers.
type View struct {
	// Groups holds the groups that somebody told about, the meta group too, in any order.
	Groups []Group
	// Reachable holds the nodes that answer.
	Reachable []string
}

// Group is one Raft group as a replica of it sees it.
type Group struct {
	Shard uint32
	// Index is that of the present configuration in the group's log: what a change gives as prevIndex, so that of two only one succeeds.
	Index uint64
	// Leader is the node that leads, "" while there is none.
	Leader  string
	Members []GroupMember
}

// GroupMember is one server of a group's present configuration.
type GroupMember struct {
	Node   string
	Number uint64
	Role   Role
	// CaughtUp says that its actors trail by little (rule R13: not what raft was given).
	CaughtUp bool
}

func (v *View) group(shard uint32) *Group {
	for i := range v.Groups {
		if v.Groups[i].Shard == shard {
			return &v.Groups[i]
		}
	}
	return nil
}

func (v *View) reaches(node string) bool { return slices.Contains(v.Reachable, node) }

// answering returns those of the nodes that answer.
func (v *View) answering(nodes []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return !v.reaches(n) })
}

// follows reports whether a replica is in its group, as far as anybody knows.
func (v *View) follows(shard uint32, r *Replica) bool {
	g := v.group(shard)
	if g == nil {
		return true
	}
	m := g.on(r.Node)
	return m != nil && m.Number == r.Number
}

// on returns the member on a node, nil for none.
func (g *Group) on(node string) *GroupMember {
	for i := range g.Members {
		if g.Members[i].Node == node {
			return &g.Members[i]
		}
	}
	return nil
}

func (g *Group) clone() *Group {
	out := *g
	out.Members = slices.Clone(g.Members)
	return &out
}

// quorate reports whether a majority of the voters answers.
func (g *Group) quorate(v *View) bool {
	voters, answer := 0, 0
	for i := range g.Members {
		if g.Members[i].Role != Voter {
			continue
		}
		voters++
		if v.reaches(g.Members[i].Node) {
			answer++
		}
	}
	return voters > 0 && 2*answer > voters
}

func (g *Group) voters() int {
	n := 0
	for i := range g.Members {
		if g.Members[i].Role == Voter {
			n++
		}
	}
	return n
}

// carry does to the members what raft does in a step.
func (g *Group) carry(s Step) {
	at := slices.IndexFunc(g.Members, func(m GroupMember) bool { return m.Node == s.Node && m.Number == s.Number })
	switch s.Kind {
	case AddLearner:
		if at < 0 {
			g.Members = append(g.Members, GroupMember{Node: s.Node, Number: s.Number, Role: Learner})
		}
	case CatchUp:
		if at >= 0 {
			g.Members[at].CaughtUp = true
		}
	case Promote:
		if at >= 0 {
			g.Members[at].Role = Voter
		}
	case Demote:
		if at >= 0 {
			g.Members[at].Role = Learner
		}
	case Remove:
		if at >= 0 {
			g.Members = slices.Delete(g.Members, at, at+1)
		}
	case Transfer:
		g.Leader = s.Node
	}
}
