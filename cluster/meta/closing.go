package meta

import "holdfast/cluster/placement"

// closing returns what a change ends with: leadership is spread over the nodes, and a leaving node is forgotten. Nothing else moves leadership
// by itself.
func (p *planner) closing(more bool) []Due {
	if p.change == nil {
		return nil
	}
	var steps []Due
	if p.change.Kind != Rebuilding {
		steps = p.spread()
	}
	if more {
		hold(steps)
	}
	if p.change.Kind == RemovingNode {
		forget := Due{Step: Step{Kind: Forget, Node: p.change.Node}}
		if more || len(steps) > 0 {
			forget.Wait = AwaitOthers
		}
		steps = append(steps, forget)
	}
	return steps
}

// leaders returns who should lead the data shards once their replicas are where they should be.
func (p *planner) leaders() map[uint32]string {
	table, present := make(placement.Table), make(map[uint32]string)
	for i := range p.cluster.Shards {
		shard := &p.cluster.Shards[i]
		if g := p.view.group(shard.ID); g != nil && shard.ID != 0 {
			table[shard.ID], present[shard.ID] = p.view.answering(shard.Nodes(Voter)), g.Leader
		}
	}
	return placement.Leaders(table, present)
}

// spread returns the transfers that make the numbers of led data shards as even as the voters that answer allow. A transfer that was reported
// failed is given up: evenness is not worth a change that never ends.
func (p *planner) spread() []Due {
	table, present := make(placement.Table), make(map[uint32]string)
	for _, g := range p.final {
		if g.Shard == 0 || g.Leader == "" {
			continue
		}
		present[g.Shard] = g.Leader
		for _, m := range g.Members {
			if m.Role == Voter && p.view.reaches(m.Node) {
				table[g.Shard] = append(table[g.Shard], m.Node)
			}
		}
	}
	leaders := placement.Leaders(table, present)
	var steps []Due
	for _, g := range p.final {
		to, ok := leaders[g.Shard]
		if !ok || to == g.Leader || g.Shard == 0 {
			continue
		}
		step := Step{Kind: Transfer, Shard: g.Shard, Node: to, Number: g.on(to).Number}
		if r := p.change.report(step); r != nil && r.State == StepFailed {
			continue
		}
		steps = append(steps, Due{Step: step, Wait: p.wait(g, step), Index: g.Index})
	}
	return steps
}
