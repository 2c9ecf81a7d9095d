package control

import (
	"context"
	"fmt"
	"time"

	"holdfast/cluster/meta"
)

// ClocksAgree returns nil while the wall clock of this machine is within skew of a majority's of the shard's voters, this node counted if it is one
// (rule R2). A clock that was not measured in Timing.ClockAge is measured now; nodes that do not answer are waited for only while the others are no
// majority, a few Timing.ExchangeTimeout at most, and no longer than ctx. The error wraps ErrClocks.
func (c *Control) ClocksAgree(ctx context.Context, shard uint32, skew time.Duration) error {
	voters := c.votersOf(shard)
	if len(voters) == 0 {
		return fmt.Errorf("%w: nobody knows the voters of shard %d", ErrClocks, shard)
	}
	enough := func() bool {
		agree, _, _ := c.compare(voters, skew)
		return 2*agree > len(voters)
	}
	for range 3 {
		agree, _, missing := c.compare(voters, skew)
		if 2*agree > len(voters) {
			return nil
		}
		c.measure(ctx, missing, enough)
		if len(missing) == 0 || ctx.Err() != nil || c.ctx.Err() != nil {
			break
		}
	}
	agree, apart, _ := c.compare(voters, skew)
	if 2*agree > len(voters) {
		return nil
	}
	return fmt.Errorf("%w: shard %d: %d of %d voters agree within %v%s", ErrClocks, shard, agree, len(voters), skew, apart)
}

// votersOf returns the nodes that vote in a shard: as the replica here knows, else as the others say, else as the table wants it.
func (c *Control) votersOf(shard uint32) []string {
	var members []meta.GroupMember
	if g := c.groups(); g != nil && g.Shard(shard) != nil {
		if group, ok := g.Shard(shard).Group(); ok {
			members = group.Members
		}
	}
	if len(members) == 0 {
		if g := c.view().groups[shard]; g != nil {
			members = g.Members
		}
	}
	var voters []string
	for _, m := range members {
		if m.Role == meta.Voter {
			voters = append(voters, m.Node)
		}
	}
	if s := c.Cluster().Shard(shard); len(members) == 0 && s != nil {
		voters = s.Nodes(meta.Voter)
	}
	return voters
}

// compare returns how many of the nodes have a clock within skew of this node's, how far the others are apart, and whose clock is not known well.
func (c *Control) compare(nodes []string, skew time.Duration) (agree int, apart string, missing []string) {
	now := c.cfg.Now()
	for _, id := range nodes {
		if id == c.cfg.NodeID {
			agree++
			continue
		}
		s, _ := c.heard(id)
		age := now.Sub(s.ClockAt)
		switch {
		case s.ClockAt.IsZero() || age < 0 || age > c.cfg.ClockAge || s.ClockError > skew:
			missing = append(missing, id)
			apart += fmt.Sprintf(", %s: not known", id)
		case s.Clock.Abs() <= skew:
			agree++
		default:
			apart += fmt.Sprintf(", %s: %v", id, s.Clock.Round(time.Millisecond))
		}
	}
	return agree, apart, missing
}

// measure asks nodes for their clocks, and all else that they say of themselves, and waits for the answers, until there is enough or ctx ends.
func (c *Control) measure(ctx context.Context, nodes []string, enough func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	answers := make(chan struct{}, len(nodes))
	begun := 0
	for _, id := range nodes {
		if c.begin(func() {
			if err := c.exchanged(ctx, id); err != nil {
				c.cfg.Logger.Debug("no status from a node", "node", id, "error", err)
			}
			answers <- struct{}{}
		}) {
			begun++
		}
	}
	for range begun {
		select {
		case <-answers:
		case <-ctx.Done():
			return
		}
		if enough() {
			return
		}
	}
}
