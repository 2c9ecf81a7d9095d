package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/cluster/meta"
	"holdfast/stock"
)

// AddNode plans the change that gives a node its replicas, and begins it unless dryRun. The driver does so by itself for every node that joins;
// this is for those who will not wait, or want to see the plan. A node that did not join yet can only be planned for, with its peer
// address: else ErrNotJoined.
func (c *Control) AddNode(ctx context.Context, id, peer string, dryRun bool) (meta.Answer, meta.Outcome, error) {
	table, err := c.current()
	if err != nil {
		return meta.Answer{}, meta.Outcome{}, err
	}
	want := meta.Want{Kind: meta.AddingNode, Node: id}
	if table.Node(id) != nil {
		return c.change(ctx, want, dryRun)
	}
	const drawn = 1 // It has none yet.
	after, out := table.With(&meta.AddNode{Node: id, Incarnation: drawn, Addresses: meta.Addresses{Peer: peer}, Binary: c.cfg.Binary})
	if out.Code != meta.OK {
		return meta.Answer{}, out, nil
	}
	if !dryRun {
		return meta.Answer{}, meta.Outcome{}, fmt.Errorf("%w: %w: %s", stock.ErrNotExecuted, ErrNotJoined, id)
	}
	v := c.view()
	plan, out := meta.NewPlan(after, meta.View{Groups: v.Groups, Reachable: append(v.Reachable, id)}, want)
	return plan.Answer(0), out, nil
}

// RemoveNode takes a node's replicas away and then the node, or shows how.
func (c *Control) RemoveNode(ctx context.Context, id string, dryRun bool) (meta.Answer, meta.Outcome, error) {
	return c.change(ctx, meta.Want{Kind: meta.RemovingNode, Node: id}, dryRun)
}

// Balance evens replicas and leaderships out, or shows how.
func (c *Control) Balance(ctx context.Context, dryRun bool) (meta.Answer, meta.Outcome, error) {
	return c.change(ctx, meta.Want{Kind: meta.Balancing}, dryRun)
}

// Rebuild replaces the replica of a shard on a node by a new one, or shows how.
func (c *Control) Rebuild(ctx context.Context, shard uint32, node string, dryRun bool) (meta.Answer, meta.Outcome, error) {
	return c.change(ctx, meta.Want{Kind: meta.Rebuilding, Node: node, Shard: shard}, dryRun)
}

// current returns the table, or why there is none, and asks the others first: what an operator wants rests on what is so now. A change that has begun
// through another node is known to the meta group's leader before it is known here.
func (c *Control) current() (*meta.Cluster, error) {
	if leader, address, _ := c.Leader(0); leader != "" && leader != c.cfg.NodeID {
		c.askTable(c.ctx, leader, address)
	}
	c.refresh()
	table := c.Cluster()
	if !table.Created() {
		return nil, fmt.Errorf("%w: %w", stock.ErrNotExecuted, ErrNoTable)
	}
	return table, nil
}

// refresh asks all others that answer how they are.
func (c *Control) refresh() {
	var others []string
	for _, n := range c.Nodes() {
		if n.Reachable && n.Node != c.cfg.NodeID {
			others = append(others, n.Node)
		}
	}
	c.measure(c.ctx, others, func() bool { return false })
}

// sameShards reports whether a plan leaves every replica where it should be already.
func sameShards(a, b []meta.Shard) bool {
	return slices.EqualFunc(a, b, func(a, b meta.Shard) bool { return slices.Equal(a.Replicas, b.Replicas) })
}

// change plans a change and begins it, unless there is nothing to do. A plan that something came between is made again. While another change gets on
// it waits for the end of that, until ctx ends: who just saw everything in its place is early by a moment.
func (c *Control) change(ctx context.Context, want meta.Want, dryRun bool) (meta.Answer, meta.Outcome, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for {
		changed := c.Changed()
		table, err := c.current()
		if err != nil {
			return meta.Answer{}, meta.Outcome{}, err
		}
		plan, out := meta.NewPlan(table, c.view().View, want)
		planned := out.Code == meta.OK
		if dryRun || !planned && out.Code != meta.ChangeUnderWay || planned && len(plan.Steps) == 0 && sameShards(plan.Shards, table.Shards) {
			return plan.Answer(0), out, nil
		}
		if planned {
			out, err = c.Do(ctx, plan.Begin(meta.Keyed{}))
		}
		switch {
		case err == nil && out.Code == meta.ChangeUnderWay:
			if !c.getsOn() {
				return plan.Answer(0), out, nil
			}
			c.awaitEnd(ctx, out.Detail.Change)
		case err == nil && out.Code == meta.StalePlan:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		default:
			c.awaitTable(ctx, func(t *meta.Cluster) bool { return err != nil || out.Code != meta.OK || t.Change(out.Change) != nil })
			return plan.Answer(out.Change), out, err
		}
		if ctx.Err() != nil || c.ctx.Err() != nil {
			return meta.Answer{}, out, nil
		}
	}
}

// getsOn reports whether a change that is under way waits for nothing that may not come: a node, or voters, that do not answer.
func (c *Control) getsOn() bool {
	left := meta.Remaining(c.Cluster(), c.view().View)
	return len(left.Lost) == 0 && !slices.ContainsFunc(left.Steps, func(d meta.Due) bool {
		return d.Wait == meta.AwaitNode || d.Wait == meta.AwaitQuorum || d.Wait == meta.AwaitVoter
	})
}

// awaitEnd waits for the end of a change, for so long that it is time to look whether it gets on.
func (c *Control) awaitEnd(ctx context.Context, id meta.ChangeID) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.IdleExchange)
	defer cancel()
	c.awaitTable(ctx, func(t *meta.Cluster) bool {
		change := t.Change(id)
		return change != nil && change.State != meta.Running
	})
}

// Abort stops a change where it is.
func (c *Control) Abort(ctx context.Context, id meta.ChangeID, reason string) (meta.Outcome, error) {
	table, err := c.current()
	if err != nil {
		return meta.Outcome{}, err
	}
	abort, out := meta.NewAbort(table, c.view().View, meta.Keyed{}, id, reason)
	if out.Code != meta.OK {
		return out, nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	out, err = c.Do(ctx, abort)
	if err == nil && out.Code == meta.OK {
		c.awaitTable(ctx, func(t *meta.Cluster) bool {
			change := t.Change(id)
			return change == nil || change.State != meta.Running
		})
	}
	return out, err
}

// SetSettings changes settings and returns all of them.
func (c *Control) SetSettings(ctx context.Context, patch meta.SettingsPatch) (meta.Settings, meta.Outcome, error) {
	out, err := c.Do(ctx, &meta.SetSettings{Patch: patch})
	if err != nil {
		return meta.Settings{}, out, err
	}
	set := patch.Over(c.Cluster().Settings)
	if out.Code == meta.OK {
		ctx, cancel := c.bounded(ctx)
		defer cancel()
		c.awaitTable(ctx, func(t *meta.Cluster) bool { return t.Settings == set })
	}
	return set, out, nil
}

// awaitTable waits until this node's table shows what the meta group's leader has answered, or ctx ends: who asks this node next wants to see it.
func (c *Control) awaitTable(ctx context.Context, shows func(*meta.Cluster) bool) {
	for {
		changed := c.Changed()
		if shows(c.Cluster()) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// AwaitSettings waits until the leader of every data shard has applied settings, or others have replaced them. It returns 0 then, and the first shard
// that lacks them when ctx ends before.
func (c *Control) AwaitSettings(ctx context.Context, set meta.Settings) (lacks uint32) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	tick := time.NewTicker(c.cfg.Poll)
	defer tick.Stop()
	for seen := false; ; {
		now := c.Cluster().Settings
		has := now.RetentionMS == set.RetentionMS && now.MaxOpenOrders == set.MaxOpenOrders
		if lacks = c.lacking(set); lacks == 0 || seen && !has {
			return 0
		}
		seen = seen || has
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lacks
		}
	}
}

// lacking returns the first data shard whose leader did not tell that it has applied settings, 0 for none.
func (c *Control) lacking(set meta.Settings) uint32 {
	nodes := c.Nodes()
	for shard := uint32(1); int(shard) < len(c.Cluster().Shards); shard++ {
		leader, _, _ := c.Leader(shard)
		at := slices.IndexFunc(nodes, func(n NodeStatus) bool { return n.Node == leader })
		if at < 0 {
			return shard
		}
		if r := nodes[at].Replica(shard); r == nil || r.RetentionMS != set.RetentionMS || r.MaxOpenOrders != set.MaxOpenOrders {
			return shard
		}
	}
	return 0
}
