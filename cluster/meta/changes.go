package meta

import (
	"slices"
)

// begin takes over what a plan says, once it is sure that the plan is about the present state and could be right.
func (s *State) begin(c *Begin) Outcome {
	if running := s.cluster.UnderWay(); running != nil {
		return refuseWith(ChangeUnderWay, Detail{Change: running.ID})
	}
	if c.Base != s.cluster.Version {
		return refuse(StalePlan)
	}
	if out := s.checkBegin(c); out.Code != OK {
		return out
	}
	change := Change{
		ID: s.cluster.NextChange, Kind: c.What, Node: c.Node, Shard: c.Shard, State: Running, Began: s.now, Before: s.cluster.Shards,
	}
	for _, step := range c.Steps {
		change.Steps = append(change.Steps, StepReport{Step: step, State: StepOpen})
	}
	for _, shard := range c.Shards {
		for _, r := range shard.Replicas {
			s.cluster.NextReplica = max(s.cluster.NextReplica, r.Number+1)
		}
	}
	if c.What == RemovingNode {
		s.cluster.Node(c.Node).State = Leaving
	}
	s.cluster.Shards = cloneShards(c.Shards)
	s.cluster.Changes = append(s.cluster.Changes, change)
	s.cluster.NextChange++
	return Outcome{Code: OK, Change: change.ID}
}

func (s *State) checkBegin(c *Begin) Outcome {
	leaving := ""
	switch c.What {
	case AddingNode, RemovingNode:
		if s.cluster.Node(c.Node) == nil {
			return refuseWith(UnknownNode, Detail{Node: c.Node})
		}
		if c.What == RemovingNode {
			leaving = c.Node
		}
	case Rebuilding:
		shard := s.cluster.Shard(c.Shard)
		if shard == nil || shard.On(c.Node) == nil {
			return refuseWith(UnknownShard, Detail{Shard: c.Shard, Node: c.Node})
		}
	case Balancing:
	default:
		return invalid("what", "must be a kind of change")
	}
	next := s.cluster.NextReplica
	for i := range c.Shards {
		if out := s.checkShard(&c.Shards[i], i, leaving, &next); out.Code != OK {
			return out
		}
	}
	if len(c.Shards) != len(s.cluster.Shards) {
		return invalid("shards", "must be all of them")
	}
	return Outcome{Code: OK}
}

// checkShard holds a shard of a plan against the present one. New replicas must be numbered on from next, in order.
func (s *State) checkShard(shard *Shard, at int, leaving string, next *uint64) Outcome {
	if out := s.checkReplicas(shard, at); out.Code != OK {
		return out
	}
	present := &s.cluster.Shards[at]
	for _, r := range shard.Replicas {
		if r.Node == leaving {
			return refuseWith(NodeLeaving, Detail{Node: r.Node})
		}
		switch {
		case present.has(r.Node, r.Number):
		case r.Number == *next:
			*next++
		default:
			return invalid("shards", "must number new replicas on from the last")
		}
	}
	return Outcome{Code: OK}
}

// checkReplicas holds the invariants of a shard.
func (s *State) checkReplicas(shard *Shard, at int) Outcome {
	if at >= len(s.cluster.Shards) || shard.ID != uint32(at) {
		return invalid("shards", "must be all of them, by id")
	}
	voters := 0
	for i, r := range shard.Replicas {
		switch {
		case s.cluster.Node(r.Node) == nil:
			return refuseWith(UnknownNode, Detail{Node: r.Node})
		case i > 0 && shard.Replicas[i-1].Node >= r.Node:
			return invalid("shards", "must have one replica a node, by id")
		case r.Role != Voter && r.Role != Learner:
			return invalid("shards", "must say whether a replica votes")
		}
		if r.Role == Voter {
			voters++
		}
	}
	if voters == 0 {
		return refuseWith(LastVoter, Detail{Shard: shard.ID})
	}
	return Outcome{Code: OK}
}

// running returns the change of that id if it is under way. One that ended already is answered: as wanted when it ended so, else refused.
func (s *State) running(id ChangeID, ended ChangeState) (*Change, Outcome) {
	c := s.cluster.Change(id)
	switch {
	case c == nil:
		return nil, refuseWith(UnknownChange, Detail{Change: id})
	case c.State == ended:
		return nil, Outcome{Code: OK, Replayed: true, Change: id}
	case c.State != Running:
		return nil, refuseWith(ChangeEnded, Detail{Change: id})
	}
	return c, Outcome{Code: OK, Change: id}
}

// report notes what became of a step. Done is final; a step that was not in the plan is noted behind it.
func (s *State) report(c *Report) Outcome {
	change, out := s.running(c.Change, 0)
	if change == nil {
		return out
	}
	if c.State != StepDone && c.State != StepFailed {
		return invalid("state", "must be done or failed")
	}
	if at := change.report(c.Step); at != nil {
		out.Replayed = at.State == StepDone || at.State == c.State && at.Reason == c.Reason
		if !out.Replayed {
			at.State, at.Reason = c.State, c.Reason
		}
		return out
	}
	if len(change.Steps) >= MaxSteps {
		out.Replayed = true // It is for show; the change goes on without.
		return out
	}
	change.Steps = append(change.Steps, StepReport{Step: c.Step, State: c.State, Reason: c.Reason})
	return out
}

// finish ends a change: joining nodes that have a replica are members, a leaving one is forgotten.
func (s *State) finish(c *Finish) Outcome {
	change, out := s.running(c.Change, Completed)
	if change == nil {
		return out
	}
	if change.Kind == RemovingNode {
		s.retire(change.Node)
	}
	for i := range change.Steps {
		if change.Steps[i].State == StepOpen {
			change.Steps[i].State = StepDone
		}
	}
	s.settle()
	s.end(change, Completed, "")
	return out
}

// abort ends a change where it is.
func (s *State) abort(c *Abort) Outcome {
	change, out := s.running(c.Change, Aborted)
	if change == nil {
		return out
	}
	if len(c.Shards) != len(s.cluster.Shards) {
		return invalid("shards", "must be all of them")
	}
	for i := range c.Shards {
		if out := s.checkReplicas(&c.Shards[i], i); out.Code != OK {
			return out
		}
		for _, r := range c.Shards[i].Replicas {
			if !change.Before[i].has(r.Node, r.Number) && !s.cluster.Shards[i].has(r.Node, r.Number) {
				return invalid("shards", "must be from before the change or from its plan")
			}
		}
	}
	s.cluster.Shards = cloneShards(c.Shards)
	if n := s.cluster.Node(change.Node); n != nil && n.State == Leaving {
		n.State = Member
	}
	s.settle()
	s.end(change, Aborted, c.Reason)
	return out
}

// retire forgets a node.
func (s *State) retire(id string) {
	s.cluster.Nodes = slices.DeleteFunc(s.cluster.Nodes, func(n Node) bool { return n.ID == id })
	s.cluster.Retired = append(s.cluster.Retired, id)
	if extra := len(s.cluster.Retired) - MaxRetired; extra > 0 {
		s.cluster.Retired = slices.Delete(s.cluster.Retired, 0, extra)
	}
}

// settle makes members of the joining nodes that have a replica of the meta group, and so a part in the table.
func (s *State) settle() {
	for i := range s.cluster.Nodes {
		n := &s.cluster.Nodes[i]
		if n.State == Joining && s.cluster.Shards[0].On(n.ID) != nil {
			n.State = Member
		}
	}
}

// end closes a change and forgets the oldest.
func (s *State) end(change *Change, state ChangeState, reason string) {
	change.State, change.Reason, change.Ended, change.Before = state, reason, s.now, nil
	if extra := len(s.cluster.Changes) - keptChanges; extra > 0 {
		s.cluster.Changes = slices.Delete(s.cluster.Changes, 0, extra)
	}
}
