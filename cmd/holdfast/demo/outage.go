package demo

import (
	"context"
	"fmt"
	"time"
)

// outage is the power cut in the middle of the sale: the node that leads the SKU is killed and started again with the same command line. With others
// to go on it stays away until one of them has sold something.
type outage struct {
	// node was killed, and place is where it answers; before and after led the SKU. down is how long the node was gone.
	node          *power
	place         *place
	before, after string
	at            time.Time
	down          time.Duration
}

// stayAway is how long a killed node is gone at least when others go on, after the next order was accepted.
const stayAway = 500 * time.Millisecond

// cut kills the leader and has it come back.
func (o *outage) cut(ctx context.Context, s *sale) error {
	if err := o.kill(ctx, s); err != nil {
		return err
	}
	if len(s.fleet) > 1 {
		if err := o.goOn(ctx, s); err != nil {
			return err
		}
	}
	o.place.starting.Store(true)
	err := o.node.start(ctx)
	o.place.starting.Store(false)
	if err != nil {
		return fmt.Errorf("start again after the power cut: %w", err)
	}
	o.down = time.Since(o.at)
	back := "power is back"
	if len(s.fleet) > 1 {
		back = o.node.name + " is back"
	}
	s.show.say("%s after %.2f s: same command line, same files; whoever lost an answer asks again under the same key", back, o.down.Seconds())
	return nil
}

func (o *outage) kill(ctx context.Context, s *sale) error {
	leader, err := s.leader(ctx)
	if err != nil {
		return err
	}
	i := s.fleet.named(leader)
	if i < 0 {
		return fmt.Errorf("the SKU is led by %q, which is none of the nodes", leader)
	}
	o.node, o.place, o.before = s.fleet[i], s.wire.spread.places[i], leader
	o.place.killed.Store(true)
	t, underWay := s.crowd.book.tally(), s.wire.underWay.Load()
	o.at = time.Now()
	o.node.off()
	what := "POWER CUT"
	if len(s.fleet) > 1 {
		what = fmt.Sprintf("POWER CUT at %s, which leads the SKU", leader)
	}
	s.show.say("%s: SIGKILL with %s orders accepted, %s paid for, %d requests under way", what, number(t.Placed), number(t.Paid), underWay)
	return nil
}

// goOn waits until another node leads and an order was accepted, as far as anybody still wants one.
func (o *outage) goOn(ctx context.Context, s *sale) error {
	for o.after == "" {
		leader, err := s.leader(ctx)
		if err != nil {
			return err
		}
		if leader != o.before {
			o.after = leader
		} else if !pause(ctx, lookEvery) {
			return ctx.Err()
		}
	}
	s.show.say("%s leads the SKU now, %.2f s after the kill", o.after, time.Since(o.at).Seconds())
	for led := time.Now(); s.crowd.book.lastPlaced().Before(led); {
		if s.ended() {
			return nil
		}
		if !pause(ctx, lookEvery) {
			return ctx.Err()
		}
	}
	if !pause(ctx, stayAway) {
		return ctx.Err()
	}
	return nil
}

// gap is the longest time without an accepted order around the kill: the longest pause that ended after it and began within the second after it. An
// answer may have been on its way when the leader was killed.
func (o *outage) gap(b *book) time.Duration { return b.longestPause(o.at, o.at.Add(time.Second)) }
