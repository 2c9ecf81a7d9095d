package stocktest_test

import (
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// left lists the counters of the orders in memory.
func left(g *game) []uint64 {
	var counters []uint64
	for _, o := range g.o.Orders() {
		counters = append(counters, o.ID.Counter)
	}
	return counters
}

func (g *game) leaves(want ...uint64) {
	g.t.Helper()
	got := left(g)
	if len(got) != len(want) {
		g.t.Fatalf("index %d: want orders %v in memory, got %v", g.at.Index, want, got)
	}
	for i := range want {
		if got[i] != want[i] {
			g.t.Fatalf("index %d: want orders %v in memory, got %v", g.at.Index, want, got)
		}
	}
}

func TestSettledOrdersLeaveAtAMark(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 9))
	a, b := g.buy("a", "u", 2), g.buy("b", "u", 1)
	g.code(g.confirm(a, "p"), stock.OK)
	settledAt := g.at.Index
	g.now(t0 + 99)
	g.do(&stock.FlushMark{Index: g.at.Index})
	g.leaves(1, 2) // not old enough
	g.now(t0 + 100)
	g.update(stock.Patch{ClosesAt: new(t0 + 120)})
	g.do(&stock.FlushMark{Index: g.at.Index})
	g.leaves(1, 2) // the sale is not over
	g.update(stock.Patch{ClosesAt: new(stock.Time(0))})
	g.do(&stock.FlushMark{Index: settledAt - 1})
	g.leaves(1, 2) // not flushed
	g.do(&stock.FlushMark{Index: settledAt})
	g.leaves(2) // b is due, but nobody has released it

	g.code(g.o.Read(&stock.GetOrder{Order: a}), stock.OrderNotFound)
	g.code(g.confirm(a, "p"), stock.OrderNotFound)
	g.code(g.o.Read(&stock.GetOutcome{SKU: "tea", Key: "a"}), stock.OutcomeNotSeen)
	g.units(6, 1, 2)
	if g.buy("a", "v", 1).Counter != 3 {
		t.Error("the key is free, the counter goes on")
	}
	if g.order(b).State != stock.StateHeld {
		t.Error("a mark releases nothing")
	}
	g.update(stock.Patch{ClosesAt: new(t0 + 101)})
	g.code(g.cancel(b), stock.InvalidState)
	g.now(t0 + 200)
	g.do(&stock.FlushMark{Index: g.at.Index})
	g.leaves(3)
}

func TestLimitOutlivesTheOrder(t *testing.T) {
	spec := tea(stock.ModeHold, 9)
	spec.LimitPerUser = 5
	g := newGame(t, spec)
	a, b := g.buy("a", "u", 3), g.buy("b", "u", 2)
	g.code(g.confirm(a, "p"), stock.OK)
	g.code(g.giveBack("r", a, 1, true), stock.OK)
	g.code(g.cancel(b), stock.OK)
	g.now(t0 + 100)
	g.do(&stock.FlushMark{Index: g.at.Index})
	g.leaves()
	g.refused(g.place("c", "u", 4), stock.LimitExceeded, stock.Detail{Limit: 5, Used: 2})
	g.buy("c", "u", 3)
}

func TestRowsLeaveInOrderOfTheirLastChange(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnOrder, 9))
	g.settings(func(s *stock.Settings) { s.EvictBatch = 2 })
	a := g.buy("a", "u", 2)
	g.buy("b", "u", 1)
	g.code(g.do(&stock.Fence{Meta: stock.Meta{Key: "c"}, SKU: "tea"}), stock.OutcomeFenced)
	g.buy("d", "u", 1)
	g.now(t0 + 10)
	g.code(g.giveBack("r", a, 1, true), stock.OK)
	g.now(t0 + 200)
	g.do(&stock.FlushMark{Index: g.at.Index})
	g.leaves(1, 4) // b and the fence
	g.buy("c", "u", 1)
	g.do(&stock.FlushMark{Index: g.at.Index})
	g.leaves(5)
	if !g.keyIsFree("r") {
		t.Error("a return key is forgotten with its order")
	}

	h := newGame(t, tea(stock.ModeOnOrder, 9))
	h.buy("a", "u", 1)
	flushed := h.at.Index
	h.code(h.do(&stock.Fence{Meta: stock.Meta{Key: "f"}, SKU: "tea"}), stock.OutcomeFenced)
	h.buy("b", "u", 1)
	h.code(h.do(&stock.Fence{Meta: stock.Meta{Key: "g"}, SKU: "tea"}), stock.OutcomeFenced)
	h.now(t0 + 100)
	h.do(&stock.FlushMark{Index: flushed})
	h.leaves(3)
	h.code(h.o.Read(&stock.GetOutcome{SKU: "tea", Key: "f"}), stock.OutcomeNotSeen) // a fence is in no storage: it need not be flushed
	h.code(h.o.Read(&stock.GetOutcome{SKU: "tea", Key: "g"}), stock.OutcomeFenced)  // behind one that may not leave
}

// keyIsFree tries a return under a key on a copy of the game.
func (g *game) keyIsFree(key string) bool {
	orders := g.o.Orders()
	got, _ := g.o.Clone().Apply(g.at, &stock.Return{Meta: stock.Meta{Key: key}, Order: orders[len(orders)-1].ID})
	return got.Code == stock.OK && !got.Replayed
}

func TestAdjustmentKeysAreForgottenAtAMark(t *testing.T) {
	g := newGame(t, tea(stock.ModeHold, 1))
	plus := &stock.Adjust{Meta: stock.Meta{Key: "a"}, SKU: "tea", Delta: 1}
	first := g.do(plus)
	g.now(t0 + 99)
	g.do(&stock.FlushMark{})
	g.replayed(g.do(plus), first)
	g.now(t0 + 100)
	g.replayed(g.do(plus), first) // not before a mark
	g.do(&stock.FlushMark{})
	if g.do(plus).Replayed {
		t.Error("still known")
	}
	g.units(3, 0, 0)
}

func TestCloneRemembersNoLaterRefusal(t *testing.T) {
	g := newGame(t, tea(stock.ModeOnPayment, 1))
	id := g.buy("a", "u", 1)
	g.code(g.do(&stock.Adjust{Meta: stock.Meta{Key: "-"}, SKU: "tea", Delta: -1}), stock.OK)
	before := *g
	before.o = g.o.Clone()
	pay := &stock.Confirm{Meta: stock.Meta{Deadline: t0 + 10}, Order: id, PaymentID: "p"}
	g.code(g.do(pay), stock.SoldOut)
	for _, side := range []struct {
		g    *game
		want stock.Code
	}{{g, stock.SoldOut}, {&before, stock.OK}} {
		side.g.code(side.g.do(&stock.Adjust{Meta: stock.Meta{Key: "+"}, SKU: "tea", Delta: 1}), stock.OK)
		side.g.code(side.g.do(pay), side.want)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	for seed := range uint64(300) {
		steps := stocktest.Random(seed, 60)
		o := stocktest.NewOracle()
		for _, s := range steps[:30] {
			o.Apply(s.At, s.Command)
		}
		clone, untouched := o.Clone(), o.Clone()
		play := func(o *stocktest.Oracle) (outcomes []stock.Outcome, orders []stock.Order) {
			for _, s := range steps[30:] {
				outcome, _ := o.Apply(s.At, s.Command)
				outcomes = append(outcomes, outcome)
			}
			return outcomes, o.Orders()
		}
		want, wantOrders := play(o)
		for name, o := range map[string]*stocktest.Oracle{"clone": clone, "clone of one that went on": untouched} {
			got, gotOrders := play(o)
			for i := range want {
				if d := stocktest.Compare(want[i], got[i]); d != "" {
					t.Fatalf("seed %d, %s, %v: %s", seed, name, steps[30+i], d)
				}
			}
			if d := stocktest.CompareOrders(wantOrders, gotOrders); d != "" {
				t.Fatalf("seed %d, %s: %s", seed, name, d)
			}
		}
	}
}
