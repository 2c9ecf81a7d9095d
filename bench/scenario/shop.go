package scenario

import (
	"context"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/sale"
)

// shop is a sale of SKUs, and all there is to hot, soldout, zipf and flash.
type shop struct {
	name    string
	p       Params
	target  sale.Target
	naming  names
	names   []string
	skus    []sale.SKU
	ledger  *audit.Ledger
	callers []*caller

	// popular draws SKUs; nil: all alike.
	popular *popular
	// clicks is how many orders in a row a user places. One order in return1in is of a user who was there before; 0: none is.
	clicks, return1in uint64
}

func newShop(name string, p Params, t sale.Target) *shop {
	s := &shop{
		name: name, p: p, target: t, naming: newNames(&p), clicks: 1, ledger: audit.NewLedger(audit.Config{Callers: p.Callers, MaxOrders: p.MaxOrders}),
	}
	for i := range p.SKUs {
		s.names = append(s.names, s.naming.sku(i))
		s.skus = append(s.skus, sale.SKU{Name: s.names[i], Stock: p.Stock, LimitPerUser: 1, Mode: "hold", HoldTTL: p.HoldTTL, Hot: p.SKUs == 1})
	}
	for i := range p.Callers {
		s.callers = append(s.callers, &caller{number: i, random: newRandom(p.Seed, i)})
	}
	return s
}

// Name returns the scenario's.
func (s *shop) Name() string { return s.name }

// SKUs are the names of what is sold.
func (s *shop) SKUs() []string { return s.names }

// Ledger is what callers were told.
func (s *shop) Ledger() *audit.Ledger { return s.ledger }

// Prepare creates the SKUs and places the orders of before.
func (s *shop) Prepare(ctx context.Context, t sale.Target) error {
	if err := t.Create(ctx, s.skus); err != nil {
		return err
	}
	s.ledger.Sell(s.skus...)
	return s.preload(ctx)
}

// Call places new orders.
func (s *shop) Call() load.Call {
	return func(ctx context.Context, number int, r *load.Record) {
		c := s.callers[number]
		orders, answers := s.next(c, s.p.Batch)
		s.target.Place(ctx, orders, answers)
		s.ledger.ToldAll(number, orders, answers)
		record(r, answers)
	}
}

// Finish has nothing to do.
func (s *shop) Finish(context.Context) error { return nil }

// record counts answers.
func record(r *load.Record, answers []sale.Answer) {
	reason, alike := "", 0
	for i := range answers {
		a := &answers[i]
		switch a.Verdict {
		case sale.Accepted:
			r.Accepted++
			continue
		case sale.Refused:
			r.Refused++
		case sale.Failed:
			r.Failed++
		default:
			r.Unknown++
			continue
		}
		if a.Reason != reason {
			because(r, reason, alike)
			reason, alike = a.Reason, 0
		}
		alike++
	}
	because(r, reason, alike)
}

// because counts a reason so many times.
func because(r *load.Record, reason string, times int) {
	if times == 0 {
		return
	}
	if r.Reasons == nil {
		r.Reasons = make(map[string]int)
	}
	r.Reasons[reason] += times
}
