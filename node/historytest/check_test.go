package historytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const searchTime = 20 * time.Second

// one is a SKU with one unit, which makes wrong histories short.
var one = Spec{SKU: "shoe", Stock: 1}

// script gives calls one moment each, in their order.
func script(ops ...Op) []Op {
	for i := range ops {
		ops[i].SKU = "shoe"
		ops[i].Call = int64(10 * (i + 1))
		if ops[i].Return = ops[i].Call + 5; ops[i].Answer.unknown() {
			ops[i].Return = Never
		}
		if ops[i].Kind == Place {
			ops[i].Qty = 1
			if ops[i].User == "" {
				ops[i].User = ops[i].Key
			}
		}
	}
	return ops
}

// Shorthands of scripts: an order's id is its key in capitals.
func held(key string) Op { return ordered(key, "held") }

func ordered(key, state string) Op {
	return Op{Kind: Place, Key: key, Answer: Answer{OrderID: strings.ToUpper(key), State: state}}
}

func placing(key, code string) Op { return Op{Kind: Place, Key: key, Answer: Answer{Code: code}} }

func about(k Kind, key, state string) Op {
	o := Op{Kind: k, OrderID: strings.ToUpper(key), Answer: Answer{OrderID: strings.ToUpper(key), State: state}}
	if state == "confirmed" {
		o.Answer.Payment = "p"
	}
	if k == Confirm {
		o.Payment = "p"
	}
	return o
}

func unanswered(k Kind, key string) Op {
	o := about(k, key, "")
	o.Answer = Answer{Code: Unknown}
	return o
}

func counted(available, held, sold int64) Op {
	return Op{Kind: ReadSKU, Answer: Answer{Stock: available + held + sold, Available: available, Held: held, Sold: sold}}
}

func at(version uint64, o Op) Op {
	o.Answer.Version = version
	return o
}

func fencing(key, state string) Op {
	o := Op{Kind: Fence, Key: key, Answer: Answer{State: state}}
	if state != Fenced {
		o.Answer.OrderID = strings.ToUpper(key)
	}
	return o
}

func replayed(o Op) Op {
	o.Answer.Replayed = true
	return o
}

func pending(key string) Op {
	return Op{Kind: Place, Key: key, Answer: Answer{Code: "sold_out_pending", Held: 1}}
}

func TestHistoriesThatAreExplained(t *testing.T) {
	for name, ops := range map[string][]Op{
		"a sale":                   script(held("a"), pending("b"), about(Confirm, "a", "confirmed"), placing("b", "sold_out"), counted(0, 0, 1)),
		"a cancellation":           script(held("a"), about(Cancel, "a", "cancelled"), held("b"), counted(0, 1, 0)),
		"a key again":              script(held("a"), replayed(held("a")), held("a"), counted(0, 1, 0)),
		"unknown, it was":          script(placing("a", Unknown), pending("b"), counted(0, 1, 0)),
		"unknown, it was not":      script(placing("a", Unknown), held("b"), counted(0, 1, 0)),
		"unknown, it was later":    script(placing("a", Unknown), counted(1, 0, 0), counted(0, 1, 0)),
		"unknown, then told":       script(placing("a", Unknown), counted(1, 0, 0), replayed(held("a")), counted(0, 1, 0)),
		"unknown, then fenced":     script(placing("a", Unknown), fencing("a", Fenced), held("b"), placing("a", "fenced")),
		"unknown, then refused":    script(held("b"), placing("a", Unknown), pending("a"), about(Cancel, "b", "cancelled"), counted(0, 1, 0)),
		"unknown payment":          script(held("a"), unanswered(Confirm, "a"), about(ReadOrder, "a", "held"), about(ReadOrder, "a", "confirmed")),
		"unknown, never paid":      script(held("a"), unanswered(Confirm, "a"), about(Cancel, "a", "cancelled"), counted(1, 0, 0)),
		"unknown cancellation":     script(held("a"), unanswered(Cancel, "a"), counted(0, 1, 0), held("b"), about(ReadOrder, "a", "cancelled")),
		"unknown, not cancelled":   script(held("a"), unanswered(Cancel, "a"), about(Confirm, "a", "confirmed"), counted(0, 0, 1)),
		"indexes":                  script(at(3, counted(1, 0, 0)), at(4, held("a")), at(4, counted(0, 1, 0)), at(9, about(Cancel, "a", "cancelled")), at(9, counted(1, 0, 0))),
		"an index nobody was told": script(at(3, counted(1, 0, 0)), placing("a", Unknown), at(8, counted(0, 1, 0)), at(8, counted(0, 1, 0))),
		"an order that never was":  script(Op{Kind: ReadOrder, OrderID: "Z", Answer: Answer{Code: "order_not_found"}}, held("a")),
	} {
		if err := Check(one, ops, searchTime); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each of these promises is broken by one history, and every one is found.
func TestWrongHistoriesAreRejected(t *testing.T) {
	other := held("a")
	other.Answer.OrderID = "A2"
	for name, ops := range map[string][]Op{
		"oversold":                        script(held("a"), held("b")),
		"oversold, seen in the counters":  script(held("a"), Op{Kind: ReadSKU, Answer: Answer{Stock: 1, Available: -1, Held: 2}}),
		"oversold by one without answer":  script(held("a"), placing("b", Unknown), about(ReadOrder, "b", "held"), fencing("b", "held")),
		"a lost order":                    script(held("a"), counted(1, 0, 0)),
		"a lost order, not found":         script(held("a"), Op{Kind: ReadOrder, OrderID: "A", Answer: Answer{Code: "order_not_found"}}),
		"a lost order, its unit sold":     script(held("a"), held("b"), Op{Kind: ReadOrder, OrderID: "A", Answer: Answer{Code: "order_not_found"}}),
		"a lost order, its key fenced":    script(held("a"), fencing("a", Fenced)),
		"a stale read of an order":        script(held("a"), about(Confirm, "a", "confirmed"), about(ReadOrder, "a", "held")),
		"a stale read of the counters":    script(held("a"), about(Cancel, "a", "cancelled"), counted(0, 1, 0)),
		"a stale outcome":                 script(held("a"), Op{Kind: ReadOutcome, Key: "a", Answer: Answer{Code: "outcome_not_seen"}}),
		"a stale refusal":                 script(held("a"), about(Cancel, "a", "cancelled"), pending("b")),
		"a stale index":                   script(at(4, held("a")), at(6, about(Cancel, "a", "cancelled")), at(5, held("b"))),
		"counters of another index":       script(at(4, held("a")), at(5, counted(0, 1, 0))),
		"one key, two orders":             script(held("a"), about(Cancel, "a", "cancelled"), other),
		"one key, two orders, by replay":  script(held("a"), replayed(other)),
		"one key, its units given twice":  script(held("a"), about(Cancel, "a", "cancelled"), about(Cancel, "a", "cancelled"), counted(2, -1, 0)),
		"a replay of what never was":      script(replayed(held("a"))),
		"undersold":                       script(placing("a", "sold_out")),
		"undersold, with a hold":          script(pending("a")),
		"an effect after a refusal":       script(held("a"), pending("b"), about(Cancel, "a", "cancelled"), counted(0, 1, 0)),
		"an effect after a fence":         script(placing("a", Unknown), fencing("a", Fenced), counted(0, 1, 0)),
		"paid and cancelled":              script(held("a"), about(Confirm, "a", "confirmed"), about(Cancel, "a", "cancelled")),
		"cancelled and paid":              script(held("a"), about(Cancel, "a", "cancelled"), about(Confirm, "a", "confirmed")),
		"a payment without an answer":     script(held("a"), unanswered(Confirm, "a"), about(ReadOrder, "a", "cancelled")),
		"paid without a payment":          script(held("a"), about(ReadOrder, "a", "confirmed")),
		"sold out while one is held":      script(held("a"), placing("b", "sold_out")),
		"refused for what nobody knows":   script(placing("a", "order_expired")),
		"it comes back after it was seen": script(placing("a", Unknown), counted(0, 1, 0), counted(1, 0, 0)),
	} {
		err := Check(one, ops, searchTime)
		if !errors.Is(err, ErrNotLinearizable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	spec := Spec{SKU: "shoe", Stock: 9, LimitPerUser: 1}
	by := func(o Op) Op {
		o.User = "ann"
		return o
	}
	refused := by(Op{Kind: Place, Key: "b", Answer: Answer{Code: "limit_exceeded", Used: 1}})
	if err := Check(spec, script(by(held("a")), refused, about(Cancel, "a", "cancelled"), by(held("c"))), searchTime); err != nil {
		t.Error(err)
	}
	for name, ops := range map[string][]Op{
		"two of one":           script(by(held("a")), by(held("b"))),
		"refused without need": script(refused),
		"two, one unknown":     script(by(placing("a", Unknown)), counted(8, 1, 0), by(held("b"))),
	} {
		if err := Check(spec, ops, searchTime); !errors.Is(err, ErrNotLinearizable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReportSaysWhere(t *testing.T) {
	err := Check(one, script(held("a"), about(Cancel, "a", "cancelled"), held("b"), held("c")), searchTime)
	want := []string{"3 are explained, 1 are not", "not:           0.000 to     0.000 ms, caller 0: place shoe key c"}
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in: %v", text, err)
		}
	}
	if err := Check(Spec{SKU: "shoe", Stock: 1, Mode: "on_payment"}, nil, searchTime); !errors.Is(err, ErrMode) {
		t.Error(err)
	}
}

// A search that is hopeless ends when its time is up: many calls without an answer, and counters that say that one of them was two.
func TestSearchEnds(t *testing.T) {
	var ops []Op
	for i := range 64 {
		ops = append(ops, placing(fmt.Sprint("k", i), Unknown))
	}
	for i := range 20 {
		ops = append(ops, Op{Kind: ReadSKU, Answer: Answer{Stock: 1000, Available: 1000 - int64(i), Held: int64(i)}})
	}
	ops = append(ops, Op{Kind: ReadSKU, Answer: Answer{Stock: 1000, Available: 5, Held: 995}})
	if err := Check(Spec{SKU: "shoe", Stock: 1000}, script(ops...), 300*time.Millisecond); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
}

// A SKU that many call at once, simulated: every call takes effect at some moment of its own, many answers get lost. All is explained; what is changed
// in one answer is not.
func TestManyCallersAtOnce(t *testing.T) {
	for seed := range uint64(8) {
		spec := Spec{SKU: "shoe", Stock: 40, Mode: []string{"hold", "on_order"}[seed%2], LimitPerUser: int64(seed % 3)}
		w := newWorld(spec, seed)
		ops := w.run(1500)
		began := time.Now()
		if err := Check(spec, ops, searchTime); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		t.Logf("seed %d: %s, in %v", seed, tally(ops), time.Since(began))
		if i := w.lie(ops); i >= 0 {
			if err := Check(spec, ops, searchTime); !errors.Is(err, ErrNotLinearizable) {
				t.Errorf("seed %d: a wrong answer is explained: %s: %v", seed, &ops[i], err)
			}
		}
	}
}

func TestTrees(t *testing.T) {
	for _, n := range []int{1, 16, 17, 256, 257, 5000} {
		height := heightFor(n)
		var b, before *branch[int]
		for i := range n {
			before = b
			b = b.with(i, height, i+1)
		}
		for i := range n {
			if got := b.at(i, height); got != i+1 {
				t.Fatalf("%d of %d: %d", i, n, got)
			}
		}
		if before.at(n-1, height) != 0 {
			t.Errorf("%d: a tree was changed", n)
		}
	}
}

// pick returns one of several.
func pick[T any](dice *rand.Rand, of []T) T { return of[dice.IntN(len(of))] }
