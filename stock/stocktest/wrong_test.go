package stocktest_test

import (
	"strings"
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// TestAuditNoticesAWrongHistory falsifies one sound history in every way the audit looks for.
func TestAuditNoticesAWrongHistory(t *testing.T) {
	const now = stock.Time(100)
	held := stock.Order{
		ID: stock.OrderID{Counter: 1}, SKU: "tea", User: "u", Key: "k", Qty: 2, State: stock.StateHeld, Mode: stock.ModeHold,
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now + 50, Version: 1,
	}
	later := stock.Position{Index: 2, Now: now + 10}
	for name, tc := range map[string]struct {
		wrong func(a *audit, o *stock.Order, k *stock.SKU, more *[]stock.Order)
		want  string
	}{
		"sound":          {func(*audit, *stock.Order, *stock.SKU, *[]stock.Order) {}, ""},
		"a unit lost":    {func(_ *audit, _ *stock.Order, k *stock.SKU, _ *[]stock.Order) { k.Available-- }, "stock is not"},
		"negative":       {func(_ *audit, _ *stock.Order, k *stock.SKU, _ *[]stock.Order) { k.Available, k.Sold = -1, 4 }, "out of range"},
		"sold by nobody": {func(_ *audit, _ *stock.Order, k *stock.SKU, _ *[]stock.Order) { k.Available, k.Sold = 2, 3 }, "orders hold"},
		"still held":     {func(_ *audit, _ *stock.Order, k *stock.SKU, _ *[]stock.Order) { k.Held, k.Sold = 2, 0 }, "orders hold"},
		"one key, two orders": {func(_ *audit, o *stock.Order, _ *stock.SKU, more *[]stock.Order) {
			twin := *o
			twin.ID.Counter = 2
			*more = append(*more, twin)
		}, "a second one"},
		"changed without a version": {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.Version = 1 }, "not now"},
		"changed at another time":   {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.UpdatedAt-- }, "not now"},
		"back to open":              {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.State = stock.StateOpen }, "from held to open"},
		"straight to returned":      {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.State = stock.StateReturned }, "from held"},
		"more returned than sold":   {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.ReturnedQty = 3 }, "do not add up"},
		"another quantity":          {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.Qty = 3 }, "never changes"},
		"expired early":             {func(_ *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) { o.State = stock.StateExpired }, "before its deadline"},
		"confirmed late": {func(a *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) {
			o.ExpiresAt = later.Now
			was := a.seen[o.ID]
			was.ExpiresAt = later.Now
			a.seen[o.ID] = was
		}, "after its deadline"},
		"a second payment": {func(a *audit, o *stock.Order, _ *stock.SKU, _ *[]stock.Order) {
			was := a.seen[o.ID]
			was.State, was.PaymentID = stock.StateConfirmed, "q"
			a.seen[o.ID] = was
		}, "another payment"},
		"created in the past": {func(_ *audit, o *stock.Order, _ *stock.SKU, more *[]stock.Order) {
			old := *o
			old.ID.Counter, old.Key, old.Version = 2, "other", 1
			*more = append(*more, old)
		}, "not of now"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAudit()
			a.seen[held.ID] = held
			paid := held
			paid.State, paid.PaymentID, paid.ConfirmedAt, paid.UpdatedAt, paid.Version = stock.StateConfirmed, "p", later.Now, later.Now, later.Index
			row := stock.SKU{Spec: stock.Spec{SKU: "tea", Stock: 5}, Number: 1, Available: 3, Sold: 2, Version: 2}
			var more []stock.Order
			tc.wrong(a, &paid, &row, &more)
			step := stocktest.Step{At: later, Command: &stock.Confirm{Order: held.ID, PaymentID: "p"}}
			got := a.step(step, stock.Outcome{Code: stock.OK}, []stock.SKU{row}, append([]stock.Order{paid}, more...))
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

// TestAuditNoticesWrongAcceptances falsifies the answers to Place.
func TestAuditNoticesWrongAcceptances(t *testing.T) {
	order := stock.Order{SKU: "tea", User: "u", Key: "k", Qty: 2, State: stock.StateHeld}
	row := stock.SKU{Spec: stock.Spec{SKU: "tea", LimitPerUser: 2}}
	c := &stock.Place{Meta: stock.Meta{Key: "k"}, SKU: "tea", User: "u", Qty: 2}
	a := newAudit()
	a.seen[order.ID] = order
	if why := a.accepted(c, stock.Outcome{Code: stock.OK, Order: &order}, []stock.SKU{row}); why != "" {
		t.Errorf("sound, yet: %s", why)
	}
	again := order
	if why := a.accepted(c, stock.Outcome{Code: stock.OK, Replayed: true, Order: &again}, nil); why != "" {
		t.Errorf("sound replay, yet: %s", why)
	}
	again.State = stock.StateConfirmed
	if a.accepted(c, stock.Outcome{Code: stock.OK, Replayed: true, Order: &again}, nil) == "" {
		t.Error("a replay that shows a later state passes")
	}
	row.LimitPerUser = 1
	if a.accepted(c, stock.Outcome{Code: stock.OK, Order: &order}, []stock.SKU{row}) == "" {
		t.Error("an order over the limit passes")
	}
}

// TestAForgottenCommandShows plays each sequence on a second oracle that misses one command that had an effect.
func TestAForgottenCommandShows(t *testing.T) {
	missed := 0
	for seed := range uint64(500) {
		steps := stocktest.Random(seed, 60)
		at := 4 + int(seed%50)
		whole, holed := stocktest.NewOracle(), stocktest.NewOracle()
		effect, difference := false, ""
		for i, s := range steps {
			before := whole.Orders()
			want, _ := whole.Apply(s.At, s.Command)
			if i == at {
				_, places := s.Command.(*stock.Place)
				if effect = places && want.Code == stock.OK && !want.Replayed; !effect {
					break
				}
				if stocktest.CompareOrders(before, whole.Orders()) == "" {
					t.Fatalf("seed %d: an accepted order leaves no trace", seed)
				}
				continue
			}
			got, _ := holed.Apply(s.At, s.Command)
			if d := stocktest.Compare(want, got); difference == "" && d != "" {
				difference = d
			}
		}
		if !effect {
			continue
		}
		missed++
		difference += stocktest.CompareOrders(whole.Orders(), holed.Orders())
		for _, name := range []string{"tea", "cup", "jar"} {
			difference += stocktest.CompareSKUs(whole.Counters(name), holed.Counters(name))
		}
		if difference == "" {
			t.Errorf("seed %d: nobody noticed that step %d was missing", seed, at)
		}
	}
	if missed < 30 {
		t.Errorf("only %d sequences missed a command", missed)
	}
}
