package stocktest_test

import (
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// t0 is the log time at which the games below begin.
const t0 stock.Time = 10_000

// game plays commands on an oracle, each in an entry of its own.
type game struct {
	t  *testing.T
	o  *stocktest.Oracle
	at stock.Position
}

func allPartitions() []stock.Partition {
	ps := make([]stock.Partition, stock.Partitions)
	for i := range ps {
		ps[i] = stock.Partition(i)
	}
	return ps
}

// newGame starts a shard that owns everything, remembers for 100 ms, and sells SKU "tea".
func newGame(t *testing.T, tea stock.Spec) *game {
	t.Helper()
	g := &game{t: t, o: stocktest.NewOracle(), at: stock.Position{Now: t0}}
	settings := stock.DefaultSettings()
	settings.RetentionMS = 100
	g.do(&stock.Init{Epoch: 3, Partitions: allPartitions(), Settings: settings})
	tea.SKU = "tea"
	g.code(g.do(&stock.Create{Meta: stock.Meta{Key: "c"}, Spec: tea}), stock.OK)
	return g
}

func tea(mode stock.Mode, units int64) stock.Spec {
	return stock.Spec{Stock: units, Mode: mode, HoldTTLMS: 50, MaxQty: 10}
}

func (g *game) do(c stock.Command) stock.Outcome {
	g.at.Index++
	outcome, meant := g.o.Apply(g.at, c)
	if meant != (c.Head() != nil) {
		g.t.Helper()
		g.t.Fatalf("%T: outcome is meant: %v", c, meant)
	}
	return outcome
}

func (g *game) now(t stock.Time) { g.at.Now = t }

func (g *game) place(key, user string, qty int64) stock.Outcome {
	return g.do(&stock.Place{Meta: stock.Meta{Key: key}, SKU: "tea", User: user, Qty: qty})
}

// buy places an order that must be accepted.
func (g *game) buy(key, user string, qty int64) stock.OrderID {
	g.t.Helper()
	outcome := g.place(key, user, qty)
	g.code(outcome, stock.OK)
	return outcome.Order.ID
}

func (g *game) confirm(id stock.OrderID, payment string) stock.Outcome {
	return g.do(&stock.Confirm{Order: id, PaymentID: payment})
}

func (g *game) cancel(id stock.OrderID) stock.Outcome { return g.do(&stock.Cancel{Order: id}) }

func (g *game) giveBack(key string, id stock.OrderID, qty int64, restock bool) stock.Outcome {
	return g.do(&stock.Return{Meta: stock.Meta{Key: key}, Order: id, Qty: qty, Restock: restock})
}

func (g *game) order(id stock.OrderID) stock.Order {
	g.t.Helper()
	outcome := g.o.Read(&stock.GetOrder{Order: id})
	g.code(outcome, stock.OK)
	return *outcome.Order
}

func (g *game) code(got stock.Outcome, want stock.Code) {
	g.t.Helper()
	if got.Code != want {
		g.t.Fatalf("index %d: want %v, got %v (%+v)", g.at.Index, want, got.Code, got.Detail)
	}
}

// refused expects a refusal with exactly these members.
func (g *game) refused(got stock.Outcome, code stock.Code, detail stock.Detail) {
	g.t.Helper()
	g.same(got, stock.Outcome{Code: code, Detail: &detail})
}

func (g *game) same(got, want stock.Outcome) {
	g.t.Helper()
	if d := stocktest.Compare(want, got); d != "" {
		g.t.Fatalf("index %d: %s", g.at.Index, d)
	}
}

// replayed expects the answer of before once more.
func (g *game) replayed(got, before stock.Outcome) {
	g.t.Helper()
	before.Replayed = true
	g.same(got, before)
}

// units expects the counters of tea.
func (g *game) units(available, held, sold int64) {
	g.t.Helper()
	s := g.o.Counters("tea")
	if s.Available != available || s.Held != held || s.Sold != sold || s.Stock != available+held+sold {
		g.t.Fatalf("index %d: want available %d, held %d, sold %d, got %+v", g.at.Index, available, held, sold, s)
	}
}

func (g *game) settings(change func(*stock.Settings)) {
	g.t.Helper()
	s := stock.DefaultSettings()
	s.RetentionMS = 100
	change(&s)
	g.code(g.do(&stock.SetSettings{Settings: s}), stock.OK)
}

func (g *game) freeze(frozen bool) {
	g.t.Helper()
	g.code(g.do(&stock.Freeze{SKU: "tea", Frozen: frozen}), stock.OK)
}

func (g *game) update(p stock.Patch) {
	g.t.Helper()
	g.code(g.do(&stock.Update{SKU: "tea", Patch: p}), stock.OK)
}
