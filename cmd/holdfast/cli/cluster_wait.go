package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
)

// lookAgain is the pause between two looks at a change.
const lookAgain = 200 * time.Millisecond

// notKnownYet is how long a node may not know of a change that has begun: another one, behind the same address, was told.
const notKnownYet = 5 * time.Second

// carryOut asks for a plan, and waits until the change that carries it out has ended.
func (a *app) carryOut(ctx context.Context, r *remote, p *planned, ask func(context.Context, *client.Client) (topology.Plan, error)) error {
	var plan topology.Plan
	err := r.call(ctx, func(ctx context.Context, c *client.Client) (err error) {
		plan, err = ask(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case len(plan.Plan) == 0:
		a.note("There is nothing to do.")
		if a.output != "json" {
			return nil
		}
		return a.print(plan, planTable(plan))
	case p.dryRun:
		a.note("A dry run: nothing was changed.")
		return a.print(plan, planTable(plan))
	case p.noWait:
		a.note("Change %s has begun; 'holdfast cluster status' shows how it goes.", plan.Change)
		return a.print(plan, planTable(plan))
	}
	a.note("Change %s has begun, in %d steps.", plan.Change, len(plan.Plan))
	change, err := a.await(ctx, r, plan.Change)
	if err != nil {
		return err
	}
	if err := a.print(change, changeTable(change)); err != nil {
		return err
	}
	if change.State != topology.Completed {
		return fmt.Errorf("change %s was %s: %s", change.ID, change.State, orDash(change.Reason))
	}
	return nil
}

func planTable(p topology.Plan) table {
	t := table{head: []string{"STEP"}}
	for _, step := range p.Plan {
		t.rows = append(t.rows, []string{step})
	}
	return t
}

// await looks at a change until it has ended, and tells of its steps. A node that does not answer is asked again for as long as a call may take: in
// the middle of a change leaders move. What comes of the change does not depend on who looks.
func (a *app) await(ctx context.Context, r *remote, id string) (topology.Change, error) {
	told := map[string]string{}
	heard, seen := time.Now(), false
	for {
		var o topology.Overview
		err := r.call(ctx, func(ctx context.Context, c *client.Client) (err error) {
			o, err = c.Cluster(ctx)
			return err
		})
		if err != nil && (client.IsRefused(err) || ctx.Err() != nil || time.Since(heard) > r.timeout) {
			return topology.Change{}, exitWith(codeOf(err, true), fmt.Errorf("change %s goes on, but it cannot be looked at any more: %w", id, err))
		}
		if err == nil {
			change, running, found := changeIn(o, id)
			switch {
			case found:
				heard, seen = time.Now(), true
			case seen || time.Since(heard) > notKnownYet:
				return change, fmt.Errorf("change %s is not known any more; 'holdfast cluster status' shows what became of it", id)
			}
			if a.tell(change, told); found && !running {
				return change, nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// changeIn finds a change among those under way, and those that ended.
func changeIn(o topology.Overview, id string) (change topology.Change, running, found bool) {
	named := func(c topology.Change) bool { return c.ID == id }
	if i := slices.IndexFunc(o.Changes, named); i >= 0 {
		return o.Changes[i], true, true
	}
	if i := slices.IndexFunc(o.Ended, named); i >= 0 {
		return o.Ended[i], false, true
	}
	return change, false, false
}

// tell notes each step that was done or failed since it was told of last.
func (a *app) tell(c topology.Change, told map[string]string) {
	for i, s := range c.Steps {
		if s.State == topology.StepOpen || told[s.Step] == s.State+s.Reason {
			continue
		}
		told[s.Step] = s.State + s.Reason
		why := ""
		if s.Reason != "" {
			why = ": " + s.Reason
		}
		a.note("[%d/%d] %s: %s%s", i+1, c.StepsTotal, s.State, s.Step, why)
	}
}
