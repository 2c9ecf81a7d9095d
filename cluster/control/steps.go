package control

import (
	"context"
	"slices"
	"time"

	"holdfast/cluster/meta"
)

// carry sets about the steps that can be carried out now, one of a shard at a time.
func (d *driver) carry(table *meta.Cluster, v *view, next []meta.Due) {
	for _, due := range next {
		g := v.groups[due.Step.Shard]
		address := ""
		if n := table.Node(due.Step.Node); n != nil {
			address = n.Peer
		}
		o, ok := orderOf(due, address)
		if !ok || g == nil || g.Leader == "" || !d.take(due.Step) {
			continue
		}
		leader := g.Leader
		if !d.c.begin(func() { d.step(leader, due.Step, o) }) {
			d.release(due.Step, nil)
		}
	}
}

// take reserves a shard for a step; false when there is one under way, too many are, or the step failed a moment ago.
func (d *driver) take(step meta.Step) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.steps[step.Shard] || len(d.steps) >= d.c.cfg.MaxStepsAtOnce {
		return false
	}
	if t := d.tries[step]; t != nil && d.c.cfg.Now().Before(t.after) {
		return false
	}
	d.steps[step.Shard] = true
	return true
}

// release gives the shard back and notes how the step went.
func (d *driver) release(step meta.Step, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.steps, step.Shard)
	d.again = true
	if err == nil {
		delete(d.tries, step)
		return
	}
	t := d.tries[step]
	if t == nil {
		t = &tried{}
		d.tries[step] = t
	}
	const most = 5 // doublings
	t.after = d.c.cfg.Now().Add(d.c.cfg.Retry << min(t.failures, most))
	t.failures++
	if reason := shortened(err.Error()); t.reason != reason && !t.told {
		t.reason = reason
	}
}

// step carries out one step at the group's leader. Before the shard is given back the nodes concerned are asked what came of it: the next step of
// the shard rests on that.
func (d *driver) step(leader string, step meta.Step, o order) {
	ctx, cancel := context.WithTimeout(d.c.ctx, d.c.cfg.StepTimeout)
	defer cancel()
	_, err := d.c.give(ctx, leader, o)
	result := "done"
	if err != nil {
		result = "failed"
		d.c.cfg.Logger.Warn("a step of a change failed, and is tried again", "step", step.String(), "leader", leader, "error", err)
	} else {
		d.c.cfg.Logger.Info("a step of a change is done", "step", step.String(), "leader", leader)
	}
	d.c.metrics.carried.WithLabelValues(result).Inc()
	d.c.hear(d.c.ctx, leader)
	if step.Kind == meta.Transfer {
		d.c.hear(d.c.ctx, step.Node)
	}
	d.release(step, err)
	d.c.Prompt()
}

// begin begins a change when one is needed: nodes wait for replicas, or replicas were lost.
func (d *driver) begin(table *meta.Cluster, v *view, left *meta.Remains, now time.Time) {
	d.stuck = time.Time{}
	want, ok := d.want(table, v, left, now)
	if wait := d.planned.Sub(now); !ok || wait > 0 && wait <= d.c.cfg.IdleExchange {
		return
	}
	plan, out := meta.NewPlan(table, v.View, want)
	if out.Code != meta.OK {
		d.planned = now.Add(d.c.cfg.IdleExchange)
		if text := out.Text(); text != d.refusal {
			d.refusal = text
			d.c.cfg.Logger.Warn("a change that is needed cannot begin", "kind", want.Kind.String(), "node", want.Node, "refusal", text)
		}
		return
	}
	d.refusal = ""
	d.planned = now.Add(d.c.cfg.Retry)
	d.send(func(ctx context.Context) {
		if out, err := d.propose(ctx, plan.Begin(meta.Keyed{})); err == nil && out.Code == meta.OK {
			d.c.cfg.Logger.Info("a change has begun",
				"change", out.Change.String(), "kind", want.Kind.String(), "node", want.Node, "steps", len(plan.Steps))
		}
	})
}

// want returns the change that is needed. Nodes that join wait a moment for each other; a replica counts as lost when it is missing for a while.
func (d *driver) want(table *meta.Cluster, v *view, left *meta.Remains, now time.Time) (meta.Want, bool) {
	reached := ""
	for _, id := range table.Joining() {
		if reached == "" && slices.Contains(v.Reachable, id) {
			reached = id
		}
	}
	if reached == "" {
		d.joining = time.Time{}
	} else if d.joining.IsZero() {
		d.joining = now
	}
	if reached != "" && now.Sub(d.joining) >= d.c.cfg.JoinWait {
		return meta.Want{Kind: meta.AddingNode, Node: reached}, true
	}
	if want, ok := lostOne(v, left); !ok {
		d.lost = time.Time{}
	} else if d.lost.IsZero() {
		d.lost = now
	} else if now.Sub(d.lost) >= d.c.cfg.NodeTimeout && reached == "" {
		return want, true
	}
	return meta.Want{}, false
}

// lostOne returns the change that replaces a lost replica, as the leader of its group sees it, on a node that answers.
func lostOne(v *view, left *meta.Remains) (meta.Want, bool) {
	for _, want := range left.Lost {
		if want.Kind != meta.Rebuilding {
			return want, true
		}
		g := v.groups[want.Shard]
		if g == nil || g.Leader == "" || !g.committed {
			continue
		}
		if slices.Contains(v.Reachable, want.Node) {
			return want, true
		}
	}
	return meta.Want{}, false
}

// waitsFor says what a change waits for.
func waitsFor(left *meta.Remains) string {
	for _, due := range left.Steps {
		if due.Wait != meta.Ready && due.Wait != meta.AwaitOthers {
			return shortened(due.Step.String() + ": " + due.Wait.String())
		}
	}
	return "nothing"
}

// unblock aborts a change that cannot go on because a replica was lost: it would wait for good.
func (d *driver) unblock(table *meta.Cluster, v *view, change *meta.Change, left *meta.Remains, now time.Time) {
	waits := waitsFor(left)
	if len(left.Lost) == 0 || len(left.Next()) > 0 || !d.idle() {
		d.stuck = time.Time{}
		return
	}
	if d.stuck.IsZero() || d.stuckOn != waits {
		d.stuck, d.stuckOn = now, waits
		return
	}
	if now.Sub(d.stuck) < d.c.cfg.StuckAfter {
		return
	}
	d.stuck = time.Time{}
	d.send(func(ctx context.Context) {
		abort, out := meta.NewAbort(table, v.View, meta.Keyed{}, change.ID, "a replica was lost and the change cannot go on: "+waits)
		if out.Code != meta.OK {
			return
		}
		if out, err := d.propose(ctx, abort); err == nil && out.Code == meta.OK {
			d.c.cfg.Logger.Warn("a change is aborted: a replica was lost, and it cannot go on", "change", change.ID.String(), "waits_for", waits)
		}
	})
}
