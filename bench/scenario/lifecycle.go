package scenario

import (
	"context"
	"time"

	"holdfast/bench/load"
	"holdfast/bench/sale"
)

// Of a hundred accepted orders, so many are paid, cancelled, and paid and returned. The rest is abandoned.
const (
	payShare, cancelShare, returnShare = 60, 15, 10
	// lifecycleReturn: one order in so many is of a user who was there before.
	lifecycleReturn = 8
	// lapsePatience is how long after its deadline a hold may be seen, at the end.
	lapsePatience = 30 * time.Second
	lapsePoll     = 50 * time.Millisecond
)

// lifecycle is a shop whose orders live on.
type lifecycle struct {
	*shop
	settler sale.Settler
	errands [][]errand // by caller
}

// errand is a step that a caller has yet to take with an order, and the one after it, 0 for none.
type errand struct {
	order      sale.Order
	id         string
	step, then sale.Step
}

func newLifecycle(s *shop, settler sale.Settler) *lifecycle {
	s.return1in = lifecycleReturn
	return &lifecycle{shop: s, settler: settler, errands: make([][]errand, len(s.callers))}
}

// Call places orders, or takes as many steps once so many are due.
func (l *lifecycle) Call() load.Call {
	return func(ctx context.Context, number int, r *load.Record) {
		if len(l.errands[number]) >= l.p.Batch {
			l.settle(ctx, number, r)
			return
		}
		c := l.callers[number]
		orders, answers := l.next(c, l.p.Batch)
		l.target.Place(ctx, orders, answers)
		l.ledger.ToldAll(number, orders, answers)
		record(r, answers)
		for i := range answers {
			if answers[i].Verdict == sale.Accepted {
				l.plan(c, orders[i], answers[i].ID)
			}
		}
	}
}

// plan decides what becomes of an accepted order.
func (l *lifecycle) plan(c *caller, o sale.Order, id string) {
	e := errand{order: o, id: id}
	switch lot := c.random.below(100); {
	case lot < payShare:
		e.step = sale.Pay
	case lot < payShare+cancelShare:
		e.step = sale.Cancel
	case lot < payShare+cancelShare+returnShare:
		e.step, e.then = sale.Pay, sale.Return
	default:
		return
	}
	l.errands[c.number] = append(l.errands[c.number], e)
}

// Finish waits until every order that was not paid has expired, and tells the ledger that they have to have.
func (l *lifecycle) Finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.p.HoldTTL+lapsePatience)
	defer cancel()
	tick := time.NewTicker(lapsePoll)
	defer tick.Stop()
	for _, sku := range l.names {
		for ctx.Err() == nil {
			if c, err := l.target.Counters(ctx, sku); err == nil && c.Held == 0 {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done(): // The audit will tell.
			}
		}
		l.ledger.Lapsed(sku)
	}
	return nil
}
