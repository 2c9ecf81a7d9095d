package stocktest_test

import (
	"math"
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

func TestCreate(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	spec := g.o.Counters("tea").Spec
	want := stock.SKU{Spec: spec, Number: 1, Available: 5, Version: 2}
	if d := stocktest.CompareSKUs(want, g.o.Counters("tea")); d != "" {
		t.Error(d)
	}
	g.buy("a", "u", 2)
	g.update(stock.Patch{MaxQty: new(int64(7))})
	got := g.do(&stock.Create{Meta: stock.Meta{Key: "again"}, Spec: spec})
	want.Available, want.Held, want.MaxQty, want.Version = 3, 2, 7, 4
	g.same(got, stock.Outcome{Code: stock.OK, Replayed: true, SKU: &want})

	other := stock.Spec{
		SKU: "tea", Stock: 6, Mode: stock.ModeOnOrder, HoldTTLMS: 1, LimitPerUser: 1, MaxQty: 1, OpensAt: 1, ClosesAt: 2, Hot: true,
	}
	g.refused(g.do(&stock.Create{Spec: other}), stock.SKUExists, stock.Detail{Differs: []string{
		"stock", "mode", "hold_ttl_ms", "limit_per_user", "max_qty", "opens_at", "closes_at", "hot",
	}})
	spec.MaxQty = 7 // as it is now, but not as it was asked for
	g.refused(g.do(&stock.Create{Spec: spec}), stock.SKUExists, stock.Detail{Differs: []string{"max_qty"}})

	other.SKU = "cup"
	g.code(g.do(&stock.Create{Meta: stock.Meta{Deadline: t0}, Spec: other}), stock.DeadlineExceeded)
	g.code(g.o.Read(&stock.GetSKU{SKU: "cup"}), stock.SKUNotFound)
	if got := g.do(&stock.Create{Spec: other}); got.SKU.Number != 2 {
		t.Errorf("numbers are given in order: %+v", got.SKU)
	}
}

func TestUpdate(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	id := g.buy("a", "u", 1)
	got := g.do(&stock.Update{SKU: "tea", Patch: stock.Patch{
		HoldTTLMS: new(int64(1)), LimitPerUser: new(int64(2)), MaxQty: new(int64(3)),
		OpensAt: new(t0), ClosesAt: new(t0 + 9), Hot: new(true),
	}})
	g.same(got, stock.Outcome{Code: stock.OK, SKU: &stock.SKU{
		Spec: stock.Spec{
			SKU: "tea", Stock: 5, Mode: stock.ModeHold, HoldTTLMS: 1, LimitPerUser: 2, MaxQty: 3, OpensAt: t0, ClosesAt: t0 + 9, Hot: true,
		},
		Number: 1, Available: 4, Held: 1, Version: 4,
	}})
	if o := g.order(id); o.ExpiresAt != t0+50 {
		t.Errorf("an order keeps what it was accepted under: %+v", o)
	}
	closes := stock.Detail{Field: "closes_at", Reason: "must be after opens_at"}
	g.refused(g.do(&stock.Update{SKU: "tea", Patch: stock.Patch{OpensAt: new(t0 + 9)}}), stock.InvalidValue, closes)
	g.refused(g.do(&stock.Update{SKU: "tea", Patch: stock.Patch{MaxQty: new(int64(1)), ClosesAt: new(t0)}}), stock.InvalidValue, closes)
	if d := stocktest.CompareSKUs(*got.SKU, g.o.Counters("tea")); d != "" {
		t.Errorf("a refused update changed %s", d)
	}
	g.update(stock.Patch{OpensAt: new(stock.Time(0)), ClosesAt: new(stock.Time(1))})
	g.code(g.do(&stock.Update{SKU: "cup"}), stock.SKUNotFound)
}

func TestNodeMadeKeysAreRememberedUntilTheirDeadline(t *testing.T) {
	meta := stock.Meta{Key: "node", Deadline: t0 + 10}
	cup := tea(stock.ModeHold, 1)
	cup.SKU = "cup"
	settings := stock.DefaultSettings()
	settings.MaxOpenOrders = 0 // refuses every order that would wait
	for name, tc := range map[string]struct {
		c stock.Command
		// undo takes back what c did.
		undo stock.Command
		// done reports whether c is in effect.
		done func(g *game) bool
	}{
		"freeze": {
			&stock.Freeze{Meta: meta, SKU: "tea", Frozen: true}, &stock.Freeze{SKU: "tea"},
			func(g *game) bool { return g.o.Counters("tea").Frozen },
		},
		"update": {
			&stock.Update{Meta: meta, SKU: "tea", Patch: stock.Patch{MaxQty: new(int64(1))}},
			&stock.Update{SKU: "tea", Patch: stock.Patch{MaxQty: new(int64(2))}},
			func(g *game) bool { return g.o.Counters("tea").MaxQty == 1 },
		},
		"settings": {
			&stock.SetSettings{Meta: meta, Settings: settings}, &stock.SetSettings{Settings: stock.DefaultSettings()},
			func(g *game) bool {
				return g.o.Clone().Read(&stock.GetSKU{SKU: "tea"}).Code == stock.OK && overloaded(g)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGame(t, tea(stock.ModeHold, 5))
			first := g.do(tc.c)
			g.code(first, stock.OK)
			if !tc.done(g) {
				t.Fatal("no effect")
			}
			g.code(g.do(tc.undo), stock.OK)
			g.now(t0 + 9)
			g.same(g.do(tc.c), first)
			if tc.done(g) {
				t.Fatal("a late copy took effect")
			}
			g.now(t0 + 10)
			g.code(g.do(tc.c), stock.DeadlineExceeded)
			*tc.c.Head() = stock.Meta{Key: "node", Deadline: t0 + 20}
			g.code(g.do(tc.c), stock.OK)
			if !tc.done(g) {
				t.Fatal("the key is free again")
			}
		})
	}

	g := newGame(t, tea(stock.ModeHold, 5))
	first := g.do(&stock.Create{Meta: meta, Spec: cup})
	g.code(g.do(&stock.Freeze{SKU: "cup", Frozen: true}), stock.OK)
	g.same(g.do(&stock.Create{Meta: meta, Spec: cup}), first)
	refusedUpdate := &stock.Update{
		Meta: stock.Meta{Key: "no", Deadline: t0 + 10}, SKU: "cup", Patch: stock.Patch{OpensAt: new(t0), ClosesAt: new(t0)},
	}
	no := g.do(refusedUpdate)
	g.code(no, stock.InvalidValue)
	refusedUpdate.Patch = stock.Patch{}
	g.same(g.do(refusedUpdate), no)
}

// overloaded tries a Place on a copy of the game.
func overloaded(g *game) bool {
	got, _ := g.o.Clone().Apply(g.at, &stock.Place{Meta: stock.Meta{Key: "try"}, SKU: "tea", User: "u", Qty: 1})
	return got.Code == stock.Overloaded
}

func TestAdjust(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	adjust := func(key string, delta int64) stock.Outcome {
		return g.do(&stock.Adjust{Meta: stock.Meta{Key: key}, SKU: "tea", Delta: delta, Reason: "count"})
	}
	g.freeze(true) // by an operator: does not stop an adjustment
	first := adjust("a", 2)
	g.code(first, stock.OK)
	if s := first.SKU; s.Stock != 7 || s.Available != 7 || s.Version != g.at.Index {
		t.Errorf("adjusted: %+v", s)
	}
	g.freeze(false)
	g.buy("a", "u", 3) // another key space
	g.refused(adjust("b", -5), stock.InsufficientStock, stock.Detail{Available: 4})
	g.refused(adjust("b", math.MinInt64), stock.InsufficientStock, stock.Detail{Available: 4})
	g.code(adjust("b", -4), stock.OK)
	g.units(0, 3, 0)
	late := &stock.Adjust{Meta: stock.Meta{Key: "a", Deadline: t0}, SKU: "tea", Delta: 2, Reason: "count"}
	g.replayed(g.do(late), first)
	late.Key = "c"
	g.code(g.do(late), stock.DeadlineExceeded)
	g.refused(g.do(&stock.Adjust{Meta: stock.Meta{Key: "a"}, SKU: "tea", Delta: 1}), stock.IdempotencyKeyReused,
		stock.Detail{Differs: []string{"delta", "reason"}})
	g.code(g.do(&stock.Adjust{SKU: "cup", Delta: 1}), stock.SKUNotFound)
	overflows := stock.Detail{Field: "delta", Reason: "overflows a counter"}
	g.refused(adjust("d", math.MaxInt64), stock.InvalidValue, overflows)
	g.refused(adjust("d", stock.MaxStock-2), stock.InvalidValue, overflows)
	g.code(adjust("d", stock.MaxStock-3), stock.OK)
}

func TestAdjustReleasesWhatIsDueAndNoMore(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 3))
	a, b := g.buy("a", "u", 1), g.buy("b", "u", 1)
	g.now(t0 + 1)
	g.buy("c", "u", 1)
	g.now(t0 + 50)
	minus := func(key string, n int64) stock.Outcome {
		return g.do(&stock.Adjust{Meta: stock.Meta{Key: key}, SKU: "tea", Delta: -n})
	}
	g.code(minus("x", 1), stock.OK)
	if g.order(a).State != stock.StateExpired || g.order(b).State != stock.StateHeld {
		t.Errorf("a %v, b %v", g.order(a).State, g.order(b).State)
	}
	g.refused(minus("y", 2), stock.InsufficientStock, stock.Detail{Available: 1})
	g.units(1, 1, 0)

	open := newGame(t, tea(stock.ModeOnPayment, 1))
	id := open.buy("a", "u", 1)
	open.now(t0 + 50)
	open.code(open.do(&stock.Adjust{SKU: "tea", Delta: -2}), stock.InsufficientStock)
	if open.order(id).State != stock.StateOpen {
		t.Error("an open order holds nothing that could be released")
	}
}

func TestBrokenSKUStandsStill(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	sold, held := g.buy("a", "u", 1), g.buy("b", "u", 1)
	g.code(g.confirm(sold, "p"), stock.OK)
	g.o.Break("tea")
	was, orders := g.o.Counters("tea"), g.o.Orders()
	g.now(t0 + 1000)
	for _, c := range []stock.Command{
		&stock.Place{Meta: stock.Meta{Key: "c"}, SKU: "tea", User: "u", Qty: 1},
		&stock.Confirm{Order: held, PaymentID: "p"}, &stock.Cancel{Order: held},
		&stock.Return{Order: sold}, &stock.Fence{Meta: stock.Meta{Key: "d"}, SKU: "tea"}, &stock.Adjust{SKU: "tea", Delta: 1},
		&stock.Freeze{SKU: "tea"}, &stock.Update{SKU: "tea"},
	} {
		if got := g.do(c); got.Code != stock.Frozen {
			t.Errorf("%T: %v", c, got.Code)
		}
	}
	// What is known is answered all the same.
	g.code(g.place("a", "u", 1), stock.OK)
	g.code(g.confirm(sold, "p"), stock.OK)
	g.refused(g.cancel(sold), stock.InvalidState, stock.Detail{State: stock.StateConfirmed})
	g.do(&stock.Expire{SKU: "tea"})
	g.do(&stock.FlushMark{Index: g.at.Index})
	if d := stocktest.CompareSKUs(was, g.o.Counters("tea")) + stocktest.CompareOrders(orders, g.o.Orders()); d != "" {
		t.Error(d)
	}
}

func TestWrongShard(t *testing.T) {
	o := stocktest.NewOracle()
	here := []stock.Partition{stock.PartitionOf("tea")}
	far := stock.OrderID{Epoch: 1, Partition: stock.PartitionOf("cup"), SKU: 1, Counter: 1}
	o.Apply(stock.Position{Index: 1, Now: t0}, &stock.Init{Epoch: 1, Partitions: here, Settings: stock.DefaultSettings()})
	want := stock.Outcome{Code: stock.InvalidValue, Detail: &stock.Detail{Field: "sku", Reason: "wrong shard"}}
	for _, c := range []stock.Command{
		&stock.Place{SKU: "cup"}, &stock.Fence{SKU: "cup"}, &stock.Create{Spec: stock.Spec{SKU: "cup"}}, &stock.Update{SKU: "cup"},
		&stock.Freeze{SKU: "cup"}, &stock.Adjust{SKU: "cup"},
		&stock.Confirm{Order: far}, &stock.Cancel{Order: far}, &stock.Return{Order: far},
	} {
		got, _ := o.Apply(stock.Position{Index: 2, Now: t0}, c)
		if d := stocktest.Compare(want, got); d != "" {
			t.Errorf("%T: %s", c, d)
		}
	}
	for _, q := range []stock.Request{&stock.GetSKU{SKU: "cup"}, &stock.GetOutcome{SKU: "cup"}, &stock.GetOrder{Order: far}} {
		if d := stocktest.Compare(want, o.Read(q)); d != "" {
			t.Errorf("%T: %s", q, d)
		}
	}
	if got := o.Read(&stock.GetSKU{SKU: "tea"}); got.Code != stock.SKUNotFound {
		t.Error(got.Code)
	}
}

func TestReads(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 5))
	first := g.place("k", "u", 1)
	g.code(g.confirm(first.Order.ID, "p"), stock.OK)
	g.same(g.o.Read(&stock.GetOutcome{SKU: "tea", Key: "k"}), first)
	g.code(g.o.Read(&stock.GetOutcome{SKU: "tea", Key: "k", Caller: "shop"}), stock.OutcomeNotSeen)
	g.code(g.o.Read(&stock.GetOutcome{SKU: "cup", Key: "k"}), stock.SKUNotFound)
	if o := g.order(first.Order.ID); o.State != stock.StateConfirmed {
		t.Errorf("as it stands: %+v", o)
	}
	row := g.o.Counters("tea")
	g.same(g.o.Read(&stock.GetSKU{SKU: "tea"}), stock.Outcome{Code: stock.OK, SKU: &row})
	g.code(g.o.Read(&stock.Place{SKU: "tea"}), stock.Internal)
}
