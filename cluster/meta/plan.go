package meta

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Plan is how a change would be carried out, as it is shown before and recorded when it begins.
type Plan struct {
	Want Want
	// Base is the version of the cluster that it was made for.
	Base   uint64
	Shards []Shard
	Steps  []Step
}

// NewPlan plans a change. It depends on its arguments alone. Refusals: ChangeUnderWay, UnknownNode, NodeLeaving, UnknownShard, LastVoter,
// QuorumLoss (with the nodes that answer now), Unreachable, ShardUnseen. To plan for a node that is not added yet, use Cluster.With.
func NewPlan(c *Cluster, v View, w Want) (Plan, Outcome) {
	if out := c.mayBegin(&v, w); out.Code != OK {
		return Plan{}, out
	}
	shards, out := c.target(&v, w)
	if out.Code != OK {
		return Plan{}, out
	}
	after := c.clone()
	after.Shards = shards
	after.Changes = append(after.Changes, Change{Kind: w.Kind, Node: w.Node, Shard: w.Shard, State: Running, Before: c.Shards})
	left := Remaining(after, v)
	if out := left.refusal(); out.Code != OK {
		return Plan{}, out
	}
	plan := Plan{Want: w, Base: c.Version, Shards: shards}
	for _, d := range left.Steps {
		plan.Steps = append(plan.Steps, d.Step)
	}
	return plan, Outcome{Code: OK}
}

func (c *Cluster) mayBegin(v *View, w Want) Outcome {
	running := c.UnderWay()
	switch {
	case !c.Created():
		return refuse(NotCreated)
	case running != nil:
		return refuseWith(ChangeUnderWay, Detail{Change: running.ID})
	case w.Kind < AddingNode || w.Kind > Rebuilding:
		return invalid("kind", "must be a kind of change")
	case w.Kind != Balancing && c.Node(w.Node) == nil:
		return refuseWith(UnknownNode, Detail{Node: w.Node})
	case (w.Kind == AddingNode || w.Kind == Rebuilding) && !v.reaches(w.Node):
		return refuseWith(Unreachable, Detail{Node: w.Node})
	}
	return Outcome{Code: OK}
}

// refusal returns why a plan must not begin.
func (r *Remains) refusal() Outcome {
	if len(r.Unseen) > 0 {
		return refuseWith(ShardUnseen, Detail{Shard: r.Unseen[0]})
	}
	for _, d := range r.Steps {
		switch d.Wait {
		case AwaitVoter:
			return refuseWith(LastVoter, Detail{Shard: d.Step.Shard})
		case AwaitQuorum:
			return refuseWith(QuorumLoss, Detail{Shard: d.Step.Shard})
		case AwaitNode:
			return refuseWith(Unreachable, Detail{Node: d.Step.Node})
		}
	}
	return Outcome{Code: OK}
}

// With returns the cluster as it would be with a node added, for a plan that is only shown, or the refusal.
func (c *Cluster) With(a *AddNode) (*Cluster, Outcome) {
	s := State{cluster: *c.clone()}
	out := s.addNode(a)
	return &s.cluster, out
}

// Begin returns the command that starts the change.
func (p *Plan) Begin(k Keyed) *Begin {
	return &Begin{
		Keyed: k, What: p.Want.Kind, Node: p.Want.Node, Shard: p.Want.Shard, Base: p.Base, Shards: some(p.Shards), Steps: some(p.Steps),
	}
}

// Text returns the plan as lines.
func (p *Plan) Text() string {
	if len(p.Steps) == 0 {
		return "nothing to do\n"
	}
	var b strings.Builder
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%3d  %v\n", i+1, s)
	}
	return b.String()
}

// Answer is what the API says about a plan: Change is "" when it was only shown.
type Answer struct {
	Plan   []Step `json:"plan"`
	Change string `json:"change,omitempty"`
}

// Answer returns what the API says about the plan; id is 0 when it is only shown.
func (p *Plan) Answer(id ChangeID) Answer {
	a := Answer{Plan: append([]Step{}, p.Steps...)}
	if id != 0 {
		a.Change = id.String()
	}
	return a
}

// MarshalJSON returns {"step","shard","node","replica","text"}; shard and replica are absent from a step that is about a node only.
func (s Step) MarshalJSON() ([]byte, error) {
	shown := struct {
		Step    string  `json:"step"`
		Shard   *uint32 `json:"shard,omitempty"`
		Node    string  `json:"node"`
		Replica string  `json:"replica,omitempty"`
		Text    string  `json:"text"`
	}{Step: s.Kind.String(), Node: s.Node, Text: s.String()}
	if s.Kind != Forget {
		shown.Shard, shown.Replica = &s.Shard, RaftID(s.Node, s.Number)
	}
	b, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("meta: encode step: %w", err)
	}
	return b, nil
}

// NewAbort returns the command that stops a change where its groups are: replicas that vote stay, learners stay where they are wanted as such,
// and the meta group's all stay, because their nodes go on following it. It refuses while the view does not show every group.
func NewAbort(c *Cluster, v View, k Keyed, id ChangeID, reason string) (*Abort, Outcome) {
	change := c.Change(id)
	switch {
	case change == nil:
		return nil, refuseWith(UnknownChange, Detail{Change: id})
	case change.State != Running:
		return nil, refuseWith(ChangeEnded, Detail{Change: id})
	}
	a := &Abort{Keyed: k, Change: id, Reason: reason}
	for i := range c.Shards {
		g := v.group(uint32(i))
		if g == nil {
			return nil, refuseWith(ShardUnseen, Detail{Shard: uint32(i)})
		}
		a.Shards = append(a.Shards, stopped(g, &change.Before[i], &c.Shards[i]))
	}
	return a, Outcome{Code: OK}
}

// stopped returns the shard as its group is, without learners that were on their way to a vote.
func stopped(g *Group, before, wanted *Shard) Shard {
	out := Shard{ID: g.Shard}
	for _, m := range g.Members {
		known := before.has(m.Node, m.Number) || wanted.has(m.Node, m.Number)
		learns := func(s *Shard) bool { return s.has(m.Node, m.Number) && s.On(m.Node).Role == Learner }
		if known && (m.Role == Voter || g.Shard == 0 || learns(before) || learns(wanted)) {
			out.Replicas = append(out.Replicas, Replica{Node: m.Node, Number: m.Number, Role: m.Role})
		}
	}
	sortReplicas(out.Replicas)
	return out
}
