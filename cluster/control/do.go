package control

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"holdfast/cluster"
	"holdfast/cluster/meta"
	"holdfast/stock"
)

// deadlineSlackMS is how much later than its caller a command gives up: clocks of two nodes differ.
const deadlineSlackMS = 60_000

// Do has a command executed by the meta group: at the leader, be it here or one hop away, and again under the same key until there is an outcome
// or ctx ends (default Timing.CommandTimeout). A key and a deadline that are not set are filled in. A refusal is an outcome. Errors are
// stock.ErrNotExecuted, when no copy can have entered a log, or stock.ErrUnknown: asking again with the same command tells.
func (c *Control) Do(ctx context.Context, cmd meta.Command) (meta.Outcome, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if err := c.complete(ctx, cmd.Head()); err != nil {
		return meta.Outcome{}, err
	}
	entry, err := meta.EncodeEntry(0, cmd)
	if err != nil {
		return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	maybe := false // a copy may have entered a log
	for attempt := uint16(1); ; attempt++ {
		out, err := c.attempt(ctx, cmd, entry, attempt)
		switch {
		case err == nil && maybe && out.Code == meta.DeadlineExceeded:
			c.metrics.commands.WithLabelValues("unknown").Inc()
			return meta.Outcome{}, fmt.Errorf("%w: the deadline passed", stock.ErrUnknown)
		case err == nil && !(maybe && out.Code == meta.Overloaded):
			c.metrics.commanded(out)
			return out, nil
		case errors.Is(err, ErrBusy), errors.Is(err, ErrClosed):
			return meta.Outcome{}, c.undecided(maybe, err)
		}
		maybe = maybe || err != nil && !errors.Is(err, stock.ErrNotExecuted)
		if !c.pause(ctx) {
			return meta.Outcome{}, c.undecided(maybe, errors.Join(err, ctx.Err()))
		}
	}
}

// undecided returns the error of a command without an outcome.
func (c *Control) undecided(maybe bool, cause error) error {
	verdict, result := stock.ErrNotExecuted, "not_executed"
	if maybe {
		verdict, result = stock.ErrUnknown, "unknown"
	}
	c.metrics.commands.WithLabelValues(result).Inc()
	return fmt.Errorf("%w: %w", verdict, hidden{cause})
}

// hidden keeps an inner verdict from being taken for the one about all attempts.
type hidden struct{ error }

// Is compares with everything but verdicts.
func (h hidden) Is(target error) bool {
	return target != stock.ErrNotExecuted && target != stock.ErrUnknown && errors.Is(h.error, target)
}

// pause waits before another attempt; false when ctx or Control ended.
func (c *Control) pause(ctx context.Context) bool {
	timer := time.NewTimer(c.cfg.Retry / 2)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return false
}

// bounded returns ctx with a deadline.
func (c *Control) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.cfg.CommandTimeout)
}

// complete fills in key and deadline. Log time may be ahead of this machine's clock.
func (c *Control) complete(ctx context.Context, h *meta.Keyed) error {
	if h.Key == "" {
		key, err := c.newKey()
		if err != nil {
			return fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
		}
		h.Key = key
	}
	if h.Deadline == 0 {
		left := c.cfg.CommandTimeout
		if at, ok := ctx.Deadline(); ok {
			left = time.Until(at)
		}
		now := stock.TimeOf(c.cfg.Now())
		if m := c.machine.Load(); m != nil {
			_, _, last := m.position()
			now = max(now, last)
		}
		h.Deadline = now.Add(min(left.Milliseconds()+deadlineSlackMS, meta.MaxDeadlineMS/2))
	}
	return nil
}

// newKey returns a key that nobody used (rule R5).
func (c *Control) newKey() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(c.cfg.Entropy, b[:]); err != nil {
		return "", fmt.Errorf("control: draw a key: %w", err)
	}
	return "ctl-" + hex.EncodeToString(b[:]) + "-" + strconv.FormatUint(c.keys.Add(1), 36), nil
}

// attempt sends one copy of a command to whoever leads.
func (c *Control) attempt(ctx context.Context, cmd meta.Command, entry []byte, attempt uint16) (meta.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Attempt)
	defer cancel()
	node, address, _ := c.Leader(0)
	switch {
	case c.ctx.Err() != nil:
		return meta.Outcome{}, ErrClosed
	case node == "":
		c.Prompt()
		return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, ErrNoLeader)
	case node == c.cfg.NodeID:
		return c.propose(ctx, cmd)
	}
	answer, err := c.call(ctx, node, address, cluster.Request{Kind: cluster.KindMetaCommand, Attempt: attempt, Body: entry})
	if err != nil {
		c.Prompt()
		return meta.Outcome{}, err
	}
	var out meta.Outcome
	if err := meta.DecodeMessage(answer, &out); err != nil {
		return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrUnknown, err)
	}
	return out, nil
}

// propose puts a command into the log of the meta group, which this node leads, and waits for its outcome.
func (c *Control) propose(ctx context.Context, cmd meta.Command) (meta.Outcome, error) {
	shard, term := c.metaShard()
	now, open := c.clock.now(term)
	if shard == nil || !open || !shard.Leads(term) {
		return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, ErrNoLeader)
	}
	return c.put(ctx, shard, now, cmd)
}

// put proposes an entry and waits for its outcome.
func (c *Control) put(ctx context.Context, shard Shard, now stock.Time, cmd meta.Command) (meta.Outcome, error) {
	entry, err := meta.EncodeEntry(now, cmd)
	if err != nil {
		return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	outcome, ok := c.waiting.enter(cmd.Head())
	if !ok {
		c.metrics.bound.WithLabelValues("commands").Inc()
		return meta.Outcome{}, fmt.Errorf("%w: %w: %d", stock.ErrNotExecuted, ErrBusy, c.cfg.MaxCommands)
	}
	defer c.waiting.leave(cmd.Head(), outcome)
	verdict := make(chan error, 1)
	shard.Propose(entry, func(err error) { verdict <- err })
	for {
		select {
		case out := <-outcome:
			return out, nil
		case err := <-verdict:
			if err != nil && len(outcome) == 0 {
				return meta.Outcome{}, err
			}
			verdict = nil // It is committed, and applied in a moment.
		case <-ctx.Done():
			return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrUnknown, ctx.Err())
		case <-c.ctx.Done():
			return meta.Outcome{}, fmt.Errorf("%w: %w", stock.ErrUnknown, ErrClosed)
		}
	}
}

// serveCommand executes a command for another node, if this one leads. It never sends it on: one hop is enough.
func (c *Control) serveCommand(ctx context.Context, r cluster.Request) ([]byte, error) {
	_, cmd, err := meta.DecodeEntry(r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: %w", stock.ErrNotExecuted, ErrMessage, err)
	}
	out, err := c.propose(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return meta.EncodeMessage(&out)
}

// metaShard returns this node's replica of the meta group and its term; nil for none.
func (c *Control) metaShard() (Shard, uint64) {
	g := c.groups()
	if g == nil {
		return nil, 0
	}
	s := g.Shard(0)
	if s == nil {
		return nil, 0
	}
	return s, s.Term()
}
