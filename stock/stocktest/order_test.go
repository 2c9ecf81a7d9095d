package stocktest_test

import (
	"testing"

	"holdfast/stock"
)

func TestConfirmHeld(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	id := g.buy("a", "u", 2)
	g.freeze(true) // by an operator: does not stop a confirm
	g.now(t0 + 49)
	g.code(g.do(&stock.Confirm{Meta: stock.Meta{Deadline: t0 + 49}, Order: id, PaymentID: "p"}), stock.DeadlineExceeded)
	g.units(3, 2, 0)
	got := g.confirm(id, "p")
	g.code(got, stock.OK)
	if o := got.Order; o.State != stock.StateConfirmed || o.PaymentID != "p" || o.ConfirmedAt != t0+49 || o.UpdatedAt != t0+49 || o.Version != g.at.Index {
		t.Errorf("confirmed: %+v", o)
	}
	g.units(3, 0, 2)
	g.same(g.do(&stock.Confirm{Meta: stock.Meta{Deadline: t0}, Order: id, PaymentID: "p"}), got)
	g.refused(g.confirm(id, "q"), stock.DuplicatePayment, stock.Detail{FirstPaymentID: "p"})
	g.code(g.do(&stock.Confirm{Meta: stock.Meta{Deadline: t0}, Order: id, PaymentID: "q"}), stock.DuplicatePayment)

	back := g.giveBack("r", id, 0, true)
	g.same(g.confirm(id, "p"), stock.Outcome{Code: stock.OK, Order: back.Order})
	g.refused(g.confirm(id, "q"), stock.DuplicatePayment, stock.Detail{FirstPaymentID: "p"})
}

func TestConfirmAtTheDeadlineExpires(t *testing.T) {
	for _, mode := range []stock.Mode{stock.ModeHold, stock.ModeOnPayment} {
		t.Run(mode.String(), func(t *testing.T) {
			g := newGame(t, tea(mode, 5))
			id := g.buy("a", "u", 2)
			g.now(t0 + 60)
			g.refused(g.confirm(id, "p"), stock.OrderExpired, stock.Detail{ExpiredAt: t0 + 50})
			o := g.order(id)
			if o.State != stock.StateExpired || o.ExpiredAt != t0+50 || o.UpdatedAt != t0+60 || o.Version != g.at.Index || o.PaymentID != "" {
				t.Errorf("expired: %+v", o)
			}
			g.units(5, 0, 0)
			g.now(t0 + 70)
			g.refused(g.confirm(id, "p"), stock.OrderExpired, stock.Detail{ExpiredAt: t0 + 50})
		})
	}
}

func TestConfirmRefusals(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	id := g.buy("a", "u", 1)
	g.code(g.cancel(id), stock.OK)
	g.refused(g.confirm(id, "p"), stock.InvalidState, stock.Detail{State: stock.StateCancelled})
	for name, change := range map[string]func(*stock.OrderID){
		"epoch": func(id *stock.OrderID) { id.Epoch++ }, "partition": func(id *stock.OrderID) { id.Partition++ },
		"sku": func(id *stock.OrderID) { id.SKU++ }, "counter": func(id *stock.OrderID) { id.Counter++ },
	} {
		other := id
		change(&other)
		for _, c := range []stock.Command{
			&stock.Confirm{Order: other, PaymentID: "p"}, &stock.Cancel{Order: other}, &stock.Return{Order: other},
		} {
			if got := g.do(c); got.Code != stock.OrderNotFound {
				t.Errorf("another %s, %T: %v", name, c, got.Code)
			}
		}
	}
}

func TestOnOrderRecordsItsPayment(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnOrder, 5))
	id := g.buy("a", "u", 1)
	skuVersion := g.o.Counters("tea").Version
	g.now(t0 + 5)
	g.code(g.do(&stock.Confirm{Meta: stock.Meta{Deadline: t0 + 5}, Order: id, PaymentID: "p"}), stock.DeadlineExceeded)
	got := g.confirm(id, "p")
	g.code(got, stock.OK)
	if o := got.Order; o.PaymentID != "p" || o.ConfirmedAt != t0 || o.UpdatedAt != t0+5 || o.Version != g.at.Index {
		t.Errorf("paid: %+v", o)
	}
	if g.o.Counters("tea").Version != skuVersion {
		t.Error("no counter moved, yet the SKU changed")
	}
	g.same(g.confirm(id, "p"), got)
	g.refused(g.confirm(id, "q"), stock.DuplicatePayment, stock.Detail{FirstPaymentID: "p"})

	returned := g.buy("b", "u", 1)
	g.code(g.giveBack("r", returned, 0, true), stock.OK)
	if got := g.confirm(returned, "p"); got.Code != stock.OK || got.Order.State != stock.StateReturned || got.Order.PaymentID != "p" {
		t.Errorf("paid after its return: %+v", got)
	}
}

func TestConfirmOpenTakesStock(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnPayment, 3))
	a, b, c := g.buy("a", "u", 2), g.buy("b", "u", 2), g.buy("c", "u", 1)
	g.units(3, 0, 0)
	g.freeze(true)
	g.refused(g.confirm(a, "p"), stock.Frozen, stock.Detail{})
	g.freeze(false)
	g.code(g.confirm(a, "p"), stock.OK)
	g.units(1, 0, 2)
	g.refused(g.confirm(b, "p"), stock.InsufficientStock, stock.Detail{Available: 1})
	g.code(g.confirm(c, "p"), stock.OK)
	if o := g.order(b); o.State != stock.StateOpen || o.Version != 4 {
		t.Errorf("refused for stock, it stays open: %+v", o)
	}
	g.refused(g.confirm(b, "q"), stock.SoldOut, stock.Detail{})
}

func TestRefusedPaymentIsRemembered(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnPayment, 2))
	a, b := g.buy("a", "u", 2), g.buy("b", "u", 2)
	g.code(g.confirm(a, "p"), stock.OK)
	pay := &stock.Confirm{Meta: stock.Meta{Deadline: t0 + 10}, Order: b, PaymentID: "p"}
	g.refused(g.do(pay), stock.SoldOut, stock.Detail{})
	g.refused(g.confirm(b, "no deadline"), stock.SoldOut, stock.Detail{})
	g.code(g.giveBack("r", a, 0, true), stock.OK)

	g.now(t0 + 9)
	g.refused(g.confirm(b, "p"), stock.SoldOut, stock.Detail{})
	g.now(t0 + 10)
	g.code(g.do(pay), stock.DeadlineExceeded)
	g.code(g.confirm(b, "no deadline"), stock.OK) // without a deadline nothing is remembered
	g.refused(g.confirm(b, "p"), stock.DuplicatePayment, stock.Detail{FirstPaymentID: "no deadline"})
}

func TestCancel(t *testing.T) {
	for _, mode := range []stock.Mode{stock.ModeHold, stock.ModeOnPayment} {
		t.Run(mode.String(), func(t *testing.T) {
			g := newGame(t, tea(mode, 5))
			id, due := g.buy("a", "u", 2), g.buy("b", "u", 1)
			g.freeze(true)
			g.now(t0 + 49)
			g.code(g.do(&stock.Cancel{Meta: stock.Meta{Deadline: t0}, Order: id}), stock.DeadlineExceeded)
			got := g.cancel(id)
			g.code(got, stock.OK)
			if o := got.Order; o.State != stock.StateCancelled || o.CancelledAt != t0+49 || o.UpdatedAt != t0+49 || o.Version != g.at.Index {
				t.Errorf("cancelled: %+v", o)
			}
			g.now(t0 + 50)
			g.same(g.cancel(id), got)
			g.refused(g.cancel(due), stock.InvalidState, stock.Detail{State: stock.StateExpired})
			g.units(5, 0, 0)
			g.refused(g.cancel(due), stock.InvalidState, stock.Detail{State: stock.StateExpired})
			g.same(g.do(&stock.Cancel{Meta: stock.Meta{Deadline: t0}, Order: id}), got)
		})
	}
	g := newGame(t, tea(stock.ModeOnOrder, 5))
	g.refused(g.cancel(g.buy("a", "u", 1)), stock.InvalidState, stock.Detail{State: stock.StateConfirmed})
}

func TestReturn(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnOrder, 5))
	id := g.buy("a", "u", 4)
	g.freeze(true)
	g.now(t0 + 5)
	first := g.giveBack("a", id, 1, true) // the key of an order is another key
	g.code(first, stock.OK)
	if o := first.Order; o.State != stock.StateConfirmed || o.ReturnedQty != 1 || o.ReturnedAt != 0 || o.UpdatedAt != t0+5 || o.Version != g.at.Index {
		t.Errorf("returned in part: %+v", o)
	}
	g.units(2, 0, 3)
	g.code(g.giveBack("b", id, 1, false), stock.OK)
	g.units(2, 0, 2)
	g.refused(g.giveBack("c", id, 3, true), stock.InvalidState, stock.Detail{State: stock.StateConfirmed, Returnable: 2})
	g.code(g.do(&stock.Return{Meta: stock.Meta{Key: "c", Deadline: t0}, Order: id}), stock.DeadlineExceeded)
	all := g.giveBack("c", id, 0, true)
	g.code(all, stock.OK)
	if o := all.Order; o.State != stock.StateReturned || o.ReturnedQty != 4 || o.ReturnedAt != t0+5 {
		t.Errorf("returned in full: %+v", o)
	}
	g.units(4, 0, 0)
	g.refused(g.giveBack("d", id, 1, true), stock.InvalidState, stock.Detail{State: stock.StateReturned})

	g.replayed(g.do(&stock.Return{Meta: stock.Meta{Key: "a", Deadline: t0}, Order: id, Qty: 1, Restock: true}), first)
	g.replayed(g.giveBack("c", id, 0, true), all)
	g.refused(g.giveBack("c", id, 2, true), stock.IdempotencyKeyReused, stock.Detail{Differs: []string{"qty"}})
	g.freeze(false)
	other := g.buy("b", "u", 1)
	g.refused(g.giveBack("c", other, 2, false), stock.IdempotencyKeyReused, stock.Detail{Differs: []string{"order", "qty", "restock"}})
	g.units(3, 0, 1)
}

func TestReturnNeedsASale(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	id := g.buy("a", "u", 1)
	g.refused(g.giveBack("r", id, 0, true), stock.InvalidState, stock.Detail{State: stock.StateHeld})
	g.now(t0 + 50)
	g.refused(g.giveBack("r", id, 0, true), stock.InvalidState, stock.Detail{State: stock.StateHeld}) // due, not released yet
	g.do(&stock.Expire{SKU: "tea"})
	g.refused(g.giveBack("r", id, 0, true), stock.InvalidState, stock.Detail{State: stock.StateExpired})
}

func TestExpire(t *testing.T) {
	for _, mode := range []stock.Mode{stock.ModeHold, stock.ModeOnPayment} {
		t.Run(mode.String(), func(t *testing.T) {
			g := newGame(t, tea(mode, 9))
			g.settings(func(s *stock.Settings) { s.ExpiryBatch = 2 })
			a := g.buy("a", "u", 1)
			g.update(stock.Patch{HoldTTLMS: new(int64(10))})
			b, c := g.buy("b", "u", 1), g.buy("c", "u", 1)
			want := func(states ...stock.State) {
				t.Helper()
				for i, id := range []stock.OrderID{a, b, c} {
					if got := g.order(id); got.State != states[i] {
						t.Fatalf("order %d: want %v, got %+v", i, states[i], got)
					}
				}
			}
			waits, gone := g.order(a).State, stock.StateExpired
			g.now(t0 + 9)
			g.do(&stock.Expire{SKU: "tea"})
			want(waits, waits, waits)
			g.freeze(true)
			g.now(t0 + 50)
			g.do(&stock.Expire{SKU: "tea"})
			want(waits, gone, gone) // the batch, the earliest first
			if o := g.order(b); o.ExpiredAt != t0+10 || o.UpdatedAt != t0+50 || o.Version != g.at.Index {
				t.Errorf("expired: %+v", o)
			}
			g.do(&stock.Expire{SKU: "tea"})
			want(gone, gone, gone)
			g.units(9, 0, 0)
			g.do(&stock.Expire{SKU: "cup"})
		})
	}
}
