package audit

import (
	"math"
	"sync/atomic"
	"time"

	"holdfast/bench/sale"
)

// tally is what callers were told of one SKU, in all.
type tally struct {
	sku sale.SKU
	// orders were accepted, with placed units.
	orders, placed atomic.Int64
	// The units of orders that steps were taken with; the doubtful ones may have been taken or not.
	paid, cancelled, returned                      atomic.Int64
	doubtPaid, doubtCancelled, doubtReturned, open atomic.Int64
	// soldOut counts orders that were refused because nothing was left, short the ones because too little was; shortQty is the least of their units.
	soldOut, short, shortQty atomic.Int64
	// lapsed: every order that waits for its payment must have expired by now.
	lapsed atomic.Bool
}

func newTally(s sale.SKU) *tally {
	t := &tally{sku: s}
	t.shortQty.Store(math.MaxInt64)
	return t
}

// refused notes a refusal for want of units.
func (t *tally) refused(reason string, qty int64) {
	switch reason {
	case "sold_out", "sold_out_pending":
		t.soldOut.Add(1)
	case "insufficient_stock":
		t.short.Add(1)
		for least := t.shortQty.Load(); qty < least && !t.shortQty.CompareAndSwap(least, qty); least = t.shortQty.Load() {
		}
	}
}

// settled notes a step with an order.
func (t *tally) settled(step sale.Step, v sale.Verdict, qty int64) {
	sure := map[sale.Step]*atomic.Int64{sale.Pay: &t.paid, sale.Cancel: &t.cancelled, sale.Return: &t.returned}[step]
	doubt := map[sale.Step]*atomic.Int64{sale.Pay: &t.doubtPaid, sale.Cancel: &t.doubtCancelled, sale.Return: &t.doubtReturned}[step]
	switch v {
	case sale.Accepted:
		sure.Add(qty)
	case sale.Unknown:
		doubt.Add(qty)
	}
}

// expires reports whether orders may have expired since the sale began.
func (t *tally) expires(since time.Duration) bool { return t.sku.HoldTTL > 0 && since >= t.sku.HoldTTL }

// active returns how many units must be held or sold at least, and may be at most.
func (t *tally) active(since time.Duration) (least, most int64) {
	if firstState(&t.sku) == open { // An order takes its units when it is paid.
		most = t.paid.Load() + t.doubtPaid.Load() - t.returned.Load()
		return t.paid.Load() - t.returned.Load() - t.doubtReturned.Load(), most
	}
	unpaid := t.placed.Load() - t.paid.Load() - t.cancelled.Load()
	if firstState(&t.sku) == confirmed {
		unpaid = 0
	}
	most = t.placed.Load() - t.cancelled.Load() - t.returned.Load()
	least = most - t.doubtCancelled.Load() - t.doubtReturned.Load()
	switch {
	case t.lapsed.Load():
		most -= unpaid - t.doubtPaid.Load()
		least = most - t.doubtPaid.Load() - t.doubtReturned.Load()
	case t.expires(since):
		least = most - t.doubtReturned.Load() - unpaid
	}
	return max(0, least), most + t.open.Load()
}

// gaveBack reports whether units may have come back, as far as callers know.
func (t *tally) gaveBack(since time.Duration) bool {
	steps := t.cancelled.Load() + t.returned.Load() + t.doubtCancelled.Load() + t.doubtReturned.Load()
	return steps > 0 || t.lapsed.Load() || t.expires(since)
}
