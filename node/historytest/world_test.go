package historytest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// world is a SKU in maps, and callers who call it at once. It shares nothing with the model.
type world struct {
	spec    Spec
	dice    *rand.Rand
	now     int64
	index   uint64 // of the last change
	moved   uint64 // of the last change of the counters
	orders  map[string]*sale
	first   map[string]Answer // as first given
	keys    []string
	counter map[string]int64
	used    map[string]int64
}

type sale struct {
	user, state, payment string
	version              uint64
}

func newWorld(spec Spec, seed uint64) *world {
	return &world{
		spec: spec, dice: rand.New(rand.NewPCG(seed, 7)), index: 1, moved: 1, orders: make(map[string]*sale), first: make(map[string]Answer),
		counter: map[string]int64{"available": spec.Stock}, used: make(map[string]int64),
	}
}

// run makes calls that overlap. Keys that were left without an answer are fenced in the end.
func (w *world) run(n int) (ops []Op) {
	var doubts, settled []string
	for i := range n {
		w.now += int64(1 + w.dice.IntN(20))
		op := w.call(i)
		op.Call, op.Return = w.now-int64(w.dice.IntN(40)), w.now+int64(w.dice.IntN(40))
		if w.dice.IntN(25) == 0 && (op.Kind == Place || op.Kind == Confirm || op.Kind == Cancel) {
			op.Answer, op.Return = Answer{Code: Unknown}, Never
			if op.Kind == Place {
				doubts = append(doubts, op.Key)
			} else {
				settled = append(settled, strings.ToLower(op.OrderID))
			}
		}
		ops = append(ops, op)
	}
	for _, key := range doubts {
		w.now += 1000
		op := Op{Kind: Fence, SKU: "shoe", Key: key, Call: w.now, Return: w.now + 1, Answer: Answer{State: Fenced}}
		if w.orders[key] != nil {
			op.Answer = w.first[key]
		}
		ops = append(ops, op)
	}
	for _, key := range settled {
		w.now += 1000
		ops = append(ops, Op{Kind: ReadOrder, OrderID: strings.ToUpper(key), Call: w.now, Return: w.now + 1, Answer: w.show(key)})
	}
	w.now += 1000
	last := Op{Kind: ReadSKU, SKU: "shoe", Call: w.now, Return: w.now + 1, Answer: w.counters()}
	return append(ops, last)
}

func (w *world) call(i int) Op {
	what := w.dice.IntN(10)
	switch {
	case what == 0:
		return Op{Kind: ReadSKU, SKU: "shoe", Answer: w.counters()}
	case what < 5 || len(w.keys) == 0:
		op := Op{Kind: Place, SKU: "shoe", Key: fmt.Sprint("k", i), User: fmt.Sprint("u", w.dice.IntN(40)), Qty: 1 + w.dice.Int64N(2)}
		op.Answer = w.place(&op)
		return op
	case what == 5:
		key := pick(w.dice, w.keys)
		return Op{Kind: ReadOrder, OrderID: strings.ToUpper(key), Answer: w.show(key)}
	}
	key := pick(w.dice, w.keys)
	op := Op{Kind: Confirm, OrderID: strings.ToUpper(key), Payment: "p"}
	if what < 9 {
		op.Kind, op.Payment = Cancel, ""
	}
	op.Answer = w.settle(op.Kind, key)
	return op
}

func (w *world) counters() Answer {
	return Answer{Stock: w.spec.Stock, Available: w.counter["available"], Held: w.counter["held"], Sold: w.counter["confirmed"], Version: w.moved}
}

func (w *world) show(key string) Answer {
	o := w.orders[key]
	return Answer{OrderID: strings.ToUpper(key), State: o.state, Payment: o.payment, Version: o.version}
}

// move takes units from one counter to another.
func (w *world) move(from, to string, units int64) {
	w.index++
	w.moved = w.index
	w.counter[from] -= units
	w.counter[to] += units
}

func (w *world) place(op *Op) Answer {
	free := w.counter["available"]
	switch {
	case w.spec.LimitPerUser > 0 && w.used[op.User]+op.Qty > w.spec.LimitPerUser:
		return Answer{Code: "limit_exceeded", Used: w.used[op.User]}
	case free == 0 && w.counter["held"] == 0:
		return Answer{Code: "sold_out"}
	case free == 0:
		return Answer{Code: "sold_out_pending", Held: w.counter["held"]}
	case free < op.Qty:
		return Answer{Code: "insufficient_stock", Available: free}
	}
	state := "held"
	if w.spec.Mode == "on_order" {
		state = "confirmed"
	}
	w.move("available", state, op.Qty)
	w.used[op.User] += op.Qty
	w.orders[op.Key] = &sale{user: op.User, state: state, version: w.index}
	w.keys = append(w.keys, op.Key)
	w.counter["of "+op.Key] = op.Qty
	w.first[op.Key] = w.show(op.Key)
	return w.first[op.Key]
}

func (w *world) settle(k Kind, key string) Answer {
	o, qty := w.orders[key], w.counter["of "+key]
	switch {
	case k == Cancel && o.state == "held":
		w.move("held", "available", qty)
		w.used[o.user] -= qty
		o.state, o.version = "cancelled", w.index
	case k == Cancel && o.state == "confirmed", k == Confirm && o.state == "cancelled":
		return Answer{Code: "invalid_state", State: o.state}
	case k == Confirm && o.state == "held":
		w.move("held", "confirmed", qty)
		o.state, o.payment, o.version = "confirmed", "p", w.index
	case k == Confirm && o.payment == "":
		w.index++
		o.payment, o.version = "p", w.index
	}
	return w.show(key)
}

// lie changes one answer, in a way that no other order of the calls explains; it returns which, -1 when there was nothing to change.
func (w *world) lie(ops []Op) int {
	after := slices.SortedFunc(slices.Values(ops), func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	middle := after[len(after)/2].Call
	for i := range ops {
		o := &ops[i]
		if o.Call < middle {
			continue
		}
		if o.Kind == ReadSKU {
			o.Answer.Available--
			o.Answer.Sold++
			return i
		}
		if o.Kind == Confirm && o.Answer.Code == "" {
			o.Answer.State, o.Answer.Payment = "cancelled", ""
			return i
		}
	}
	return -1
}
