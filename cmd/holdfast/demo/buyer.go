package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/api/client"
)

// buyer is one person of the crowd, and what they are like.
type buyer struct {
	n int
	// end is what they do with a hold.
	end ending
	// doubleClicks: they send the order twice at once. greedy: they try for a second unit.
	doubleClicks, greedy bool
	// webhooks is how often their payment service reports the payment.
	webhooks int
	// think is how long they take before they pay or give up.
	think time.Duration
}

type ending int

const (
	pays ending = iota
	givesUp
	walksAway // and lets the hold expire
)

// person makes the same buyer from the same seed and number.
func person(cfg *Config, n int) buyer {
	r := rand.New(rand.NewPCG(cfg.Seed, uint64(n)))
	b := buyer{n: n, end: pays, webhooks: 1}
	switch p := r.IntN(100); {
	case p < 22:
		b.end = walksAway
	case p < 37:
		b.end = givesUp
	}
	b.doubleClicks = r.IntN(100) < 10
	b.greedy = r.IntN(100) < 10
	if r.IntN(100) < 25 {
		b.webhooks = 2
	}
	b.think = cfg.Think/20 + time.Duration(r.Int64N(int64(cfg.Think)))
	return b
}

func (b buyer) user() string    { return fmt.Sprintf("buyer-%05d", b.n) }
func (b buyer) key() string     { return fmt.Sprintf("cart-%05d", b.n) }
func (b buyer) payment() string { return fmt.Sprintf("pay-%05d", b.n) }

// answer is what became of a visit.
type answer int

const (
	bought   answer = iota // an order was accepted
	comeBack               // nothing free right now, but units are held
	soldOut                // nothing free and nothing held
	noAnswer               // the outcome is not known; noted in the book
)

// visit sends a buyer's order, twice at once for a double click, and starts what they do with a hold.
func (c *crowd) visit(ctx context.Context, b buyer) answer {
	if !b.doubleClicks {
		id, a := c.place(ctx, b, b.key())
		return c.follow(ctx, b, id, a)
	}
	c.book.count(func(t *Tally) { t.DoubleClicks++ })
	type click struct {
		id string
		a  answer
	}
	second := make(chan click, 1)
	go func() {
		id, a := c.place(ctx, b, b.key())
		second <- click{id, a}
	}()
	id, a := c.place(ctx, b, b.key())
	other := <-second
	// A refusal is not remembered: one click may be refused and the other, a moment later, accepted. The acceptance counts.
	if a != bought {
		id, a = other.id, min(a, other.a)
	}
	return c.follow(ctx, b, id, a)
}

// place sends one order until its outcome is known.
func (c *crowd) place(ctx context.Context, b buyer, key string) (id string, a answer) {
	p, err := c.client.PlaceOrder(ctx, key, client.NewOrder{SKU: sku, User: b.user()})
	switch code := client.CodeOf(err); {
	case err == nil:
		c.taken(c.book.placed(Claim{ID: p.ID, Key: key, User: p.User, Qty: p.Qty, State: "held"}))
		if p.User != b.user() || p.SKU != sku || p.Qty != 1 {
			c.book.fault("key %s of %s was answered with order %s of %s", key, b.user(), p.ID, p.User)
		}
		return p.ID, bought
	case client.IsUnknown(err), !client.IsRefused(err):
		c.book.unknown(fmt.Sprintf("key %s (%v)", key, err))
		return "", noAnswer
	case code == "sold_out":
		a = soldOut
	case code == "sold_out_pending", code == "insufficient_stock":
		a = comeBack
	case code == "limit_exceeded" && key != b.key():
		c.book.count(func(t *Tally) { t.OverLimit++ })
		a = comeBack
	default:
		c.book.fault("key %s was refused: %v", key, err)
		a = soldOut
	}
	c.book.count(func(t *Tally) { t.Refused++ })
	return "", a
}

// follow starts what a buyer does with an accepted order.
func (c *crowd) follow(ctx context.Context, b buyer, id string, a answer) answer {
	if a == bought {
		c.after.Go(func() { c.finish(ctx, b, id) })
	}
	return a
}

// finish is what a buyer does with a hold.
func (c *crowd) finish(ctx context.Context, b buyer, id string) {
	if b.greedy {
		// Refused while the first order counts. Should that have expired meanwhile it may be accepted, and is then left to expire.
		c.place(ctx, b, b.key()+"-again")
	}
	if !pause(ctx, b.think) {
		return
	}
	switch b.end {
	case pays:
		c.pay(ctx, b, id)
	case givesUp:
		c.giveUp(ctx, id)
	case walksAway:
	}
}

// pay reports a payment, as often as the payment service does.
func (c *crowd) pay(ctx context.Context, b buyer, id string) {
	for i := range b.webhooks {
		o, err := c.client.Confirm(ctx, id, b.payment())
		switch {
		case err == nil && o.State == "confirmed" && o.PaymentID == b.payment():
			if i > 0 {
				c.book.count(func(t *Tally) { t.Webhooks++ })
			}
			c.book.paid(id, b.payment())
		case err == nil:
			c.book.fault("order %s was paid for with %s and is %s with %s", id, b.payment(), o.State, o.PaymentID)
		case client.CodeOf(err) == "order_expired":
			c.book.tooLate(id)
			return
		default:
			c.undecided("payment of order "+id, err)
			return
		}
	}
}

func (c *crowd) giveUp(ctx context.Context, id string) {
	o, err := c.client.Cancel(ctx, id, "changed my mind")
	switch {
	case err == nil && o.State == "cancelled":
		c.book.cancelled(id)
	case err == nil:
		c.book.fault("order %s was cancelled and is %s", id, o.State)
	case expired(err):
		c.book.tooLate(id)
	default:
		c.undecided("cancelling order "+id, err)
	}
}

// expired reports whether a refusal says that the order's deadline had passed.
func expired(err error) bool {
	switch client.CodeOf(err) {
	case "order_expired":
		return true
	case "invalid_state":
		return stateOf(err) == "expired"
	}
	return false
}

func (c *crowd) undecided(what string, err error) {
	if client.IsRefused(err) {
		c.book.fault("%s was refused: %v", what, err)
		return
	}
	c.book.unknown(fmt.Sprintf("%s (%v)", what, err))
}

// pause waits and reports whether it did to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
