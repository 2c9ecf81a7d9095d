package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// Transfer hands the leadership of a shard, 0 for the meta group, to a node, "" for the voter that suits best, and returns the new leader once it
// is known. While the shard has no leader, or another than this node knew, it waits and asks again, until ctx ends. ErrNotEligible: the node is no
// voter; ErrSilent: it does not answer; cluster.ErrNoHeir: it does not answer the leader. Once a leader was asked and nobody knows what it did, the
// error is never that nothing was done.
func (c *Control) Transfer(ctx context.Context, shard uint32, to string) (led string, err error) {
	var doubt error // of the last leader that was asked and may have done it
	err = c.atLeader(ctx, shard, func(ctx context.Context, leader string, term uint64) error {
		if to == leader {
			led = leader
			return c.leadsStill(ctx, shard, leader)
		}
		if err := c.eligible(shard, to); err != nil {
			return err
		}
		_, failed := c.give(ctx, leader, order{What: orderTransfer, Shard: shard, Node: to})
		if failed != nil && !c.mayHaveMoved(ctx, shard, leader, term, failed) {
			return failed
		}
		if failed != nil {
			doubt = failed
		}
		c.begin(func() { c.hear(c.ctx, leader) })
		if to != "" {
			c.begin(func() { c.hear(c.ctx, to) })
		}
		led, err = c.awaitLeader(ctx, shard, leader, term)
		switch {
		case err != nil:
			return err
		case led == leader && failed != nil:
			return failed
		case led == leader || to != "" && led != to:
			return fmt.Errorf("%w: %w: %s", stock.ErrNotExecuted, ErrElsewhere, led)
		}
		return nil
	})
	switch {
	case err == nil:
		return led, nil
	case doubt != nil && errors.Is(err, stock.ErrNotExecuted):
		return "", fmt.Errorf("%w; and then: %v", doubt, err) // what came then is not what it is
	}
	return "", err
}

// Snapshot has the leader of a shard take a snapshot and returns its log index and bytes. It waits for a leader as Transfer does.
func (c *Control) Snapshot(ctx context.Context, shard uint32) (index uint64, bytes int64, err error) {
	var d done
	err = c.atLeader(ctx, shard, func(ctx context.Context, leader string, _ uint64) (err error) {
		d, err = c.give(ctx, leader, order{What: orderSnapshot, Shard: shard})
		return err
	})
	return d.Index, d.Bytes, err
}

// atLeader asks for something at the node that leads a shard, until ctx ends: between two leaders nobody leads for a moment, and this node learns
// later than others who does. The error is that of the last time.
func (c *Control) atLeader(ctx context.Context, shard uint32, ask func(ctx context.Context, leader string, term uint64) error) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for {
		changed := c.Changed()
		leader, term, err := c.leaderOf(shard)
		if err == nil {
			err = ask(ctx, leader, term)
		}
		if err == nil || !passes(err) || ctx.Err() != nil {
			return err
		}
		if leader != "" {
			c.hear(ctx, leader)
		}
		if !c.awaitNews(ctx, changed) {
			return err
		}
	}
}

// passing are the refusals that say no more than that a leader is to be looked for again.
var passing = []error{
	ErrNoLeader, ErrElsewhere, ErrNoReplica, cluster.ErrNotLeader, cluster.ErrTransferring, cluster.ErrDown, cluster.ErrNotSent,
}

func passes(err error) bool {
	return errors.Is(err, stock.ErrNotExecuted) && slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) })
}

// awaitNews waits until something has changed that this node knows, or a moment; false when ctx or Control ended.
func (c *Control) awaitNews(ctx context.Context, changed <-chan struct{}) bool {
	timer := time.NewTimer(c.cfg.Retry / 2)
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return false
}

// leadsStill returns nil when a node says itself that it leads a shard: what others say of it may be old.
func (c *Control) leadsStill(ctx context.Context, shard uint32, node string) error {
	c.hear(ctx, node)
	nodes := c.Nodes()
	i := slices.IndexFunc(nodes, func(n NodeStatus) bool { return n.Node == node })
	if i >= 0 {
		if r := nodes[i].Replica(shard); r != nil && r.Leader == node {
			return nil
		}
	}
	return fmt.Errorf("%w: %w: shard %d", stock.ErrNotExecuted, ErrNoLeader, shard)
}

// movesWithin is how long after a transfer that failed its heir may still be elected: it was told to stand, and its disk or a voter's is slow.
const movesWithin = 3 * time.Second

// mayHaveMoved reports whether leadership may have gone from a leader although the transfer failed: that is found out by who leads in a newer term.
// One that leads then, in whatever term, is not asked again: raft may refuse everything after two transfers that failed (raft#696).
func (c *Control) mayHaveMoved(ctx context.Context, shard uint32, leader string, term uint64, err error) bool {
	if !errors.Is(err, stock.ErrUnknown) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, movesWithin)
	defer cancel()
	for ctx.Err() == nil {
		changed := c.Changed()
		c.hear(ctx, leader)
		if now, _, at := c.Leader(shard); now != leader || at != term {
			return true
		}
		c.awaitNews(ctx, changed)
	}
	return false
}

// awaitLeader returns who leads a shard after another has in a term: the same may again, if it says so itself.
func (c *Control) awaitLeader(ctx context.Context, shard uint32, was string, term uint64) (string, error) {
	for {
		changed := c.Changed()
		if now, _, at := c.Leader(shard); now != "" && at > term && (now != was || c.leadsStill(ctx, shard, now) == nil) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %w", stock.ErrUnknown, ctx.Err())
		case <-c.ctx.Done():
			return "", fmt.Errorf("%w: %w", stock.ErrUnknown, ErrClosed)
		}
	}
}

// leaderOf returns who leads a shard, and in which term: ErrUnknownShard when the cluster does not have the shard, ErrNoLeader while nobody leads it.
func (c *Control) leaderOf(shard uint32) (node string, term uint64, err error) {
	if table := c.Cluster(); table.Created() && table.Shard(shard) == nil {
		return "", 0, fmt.Errorf("%w: %w: %d", stock.ErrNotExecuted, ErrUnknownShard, shard)
	}
	node, _, term = c.Leader(shard)
	if node == "" {
		return "", 0, fmt.Errorf("%w: %w: shard %d", stock.ErrNotExecuted, ErrNoLeader, shard)
	}
	return node, term, nil
}

// eligible says why a node, "" for any, cannot be made the leader of a shard.
func (c *Control) eligible(shard uint32, node string) error {
	v := c.view()
	g := v.groups[shard]
	switch {
	case node == "":
		return nil
	case c.Cluster().Node(node) == nil:
		return fmt.Errorf("%w: %w: %s", stock.ErrNotExecuted, ErrUnknownNode, node)
	case !slices.Contains(v.Reachable, node):
		return fmt.Errorf("%w: %w: %s", stock.ErrNotExecuted, ErrSilent, node)
	case g == nil || !votesIn(g, node):
		return fmt.Errorf("%w: %w: %s", stock.ErrNotExecuted, ErrNotEligible, node)
	}
	return nil
}

func votesIn(g *groupView, node string) bool {
	return slices.ContainsFunc(g.Members, func(m meta.GroupMember) bool { return m.Node == node && m.Role == meta.Voter })
}

// refusedThere are the refusals of another node that are looked at here. What travels of them is their text.
var refusedThere = []error{ErrNoLeader, ErrNoReplica, cluster.ErrNotLeader, cluster.ErrTransferring, cluster.ErrDown, cluster.ErrNoHeir}

// recognized gives what another node has refused with the identity that it had there.
func recognized(err error) error {
	if !errors.Is(err, cluster.ErrNotTaken) {
		return err
	}
	for _, there := range refusedThere {
		if strings.Contains(err.Error(), there.Error()) {
			return refusal{err, there}
		}
	}
	return err
}

// refusal is an error that is also another, which its text says already.
type refusal struct {
	error
	also error
}

// Unwrap returns both.
func (r refusal) Unwrap() []error { return []error{r.error, r.also} }
