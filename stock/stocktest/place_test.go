package stocktest_test

import (
	"math"
	"strconv"
	"testing"

	"holdfast/stock"
)

func TestPlaceTakesStockByMode(t *testing.T) {
	for _, tc := range []struct {
		mode                  stock.Mode
		state                 stock.State
		available, held, sold int64
		expires, confirmed    stock.Time
		skuVersion            uint64
	}{
		{stock.ModeHold, stock.StateHeld, 3, 2, 0, t0 + 50, 0, 3},
		{stock.ModeOnOrder, stock.StateConfirmed, 3, 0, 2, 0, t0, 3},
		{stock.ModeOnPayment, stock.StateOpen, 5, 0, 0, t0 + 50, 0, 2},
	} {
		t.Run(tc.mode.String(), func(t *testing.T) {
			g := newGame(t, tea(tc.mode, 5))
			got := g.do(&stock.Place{Meta: stock.Meta{Caller: "shop", Key: "k"}, SKU: "tea", User: "u", Qty: 2, ClientRef: "ref"})
			g.same(got, stock.Outcome{Code: stock.OK, Order: &stock.Order{
				ID:  stock.OrderID{Epoch: 3, Partition: stock.PartitionOf("tea"), SKU: 1, Counter: 1},
				SKU: "tea", User: "u", Caller: "shop", Key: "k", ClientRef: "ref", Qty: 2, State: tc.state, Mode: tc.mode,
				CreatedAt: t0, UpdatedAt: t0, ConfirmedAt: tc.confirmed, ExpiresAt: tc.expires, Version: 3,
			}})
			g.units(tc.available, tc.held, tc.sold)
			if v := g.o.Counters("tea").Version; v != tc.skuVersion {
				t.Errorf("version of the SKU: want %d, got %d", tc.skuVersion, v)
			}
		})
	}
}

// TestPlacePrecedence lets every refusal apply at once and takes the foremost away, one after the other.
func TestPlacePrecedence(t *testing.T) {
	spec := tea(stock.ModeHold, 3)
	spec.LimitPerUser, spec.MaxQty = 2, 2
	g := newGame(t, spec)
	g.settings(func(s *stock.Settings) { s.MaxOpenOrders = 1 })
	g.buy("first", "u", 2)
	g.freeze(true)
	g.update(stock.Patch{OpensAt: new(t0 + 10), ClosesAt: new(t0 + 20)})

	c := &stock.Place{Meta: stock.Meta{Key: "k", Deadline: t0}, SKU: "cup", User: "u", Qty: 3}
	g.refused(g.do(c), stock.SKUNotFound, stock.Detail{})
	c.SKU = "tea"
	g.refused(g.do(c), stock.DeadlineExceeded, stock.Detail{})
	c.Deadline = 0
	g.refused(g.do(c), stock.Frozen, stock.Detail{})
	g.freeze(false)
	g.refused(g.do(c), stock.NotStarted, stock.Detail{OpensAt: t0 + 10})
	g.now(t0 + 20)
	g.refused(g.do(c), stock.Ended, stock.Detail{ClosesAt: t0 + 20})
	g.update(stock.Patch{ClosesAt: new(stock.Time(0))})
	g.refused(g.do(c), stock.QtyAboveMax, stock.Detail{MaxQty: 2})
	c.Qty = 2
	g.refused(g.do(c), stock.Overloaded, stock.Detail{Bound: "max_open_orders_per_sku"})
	g.settings(func(s *stock.Settings) { s.MaxOpenOrders = 2 })
	g.refused(g.do(c), stock.LimitExceeded, stock.Detail{Limit: 2, Used: 2})
	c.User = "v"
	g.refused(g.do(c), stock.InsufficientStock, stock.Detail{Available: 1})
	c.Qty = 1
	g.code(g.do(c), stock.OK)
}

func TestSaleTimeIsHalfOpen(t *testing.T) {
	spec := tea(stock.ModeHold, 9)
	spec.OpensAt, spec.ClosesAt = t0+1, t0+2
	g := newGame(t, spec)
	g.refused(g.place("a", "u", 1), stock.NotStarted, stock.Detail{OpensAt: t0 + 1})
	g.now(t0 + 1)
	g.buy("b", "u", 1)
	g.now(t0 + 2)
	g.refused(g.place("c", "u", 1), stock.Ended, stock.Detail{ClosesAt: t0 + 2})
}

func TestWantOfStock(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	g.buy("a", "u", 2)
	g.now(t0 + 10)
	second := g.buy("b", "u", 2)
	g.refused(g.place("c", "u", 2), stock.InsufficientStock, stock.Detail{Available: 1})
	third := g.buy("d", "u", 1)
	g.refused(g.place("e", "u", 1), stock.SoldOutPending, stock.Detail{Held: 5, NextReleaseAt: t0 + 50})
	g.code(g.confirm(second, "p"), stock.OK)
	g.code(g.confirm(third, "p"), stock.OK)
	g.refused(g.place("f", "u", 1), stock.SoldOutPending, stock.Detail{Held: 2, NextReleaseAt: t0 + 50})
	g.now(t0 + 50)
	g.code(g.confirm(g.buy("g", "u", 2), "p"), stock.OK)
	g.refused(g.place("h", "u", 1), stock.SoldOut, stock.Detail{})

	open := newGame(t, tea(stock.ModeOnPayment, 1))
	open.refused(open.place("a", "u", 2), stock.InsufficientStock, stock.Detail{Available: 1})
	open.code(open.confirm(open.buy("b", "u", 1), "p"), stock.OK)
	open.refused(open.place("c", "u", 1), stock.SoldOut, stock.Detail{})
}

func TestKnownKeyIsAnsweredFirst(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 1))
	first := g.place("k", "u", 1)
	id := first.Order.ID
	g.code(g.confirm(id, "p"), stock.OK)
	g.code(g.giveBack("r", id, 0, false), stock.OK)
	g.freeze(true)
	again := &stock.Place{Meta: stock.Meta{Key: "k", Deadline: t0 - 1}, SKU: "tea", User: "u", Qty: 1}
	g.replayed(g.do(again), first)

	again.User, again.Qty, again.ClientRef = "v", 2, "x"
	g.refused(g.do(again), stock.IdempotencyKeyReused, stock.Detail{Differs: []string{"user", "qty", "client_ref"}})
	again.User, again.ClientRef = "u", ""
	g.refused(g.do(again), stock.IdempotencyKeyReused, stock.Detail{Differs: []string{"qty"}})
	again.Caller = "shop"
	g.code(g.do(again), stock.DeadlineExceeded) // a key of another caller
}

func TestRefusalOfARetryIsRemembered(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 1))
	id := g.buy("a", "u", 1)
	retry := &stock.Place{Meta: stock.Meta{Key: "k", Deadline: t0 + 20, Retry: true}, SKU: "tea", User: "u", Qty: 1}
	no := g.do(retry)
	g.refused(no, stock.SoldOutPending, stock.Detail{Held: 1, NextReleaseAt: t0 + 50})
	g.code(g.place("plain", "u", 1), stock.SoldOutPending)
	g.code(g.cancel(id), stock.OK)

	g.now(t0 + 19)
	g.same(g.place("k", "u", 1), no)
	g.same(g.o.Read(&stock.GetOutcome{SKU: "tea", Key: "k"}), stock.Outcome{Code: stock.OutcomeNotSeen})
	g.now(t0 + 20)
	g.code(g.do(retry), stock.DeadlineExceeded)
	g.buy("k", "u", 1)

	other := newGame(t, tea(stock.ModeHold, 0))
	for _, c := range []*stock.Place{
		{Meta: stock.Meta{Key: "no deadline", Retry: true}, SKU: "tea", User: "u", Qty: 1},
		{Meta: stock.Meta{Key: "no retry", Deadline: t0 + 20}, SKU: "tea", User: "u", Qty: 1},
		{Meta: stock.Meta{Key: "late", Deadline: t0, Retry: true}, SKU: "tea", User: "u", Qty: 1},
	} {
		if other.do(c).Code == stock.OK {
			t.Fatalf("%s: accepted", c.Key)
		}
		other.code(other.do(&stock.Adjust{Meta: stock.Meta{Key: "+" + c.Key}, SKU: "tea", Delta: 1}), stock.OK)
		other.buy(c.Key, "u", 1)
	}
}

func TestPlaceReleasesWhatIsDueAndNoMore(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 4))
	a, b := g.buy("a", "u", 1), g.buy("b", "u", 1)
	g.now(t0 + 1)
	c := g.buy("c", "u", 1)
	g.now(t0 + 50)
	g.buy("enough without", "v", 1)
	g.units(0, 4, 0)
	g.buy("one released", "v", 1)
	g.units(0, 4, 0)
	if o := g.order(a); o.State != stock.StateExpired || o.ExpiredAt != t0+50 || o.UpdatedAt != t0+50 || o.Version != g.at.Index {
		t.Errorf("released: %+v", o)
	}
	g.refused(g.place("too many", "v", 2), stock.InsufficientStock, stock.Detail{Available: 1})
	if g.order(b).State != stock.StateExpired || g.order(c).State != stock.StateHeld {
		t.Errorf("b %v, c %v", g.order(b).State, g.order(c).State)
	}
	g.units(1, 3, 0)
}

func TestPlaceReleasesForLimitAndBound(t *testing.T) {
	for _, mode := range []stock.Mode{stock.ModeHold, stock.ModeOnPayment} {
		t.Run(mode.String(), func(t *testing.T) {
			spec := tea(mode, 9)
			spec.LimitPerUser = 1
			g := newGame(t, spec)
			first := g.buy("a", "u", 1)
			g.refused(g.place("b", "u", 1), stock.LimitExceeded, stock.Detail{Limit: 1, Used: 1})
			g.now(t0 + 50)
			second := g.buy("b", "u", 1)
			g.settings(func(s *stock.Settings) { s.MaxOpenOrders = 1 })
			g.code(g.place("c", "v", 1), stock.Overloaded)
			g.now(t0 + 100)
			g.buy("c", "v", 1)
			if g.order(first).State != stock.StateExpired || g.order(second).State != stock.StateExpired {
				t.Error("what was due stood on")
			}
		})
	}
}

func TestOnOrderHasNoBoundOnOpenOrders(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnOrder, 9))
	g.settings(func(s *stock.Settings) { s.MaxOpenOrders = 0 })
	g.buy("a", "u", 1)
	g.buy("b", "u", 1)
}

func TestOnePlaceReleasesABatchAtMost(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 3))
	g.settings(func(s *stock.Settings) { s.ExpiryBatch = 2 })
	g.buy("a", "u", 1)
	g.buy("b", "u", 1)
	g.buy("c", "u", 1)
	g.now(t0 + 50)
	g.refused(g.place("d", "u", 3), stock.InsufficientStock, stock.Detail{Available: 2})
	g.buy("d", "u", 3)
}

func TestLimitCountsWhatTheUserHolds(t *testing.T) {
	spec := tea(stock.ModeHold, 9)
	spec.LimitPerUser = 3
	g := newGame(t, spec)
	a, b := g.buy("a", "u", 2), g.buy("b", "u", 1)
	g.refused(g.place("c", "u", 1), stock.LimitExceeded, stock.Detail{Limit: 3, Used: 3})
	g.buy("other user", "v", 3)
	g.code(g.cancel(b), stock.OK)
	g.buy("c", "u", 1)
	g.code(g.confirm(a, "p"), stock.OK)
	g.code(g.place("d", "u", 1), stock.LimitExceeded)
	g.code(g.giveBack("r", a, 1, true), stock.OK)
	g.buy("d", "u", 1)
	g.update(stock.Patch{LimitPerUser: new(int64(1))})
	g.refused(g.place("e", "u", 1), stock.LimitExceeded, stock.Detail{Limit: 1, Used: 3})
}

func TestUsedUnitsDoNotOverflow(t *testing.T) {
	spec := tea(stock.ModeOnPayment, stock.MaxStock)
	spec.MaxQty = stock.MaxStock
	g := newGame(t, spec)
	for i := range 1024 {
		g.buy(strconv.Itoa(i), "u", stock.MaxStock)
	}
	g.refused(g.place("k", "u", stock.MaxStock), stock.InvalidValue, stock.Detail{Field: "qty", Reason: "overflows a counter"})
	g.refused(g.place("k", "u", math.MaxInt64), stock.QtyAboveMax, stock.Detail{MaxQty: stock.MaxStock})
	g.buy("k", "u", 1023)
}

func TestFence(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	fence := func(key string) stock.Outcome { return g.do(&stock.Fence{Meta: stock.Meta{Key: key}, SKU: "tea"}) }
	first := g.place("a", "u", 1)
	g.code(g.cancel(first.Order.ID), stock.OK)
	g.replayed(fence("a"), first)

	g.freeze(true)
	g.same(fence("b"), stock.Outcome{Code: stock.OutcomeFenced})
	g.same(fence("b"), stock.Outcome{Code: stock.OutcomeFenced})
	g.freeze(false)
	g.same(g.place("b", "u", 1), stock.Outcome{Code: stock.Fenced})
	g.same(g.o.Read(&stock.GetOutcome{SKU: "tea", Key: "b"}), stock.Outcome{Code: stock.OutcomeFenced})

	id := first.Order.ID
	id.Counter = 2
	g.code(g.o.Read(&stock.GetOrder{Order: id}), stock.OrderNotFound)
	g.code(g.cancel(id), stock.OrderNotFound)
	if id := g.buy("c", "u", 1); id.Counter != 3 || len(g.o.Orders()) != 2 {
		t.Errorf("the fence is counter 2 and no order: %v, %v", id, g.o.Orders())
	}

	late := &stock.Fence{Meta: stock.Meta{Key: "d", Deadline: t0}, SKU: "tea"}
	g.code(g.do(late), stock.DeadlineExceeded)
	late.Key = "b"
	g.code(g.do(late), stock.OutcomeFenced)
	late.SKU = "cup"
	g.code(g.do(late), stock.SKUNotFound)
}
