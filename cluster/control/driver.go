package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/cluster/meta"
	"holdfast/stock"
)

// driver carries changes out while this node leads the meta group. It keeps nothing that matters: what remains to be done is read from the groups
// each time, so whoever drives next goes on.
type driver struct {
	c *Control

	// Used by the loop only.
	term    uint64    // the term of the meta group that this node drives in, 0 for none
	full    time.Time // when all was looked at last although nothing seemed to happen
	joining time.Time // since when nodes wait for replicas
	lost    time.Time // since when replicas are lost and no change is under way
	stuck   time.Time // since when a change does not go on
	stuckOn string
	planned time.Time // no plan before
	refusal string    // why the last plan was refused
	asked   bool      // the table was told of this node's addresses and binary
	agreed  time.Time // no look at the clocks before

	mu sync.Mutex // guards what follows
	// steps holds the shards of which a step is under way.
	steps map[uint32]bool
	// sending says that a command is under way; one at a time.
	sending bool
	// again says that a step ended since all was looked at.
	again bool
	tries map[meta.Step]*tried
}

// tried is a step that failed.
type tried struct {
	failures int
	after    time.Time // not again before
	reason   string
	told     bool // the reason was reported
}

// givenUp is after how many failures a transfer that only spreads leadership is given up.
const givenUp = 3

func newDriver(c *Control) *driver {
	return &driver{c: c, steps: make(map[uint32]bool), tries: make(map[meta.Step]*tried)}
}

// look does what there is to do now. It never blocks.
func (d *driver) look() {
	shard, term := d.c.metaShard()
	if shard == nil || !shard.Leads(term) {
		d.rest()
		d.introduce()
		return
	}
	if d.term != term {
		d.rest()
		d.term, d.full = term, time.Time{}
	}
	if d.open(shard, term) {
		d.introduce()
		d.drive()
	}
}

// rest forgets what was found out while this node led.
func (d *driver) rest() {
	d.term, d.joining, d.lost, d.stuck, d.stuckOn, d.planned, d.refusal = 0, time.Time{}, time.Time{}, time.Time{}, "", time.Time{}, ""
	d.mu.Lock()
	clear(d.tries)
	d.mu.Unlock()
}

// open reports whether all that was committed in earlier terms has been applied here, and has it come about: an entry of this term comes after
// all of it. Log time goes on from there, if this machine's clock agrees with the others (rule R2).
func (d *driver) open(shard Shard, term uint64) bool {
	if _, ok := d.c.clock.now(term); ok {
		return true
	}
	if d.busy() {
		return false
	}
	m := d.c.machine.Load()
	if m == nil {
		return false
	}
	_, applied, last := m.position()
	if applied == term {
		d.agree(term, last)
		return false
	}
	d.send(func(ctx context.Context) {
		cmd, now, err := d.opening(last)
		if err == nil {
			_, err = d.c.put(ctx, shard, now, cmd)
		}
		if err != nil {
			d.c.cfg.Logger.Debug("the meta group's term was not opened", "term", term, "error", err)
		}
	})
	return false
}

// agree opens the term's clock when a majority agrees with it, and gives leadership away otherwise.
func (d *driver) agree(term uint64, last stock.Time) {
	now := d.c.cfg.Now()
	if wait := d.agreed.Sub(now); wait > 0 && wait <= d.c.cfg.IdleExchange {
		return
	}
	d.agreed = now.Add(d.c.cfg.Retry)
	d.send(func(ctx context.Context) {
		err := d.c.ClocksAgree(ctx, 0, d.c.cfg.MaxClockSkew)
		if err == nil {
			d.c.clock.open(term, last)
			return
		}
		d.c.cfg.Logger.Error("this node does not lead the meta group", "error", err)
		if _, err := d.c.give(ctx, d.c.cfg.NodeID, order{What: orderTransfer}); err != nil {
			d.c.cfg.Logger.Debug("leadership of the meta group was not given away", "error", err)
		}
	})
}

// opening returns the command that opens a term, and its time: the first is the cluster's creation, and all others change nothing, log time
// neither.
func (d *driver) opening(last stock.Time) (meta.Command, stock.Time, error) {
	cfg := &d.c.cfg
	if last == 0 {
		last = stock.TimeOf(cfg.Now())
	}
	var cmd meta.Command = &meta.Adopt{Node: cfg.NodeID, Incarnation: cfg.Incarnation, Binary: cfg.Binary}
	if table := d.c.Cluster(); !table.Created() && cfg.Create != nil {
		create := *cfg.Create
		cmd = &create
	}
	key, err := d.c.newKey()
	*cmd.Head() = meta.Keyed{Key: key, Deadline: last.Add(deadlineSlackMS)}
	return cmd, last, err
}

// busy reports whether a command is under way.
func (d *driver) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sending
}

// send runs something that sends commands, unless another is under way.
func (d *driver) send(do func(ctx context.Context)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sending {
		return
	}
	d.sending = d.c.begin(func() {
		ctx, cancel := context.WithTimeout(d.c.ctx, d.c.cfg.CommandTimeout)
		defer cancel()
		do(ctx)
		d.mu.Lock()
		d.sending = false
		d.mu.Unlock()
		d.c.Prompt()
	})
}

// propose sends one command to the log of this node's term.
func (d *driver) propose(ctx context.Context, cmd meta.Command) (meta.Outcome, error) {
	if err := d.c.complete(ctx, cmd.Head()); err != nil {
		return meta.Outcome{}, err
	}
	out, err := d.c.propose(ctx, cmd)
	switch {
	case err != nil:
		d.c.cfg.Logger.Debug("a command of the driver has no outcome", "command", fmt.Sprintf("%T", cmd), "error", err)
	case out.Code != meta.OK:
		d.c.cfg.Logger.Debug("a command of the driver was refused", "command", fmt.Sprintf("%T", cmd), "refusal", out.Text())
	}
	return out, err
}

// introduce tells the meta group where this node is reached and what it runs, when the table says otherwise. Any node does it, for itself.
func (d *driver) introduce() {
	cfg := &d.c.cfg
	n := d.c.Cluster().Node(cfg.NodeID)
	if d.asked || n == nil {
		return
	}
	if n.Addresses == cfg.Addresses && n.Binary == cfg.Binary {
		return // Looked at again with every new table: a copy of an old one may say so.
	}
	if leader, _, _ := d.c.Leader(0); leader == "" {
		return
	}
	moved, adopts := n.Addresses != cfg.Addresses, n.Binary != cfg.Binary
	d.asked = d.c.begin(func() {
		if moved {
			d.tell(&meta.UpdateNode{Node: cfg.NodeID, Incarnation: cfg.Incarnation, Addresses: cfg.Addresses})
		}
		if adopts {
			d.tell(&meta.Adopt{Node: cfg.NodeID, Incarnation: cfg.Incarnation, Binary: cfg.Binary})
		}
	})
}

// tell sends a command that a node gives about itself until it is answered.
func (d *driver) tell(cmd meta.Command) {
	for d.c.ctx.Err() == nil {
		out, err := d.c.Do(d.c.ctx, cmd)
		switch {
		case err != nil:
			*cmd.Head() = meta.Keyed{} // Said twice is said once.
			d.c.pause(d.c.ctx)
			continue
		case out.Code != meta.OK:
			d.c.cfg.Logger.Error("the cluster does not take what this node says of itself", "refusal", out.Text(), "way_out", out.WayOut())
		}
		return
	}
}

// drive compares what should be with what is, and sets about the rest.
func (d *driver) drive() {
	table, now := d.c.Cluster(), d.c.cfg.Now()
	if !table.Created() || !d.due(table, now) {
		return
	}
	v := d.c.view()
	left := meta.Remaining(table, v.View)
	d.carry(table, v, left.Next())
	change := table.UnderWay()
	switch {
	case d.busy():
	case change == nil:
		d.begin(table, v, &left, now)
	case left.Done() && d.idle():
		d.send(func(ctx context.Context) { d.finish(ctx, change) })
	default:
		d.tellOf(change, &left)
		d.unblock(table, v, change, &left, now)
	}
}

// finish ends a change of which nothing is left to do.
func (d *driver) finish(ctx context.Context, change *meta.Change) {
	if out, err := d.propose(ctx, &meta.Finish{Change: change.ID}); err == nil && out.Code == meta.OK {
		d.c.cfg.Logger.Info("a change is completed", "change", change.ID.String(), "kind", change.Kind.String(), "node", change.Node)
	}
}

// due reports whether there may be anything to do. When nothing seems to happen all is looked at now and then only.
func (d *driver) due(table *meta.Cluster, now time.Time) bool {
	if table.UnderWay() != nil || len(table.Joining()) > 0 || !d.lost.IsZero() {
		return true
	}
	d.mu.Lock()
	again := d.again
	d.again = false
	d.mu.Unlock()
	if again {
		return true
	}
	const idle = 5 // of IdleExchange
	if since := now.Sub(d.full); since >= 0 && since < idle*d.c.cfg.IdleExchange {
		return false
	}
	d.full = now
	return true
}

// idle reports whether no step is under way.
func (d *driver) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.steps) == 0
}

// tellOf reports the steps that are done, and why others failed, for show. A transfer that failed often is given up by it.
func (d *driver) tellOf(change *meta.Change, left *meta.Remains) {
	const most = 16 // at a time
	var reports []*meta.Report
	for _, step := range left.Settled(change) {
		if len(reports) < most {
			reports = append(reports, &meta.Report{Change: change.ID, Step: step, State: meta.StepDone})
		}
	}
	d.mu.Lock()
	for step, t := range d.tries {
		remains := slices.ContainsFunc(left.Steps, func(due meta.Due) bool { return due.Step == step })
		if remains && !t.told && t.failures >= givenUp && len(reports) < most {
			t.told = true
			reports = append(reports, &meta.Report{Change: change.ID, Step: step, State: meta.StepFailed, Reason: t.reason})
		}
	}
	d.mu.Unlock()
	if len(reports) == 0 {
		return
	}
	d.send(func(ctx context.Context) {
		for _, r := range reports {
			if _, err := d.propose(ctx, r); errors.Is(err, stock.ErrNotExecuted) || ctx.Err() != nil {
				return
			}
		}
	})
}
