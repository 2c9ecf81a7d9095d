package apitest

import (
	"context"
	"fmt"
	"slices"

	"holdfast/api/topology"
)

// plan begins a change that carries the steps out, unless there are none, or it is a dry run.
func (c *Cluster) plan(
	ctx context.Context, call string, change topology.Change, dryRun bool, steps func() []string,
) (topology.Plan, topology.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.refusal(ctx); r.Refused() {
		return topology.Plan{}, r
	}
	if len(c.overview.Changes) > 0 {
		id := c.overview.Changes[0].ID
		return topology.Plan{}, topology.Refusal{Code: topology.ChangeUnderWay, Text: "change " + id + " is under way",
			WayOut: "wait until it has ended, or abort it", Retryable: true}
	}
	number := c.number
	plan := topology.Plan{Plan: steps()}
	if dryRun || len(plan.Plan) == 0 {
		c.number = number
		return plan, topology.Refusal{}
	}
	c.calls = append(c.calls, call)
	c.changes++
	change.ID, change.State, change.BeganAt = fmt.Sprintf("c%d", c.changes), topology.Running, c.now()
	change.StepsTotal = len(plan.Plan)
	for _, step := range plan.Plan {
		change.Steps = append(change.Steps, topology.Step{Step: step, State: topology.StepOpen})
	}
	c.overview.Changes = append(c.overview.Changes, change)
	plan.Change = change.ID
	return plan, topology.Refusal{}
}

// step takes the change under way a step on, and ends it after the last.
func (c *Cluster) step() {
	if len(c.overview.Changes) == 0 {
		return
	}
	change := &c.overview.Changes[0]
	if change.StepsDone == change.StepsTotal {
		c.end(0, topology.Completed, "")
		return
	}
	change.Steps[change.StepsDone].State = topology.StepDone
	change.StepsDone++
}

func (c *Cluster) end(i int, state, reason string) topology.Change {
	ended := c.overview.Changes[i]
	ended.State, ended.Reason, ended.EndedAt, ended.Steps = state, reason, c.now(), nil
	c.overview.Changes = slices.Delete(slices.Clone(c.overview.Changes), i, i+1)
	c.overview.Ended = append(slices.Clone(c.overview.Ended), ended)
	return ended
}

// refusal is what a change is refused with.
func (c *Cluster) refusal(ctx context.Context) topology.Refusal {
	if ctx.Err() != nil {
		return topology.Refusal{Code: topology.DeadlineExceeded}
	}
	return c.Refuse
}

// undecided is what a look is refused with.
func (c *Cluster) undecided(ctx context.Context) topology.Refusal {
	switch r := c.refusal(ctx); r.Code {
	case topology.NoLeader, topology.DeadlineExceeded:
		return r
	}
	return topology.Refusal{}
}

// replica names the next replica on a node.
func (c *Cluster) replica(node string) string {
	c.number++
	return fmt.Sprintf("%s#%d", node, c.number)
}

func (c *Cluster) unknown(node string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !slices.ContainsFunc(c.overview.Nodes, func(n topology.Node) bool { return n.ID == node })
}

func unknownNode(node string) topology.Refusal {
	return topology.Refusal{Code: topology.UnknownNode, Text: "there is no node " + node, WayOut: "look at the ids that holdfast cluster nodes prints"}
}

func (c *Cluster) noShard(shard uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return shard < 1 || int(shard) > len(c.shards)
}

func unknownShard(shard uint32) topology.Refusal {
	return topology.Refusal{Code: topology.UnknownShard, Text: fmt.Sprintf("there is no shard %d", shard),
		WayOut: "look at what holdfast cluster shards prints"}
}
