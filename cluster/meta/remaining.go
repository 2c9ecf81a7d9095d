package meta

import (
	"slices"

	"holdfast/cluster/placement"
)

// Wait says why a step cannot be carried out yet.
type Wait uint8

const (
	// Ready is a step that can be carried out.
	Ready Wait = iota
	// AwaitCaughtUp waits for the replica.
	AwaitCaughtUp
	// AwaitNode waits for the replica's node to answer.
	AwaitNode
	// AwaitLeader waits for the group to have a leader.
	AwaitLeader
	// AwaitQuorum waits for voters to answer: the group would have no majority of voters that do.
	AwaitQuorum
	// AwaitVoter waits for another voter: the group would have none.
	AwaitVoter
	// AwaitMeta waits for the node to follow the meta group, from which it learns what it should have.
	AwaitMeta
	// AwaitOthers waits for the other groups' steps.
	AwaitOthers
)

var waitNames = [...]string{
	AwaitCaughtUp: "the replica trails", AwaitNode: "the node does not answer", AwaitLeader: "the group has no leader",
	AwaitQuorum: "too few voters answer", AwaitVoter: "it is the last voter", AwaitMeta: "the node does not follow the meta group yet",
	AwaitOthers: "other steps come first",
}

// String returns the reason, "ready" for none.
func (w Wait) String() string {
	if w == Ready {
		return "ready"
	}
	return nameOf(waitNames[:], int(w), "Wait")
}

// Due is a step that remains to be done.
type Due struct {
	Step Step
	Wait Wait
	// Index is that of the configuration which a change of members must find (prevIndex). It counts for what Next returns.
	Index uint64
}

// Remains is what is left to do until the groups are as the table says.
type Remains struct {
	// Steps is in the order in which they are shown; of each group's only the first can be next.
	Steps []Due
	// Unseen holds the shards that the view says nothing of.
	Unseen []uint32
	// Lost holds replicas that should be there, were once, and are not: somebody's late step took them out after their change was aborted. Their
	// raft ids are used up. The next plan gives each a new number; these are the plans to make when no other is under way. A change that cannot go
	// on without one of them has to be aborted.
	Lost []Want
}

// Remaining returns what is left to do, from what the groups really are: it does not matter who did what so far, and how often. With a change
// under way that includes the spreading of leadership, and at last to forget a leaving node.
func Remaining(c *Cluster, v View) Remains {
	p := planner{cluster: c, view: &v, change: c.UnderWay()}
	p.heirs = p.leaders()
	return p.remaining()
}

// Next returns the steps that can be carried out now, at most one of each group. Different groups' may go at the same time.
func (r *Remains) Next() []Due {
	var next []Due
	var seen []uint32
	for _, d := range r.Steps {
		if slices.Contains(seen, d.Step.Shard) && d.Step.Kind != Forget {
			continue
		}
		seen = append(seen, d.Step.Shard)
		if d.Wait == Ready {
			next = append(next, d)
		}
	}
	return next
}

// Done reports whether nothing is left but to end the change with a Finish.
func (r *Remains) Done() bool {
	for _, d := range r.Steps {
		if d.Step.Kind != Forget {
			return false
		}
	}
	return len(r.Unseen) == 0
}

// Settled returns the steps of a change that were not reported done and do not remain: whoever drives it reports them.
func (r *Remains) Settled(c *Change) []Step {
	var settled []Step
	for i := range c.Steps {
		step := c.Steps[i].Step
		left := slices.ContainsFunc(r.Steps, func(d Due) bool { return d.Step == step }) || slices.Contains(r.Unseen, step.Shard)
		if c.Steps[i].State == StepOpen && !left {
			settled = append(settled, step)
		}
	}
	return settled
}

type planner struct {
	cluster *Cluster
	view    *View
	change  *Change // nil when none is under way
	// heirs holds who should lead each data shard once all is done, so that leadership moves once and not twice.
	heirs map[uint32]string
	// final holds the groups as they will be.
	final []*Group
}

func (p *planner) remaining() Remains {
	var r Remains
	var metaFirst, metaLast, moves []Due
	for i := range p.cluster.Shards {
		shard := &p.cluster.Shards[i]
		g := p.view.group(shard.ID)
		if g == nil {
			r.Unseen = append(r.Unseen, shard.ID)
			continue
		}
		r.Lost = append(r.Lost, p.lost(g, shard)...)
		steps := p.group(g.clone(), shard)
		if shard.ID != 0 {
			moves = append(moves, steps...)
			continue
		}
		cut := len(steps)
		for cut > 0 && sheds(steps[cut-1].Step.Kind) {
			cut--
		}
		metaFirst, metaLast = steps[:cut], steps[cut:]
	}
	p.gateAdditions(moves)
	if len(moves) > 0 || slices.ContainsFunc(r.Unseen, func(s uint32) bool { return s != 0 }) {
		hold(metaLast)
	}
	r.Steps = slices.Concat(metaFirst, moves, metaLast)
	r.Steps = append(r.Steps, p.closing(len(r.Steps) > 0 || len(r.Unseen) > 0)...)
	return r
}

// sheds reports whether a step takes something away. The meta group's come last: a node needs the table for as long as it has a replica.
func sheds(k StepKind) bool { return k == Transfer || k == Demote || k == Remove }

func hold(steps []Due) {
	for i := range steps {
		if steps[i].Wait == Ready {
			steps[i].Wait = AwaitOthers
		}
	}
}

// gateAdditions holds back new replicas on nodes that do not follow the meta group yet.
func (p *planner) gateAdditions(steps []Due) {
	meta := p.view.group(0)
	for i := range steps {
		if steps[i].Step.Kind != AddLearner || steps[i].Wait != Ready {
			continue
		}
		if meta == nil || meta.on(steps[i].Step.Node) == nil || !meta.on(steps[i].Step.Node).CaughtUp {
			steps[i].Wait = AwaitMeta
		}
	}
}

// group returns the steps of one group, by carrying each out on a copy of it until none is left.
func (p *planner) group(g *Group, want *Shard) []Due {
	var steps []Due
	for {
		step, left := p.next(g, want)
		if !left {
			p.final = append(p.final, g)
			return steps
		}
		step.Shard = g.Shard
		steps = append(steps, Due{Step: step, Wait: p.wait(g, step), Index: g.Index})
		g.carry(step)
	}
}

// next returns the next step of a group. It looks at nothing but the members, their progress and the leader, so it cannot depend on who did
// the steps before it. The order: what is in the way goes, what is missing comes, all that should vote catch up before the first gets its
// vote (rule R22: from one voter to three at once), and only then anybody goes or loses a vote.
func (p *planner) next(g *Group, want *Shard) (Step, bool) {
	for _, m := range g.Members {
		if r := want.On(m.Node); r != nil && r.Number != m.Number && p.fresh(want.ID, *r) {
			return p.shed(g, want, m), true
		}
	}
	for _, r := range want.Replicas {
		if g.on(r.Node) == nil && p.fresh(want.ID, r) {
			return Step{Kind: AddLearner, Node: r.Node, Number: r.Number}, true
		}
	}
	var promote *Step
	for _, r := range want.Replicas {
		m := g.on(r.Node)
		switch {
		case m == nil || m.Role == Voter || m.Number != r.Number:
		case !m.CaughtUp && (r.Role == Voter || p.fresh(want.ID, r)):
			return Step{Kind: CatchUp, Node: r.Node, Number: r.Number}, true
		case r.Role == Voter && promote == nil:
			promote = &Step{Kind: Promote, Node: r.Node, Number: r.Number}
		}
	}
	if promote != nil {
		return *promote, true
	}
	if m := p.surplus(g, want); m != nil {
		return p.shed(g, want, *m), true
	}
	return Step{}, false
}

// lost returns the replicas that are not in their group and did not come with the change that is under way.
func (p *planner) lost(g *Group, want *Shard) []Want {
	var lost []Want
	for _, r := range want.Replicas {
		if m := g.on(r.Node); (m == nil || m.Number != r.Number) && !p.fresh(want.ID, r) {
			lost = append(lost, Want{Kind: Rebuilding, Node: r.Node, Shard: want.ID})
		}
	}
	for i := range p.cluster.Nodes {
		// The replacement of its replica of the meta group was aborted half-way: any plan gives it one.
		if n := &p.cluster.Nodes[i]; want.ID == 0 && n.State == Member && want.On(n.ID) == nil {
			lost = append(lost, Want{Kind: Balancing})
		}
	}
	return lost
}

// fresh reports whether a replica came with the change that is under way. No other is added to a group: its raft id was used before.
func (p *planner) fresh(shard uint32, r Replica) bool {
	return p.change != nil && !p.change.Before[shard].has(r.Node, r.Number)
}

// surplus returns a member that should not be one, or a voter that should not vote: learners first, then nodes that do not answer, the leader
// last.
func (p *planner) surplus(g *Group, want *Shard) *GroupMember {
	var best *GroupMember
	cost := func(m *GroupMember) int {
		switch {
		case m.Role == Learner:
			return 0
		case m.Node == g.Leader:
			return 3
		case p.view.reaches(m.Node):
			return 2
		}
		return 1
	}
	for i := range g.Members {
		m := &g.Members[i]
		if want.has(m.Node, m.Number) && (m.Role == Learner || want.On(m.Node).Role == Voter) {
			continue
		}
		if best == nil || cost(m) < cost(best) || cost(m) == cost(best) && m.Node < best.Node {
			best = m
		}
	}
	return best
}

// shed returns the step that takes a member away, or its vote; a leader hands over first when there is anybody else.
func (p *planner) shed(g *Group, want *Shard, m GroupMember) Step {
	if g.Leader == m.Node && m.Role == Voter {
		if heir := p.heir(g, want, m.Node); heir != nil {
			return Step{Kind: Transfer, Node: heir.Node, Number: heir.Number}
		}
	}
	if want.has(m.Node, m.Number) {
		return Step{Kind: Demote, Node: m.Node, Number: m.Number}
	}
	return Step{Kind: Remove, Node: m.Node, Number: m.Number}
}

// heir returns the voter that should lead when a node no longer does: one that stays and answers, if possible.
func (p *planner) heir(g *Group, want *Shard, not string) *GroupMember {
	var voters, stay, answer []string
	for _, m := range g.Members {
		if m.Role != Voter || m.Node == not {
			continue
		}
		voters = append(voters, m.Node)
		r := want.On(m.Node)
		stays := r != nil && r.Role == Voter && r.Number == m.Number
		if stays {
			stay = append(stay, m.Node)
		}
		if stays && p.view.reaches(m.Node) {
			answer = append(answer, m.Node)
		}
	}
	chosen := placement.Voters(g.Shard, voters, 1, []string{p.heirs[g.Shard]}, answer, stay)
	if len(chosen) == 0 {
		return nil
	}
	return g.on(chosen[0])
}

// wait says whether a step can be carried out on the group as it is.
func (p *planner) wait(g *Group, s Step) Wait {
	answers := p.view.reaches(s.Node)
	if s.Kind == CatchUp {
		if !answers {
			return AwaitNode
		}
		return AwaitCaughtUp
	}
	after := g.clone()
	after.carry(s)
	switch {
	case after.voters() == 0:
		return AwaitVoter
	case !g.quorate(p.view), !after.quorate(p.view):
		return AwaitQuorum
	case !answers && (s.Kind == AddLearner || s.Kind == Promote || s.Kind == Transfer):
		return AwaitNode
	case g.Leader == "":
		return AwaitLeader
	}
	return Ready
}
