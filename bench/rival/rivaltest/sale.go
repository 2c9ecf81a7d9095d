package rivaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"holdfast/bench/rival"
	"holdfast/bench/sale"
)

// Run sells with the target, in SKUs of its own.
func Run(t *testing.T, target sale.Target) {
	for name, test := range map[string]func(*testing.T, shop){
		"sells exactly N": sellsExactlyN, "limit": keepsLimit, "idempotent": answersAgain, "definite": resolves, "units": countsUnits, "catalogue": knowsSKUs,
	} {
		t.Run(name, func(t *testing.T) { test(t, shop{t, target, name + "/"}) })
	}
	if about := target.About(); about.Name == "" || about.Version == "" || about.Durability == "" || about.Replicas == 0 || about.Nodes == 0 {
		t.Errorf("it says too little about itself: %+v", about)
	}
}

// shop is a target in a test, with a prefix for the names of SKUs.
type shop struct {
	*testing.T
	target sale.Target
	prefix string
}

func (s shop) create(sku sale.SKU) string {
	s.Helper()
	sku.Name = s.prefix + sku.Name
	if err := s.target.Create(s.Context(), []sale.SKU{sku}); err != nil {
		s.Fatal(err)
	}
	return sku.Name
}

func (s shop) place(orders ...sale.Order) []sale.Answer {
	answers := make([]sale.Answer, len(orders))
	s.target.Place(s.Context(), orders, answers)
	return answers
}

// wants fails unless one order is answered so; "accepted" is an answer, too.
func (s shop) wants(reason string, o sale.Order) sale.Answer {
	s.Helper()
	a := s.place(o)[0]
	want := sale.Answer{Verdict: sale.Refused, Reason: reason}
	if reason == "accepted" {
		want = sale.Answer{Verdict: sale.Accepted, ID: a.ID}
	}
	if a != want || a.Verdict == sale.Accepted && a.ID == "" {
		s.Errorf("%+v: got %+v, want %s", o, a, reason)
	}
	return a
}

func (s shop) orders(sku string) []sale.Stored {
	s.Helper()
	var all []sale.Stored
	if err := s.target.Orders(s.Context(), []string{sku}, func(o sale.Stored) { all = append(all, o) }); err != nil {
		s.Fatal(err)
	}
	return all
}

// counts fails unless the counters and the orders of a SKU say so.
func (s shop) counts(sku string, want sale.Counters, orders int) {
	s.Helper()
	got, err := s.target.Counters(s.Context(), sku)
	if err != nil || got != want {
		s.Errorf("counters are %+v, %v, want %+v", got, err, want)
	}
	if all := s.orders(sku); len(all) != orders {
		s.Errorf("%d orders are there, want %d", len(all), orders)
	}
}

// crowd lets callers place orders at once, each in one call, and returns all answers.
func (s shop) crowd(calls [][]sale.Order) []sale.Answer {
	var wg sync.WaitGroup
	all := make([][]sale.Answer, len(calls))
	for i, orders := range calls {
		wg.Go(func() { all[i] = s.place(orders...) })
	}
	wg.Wait()
	return slices.Concat(all...)
}

func sellsExactlyN(t *testing.T, s shop) {
	const stock, callers = 100, 8
	for _, batch := range []int{1, 7} {
		sku := s.create(sale.SKU{Name: fmt.Sprint(batch), Stock: stock, LimitPerUser: 1})
		accepted := 0
		for round := range 5*stock/callers/batch + 1 {
			calls := make([][]sale.Order, callers)
			for caller := range calls {
				for i := range batch {
					who := fmt.Sprintf("%d-%d-%d", round, caller, i)
					calls[caller] = append(calls[caller], sale.Order{Key: "k" + who, SKU: sku, User: "u" + who, Qty: 1})
				}
			}
			for _, a := range s.crowd(calls) {
				switch {
				case a.Verdict == sale.Accepted:
					accepted++
				case a.Verdict != sale.Refused || a.Reason != "sold_out":
					t.Errorf("batch %d: %+v", batch, a)
				}
			}
		}
		if accepted != stock {
			t.Errorf("batch %d: %d were accepted, the stock is %d", batch, accepted, stock)
		}
		s.counts(sku, sale.Counters{Stock: stock, Held: stock}, stock)
	}
}

func keepsLimit(t *testing.T, s shop) {
	sku := s.create(sale.SKU{Name: "shoe", Stock: 100, LimitPerUser: 1})
	calls := make([][]sale.Order, 20)
	for i := range calls {
		calls[i] = []sale.Order{{Key: fmt.Sprint(i), SKU: sku, User: "ann", Qty: 1}}
	}
	accepted := 0
	for _, a := range s.crowd(calls) {
		if a.Verdict == sale.Accepted {
			accepted++
		} else if a.Reason != "limit_exceeded" {
			t.Errorf("%+v", a)
		}
	}
	if accepted != 1 {
		t.Errorf("%d orders of one user were accepted", accepted)
	}
	s.wants("limit_exceeded", sale.Order{Key: "two", SKU: sku, User: "bob", Qty: 2})
	s.wants("accepted", sale.Order{Key: "one", SKU: sku, User: "bob", Qty: 1})
	s.counts(sku, sale.Counters{Stock: 100, Available: 98, Held: 2}, 2)

	free := s.create(sale.SKU{Name: "sock", Stock: 10})
	s.wants("accepted", sale.Order{Key: "1", SKU: free, User: "ann", Qty: 3})
	s.wants("accepted", sale.Order{Key: "2", SKU: free, User: "ann", Qty: 3})
	s.counts(free, sale.Counters{Stock: 10, Available: 4, Held: 6}, 2)
}

func answersAgain(t *testing.T, s shop) {
	sku := s.create(sale.SKU{Name: "shoe", Stock: 1})
	o := sale.Order{Key: "same", SKU: sku, User: "ann", Qty: 1}
	calls := make([][]sale.Order, 20)
	for i := range calls {
		calls[i] = []sale.Order{o}
	}
	id := s.wants("accepted", o).ID
	for _, a := range append(s.crowd(calls), s.place(o, o)...) {
		if a != (sale.Answer{Verdict: sale.Accepted, ID: id}) {
			t.Errorf("the same key was answered with %+v, at first with id %s", a, id)
		}
	}
	s.wants("idempotency_key_reused", sale.Order{Key: "same", SKU: sku, User: "bob", Qty: 1})
	s.wants("idempotency_key_reused", sale.Order{Key: "same", SKU: sku, User: "ann", Qty: 2})
	s.counts(sku, sale.Counters{Stock: 1, Held: 1}, 1)

	first := s.create(sale.SKU{Name: "cap", Stock: 5, LimitPerUser: 1})
	for i := range calls {
		calls[i] = []sale.Order{{Key: "at once", SKU: first, User: "ann", Qty: 1}}
	}
	for _, a := range s.crowd(calls) {
		if a.Verdict != sale.Accepted {
			t.Errorf("copies of one request at once: %+v", a)
		}
	}
	s.counts(first, sale.Counters{Stock: 5, Available: 4, Held: 1}, 1)
}

func resolves(t *testing.T, s shop) {
	sku := s.create(sale.SKU{Name: "shoe", Stock: 3})
	came := sale.Order{Key: "came", SKU: sku, User: "ann", Qty: 1}
	lost := sale.Order{Key: "lost", SKU: sku, User: "ann", Qty: 1}
	id := s.wants("accepted", came).ID
	for range 2 {
		if a, err := s.target.Resolve(t.Context(), came); err != nil || a != (sale.Answer{Verdict: sale.Accepted, ID: id}) {
			t.Errorf("an order that was accepted resolves to %+v, %v", a, err)
		}
		if a, err := s.target.Resolve(t.Context(), lost); err != nil || a.Verdict != sale.Failed {
			t.Errorf("an order that never came resolves to %+v, %v", a, err)
		}
	}
	s.wants("fenced", lost)
	other := sale.Order{Key: "came", SKU: sku, User: "bob", Qty: 1}
	if a, err := s.target.Resolve(t.Context(), other); err != nil || a.Verdict != sale.Failed {
		t.Errorf("an order with another's key resolves to %+v, %v", a, err)
	}
	s.counts(sku, sale.Counters{Stock: 3, Available: 2, Held: 1}, 1)
}

func countsUnits(_ *testing.T, s shop) {
	sku := s.create(sale.SKU{Name: "shoe", Stock: 5, Mode: "on_order"})
	s.wants("accepted", sale.Order{Key: "a", SKU: sku, User: "ann", Qty: 3})
	s.wants("insufficient_stock", sale.Order{Key: "b", SKU: sku, User: "bob", Qty: 3})
	s.wants("accepted", sale.Order{Key: "c", SKU: sku, User: "cid", Qty: 2})
	s.wants("sold_out", sale.Order{Key: "d", SKU: sku, User: "dan", Qty: 1})
	s.counts(sku, sale.Counters{Stock: 5, Sold: 5}, 2)
	want := sale.Stored{ID: "a", Key: "a", SKU: sku, User: "ann", Qty: 3, State: "confirmed"}
	if all := s.orders(sku); !slices.Contains(all, want) {
		s.Errorf("orders are %+v, among them should be %+v", all, want)
	}
}

func knowsSKUs(t *testing.T, s shop) {
	sku := s.create(sale.SKU{Name: "shoe", Stock: 5})
	if err := s.target.Create(t.Context(), []sale.SKU{{Name: sku, Stock: 5}}); !errors.Is(err, rival.ErrExists) {
		t.Errorf("creating a SKU twice: %v", err)
	}
	if err := s.target.Create(t.Context(), []sale.SKU{{Name: "later", Stock: 5, Mode: "on_payment"}}); !errors.Is(err, rival.ErrUnsupported) {
		t.Errorf("a mode it does not know: %v", err)
	}
	if _, err := s.target.Counters(context.WithoutCancel(t.Context()), "nothing"); !errors.Is(err, rival.ErrNoSKU) {
		t.Errorf("counters of nothing: %v", err)
	}
	s.wants("sku_not_found", sale.Order{Key: "a", SKU: "nothing", User: "ann", Qty: 1})
}
