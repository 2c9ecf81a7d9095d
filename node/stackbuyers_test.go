package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/node/historytest"
	"holdfast/stock"
)

// note keeps a call that had an answer, or may have happened.
func (s *stack) note(o historytest.Op, out stock.Outcome) {
	reads := o.Kind == historytest.ReadOrder || o.Kind == historytest.ReadOutcome || o.Kind == historytest.ReadSKU
	o.Return = int64(time.Since(s.begun))
	switch out.Code {
	case stock.OK:
		o.Answer = answered(out)
	case stock.OutcomeFenced:
		o.Answer.State = "fenced"
	case stock.OutcomeUnknown:
		if reads {
			return
		}
		o.Return, o.Answer.Code = historytest.Never, historytest.Unknown
	case stock.NoLeader, stock.Draining, stock.Overloaded, stock.DeadlineExceeded:
		return // not executed
	default:
		o.Answer.Code = out.Code.String()
		if d := out.Detail; d != nil {
			o.Answer.Available, o.Answer.Held, o.Answer.Used = d.Available, d.Held, d.Used
			if d.State != 0 {
				o.Answer.State = d.State.String()
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = append(s.ops, o)
}

func answered(out stock.Outcome) historytest.Answer {
	if k := out.SKU; k != nil {
		return historytest.Answer{Stock: k.Available + k.Held + k.Sold, Available: k.Available, Held: k.Held, Sold: k.Sold, Version: k.Version}
	}
	o := out.Order
	return historytest.Answer{OrderID: o.ID.String(), State: o.State.String(), Payment: o.PaymentID, Version: o.Version, Replayed: out.Replayed}
}

// stackBuyer calls through whatever node runs.
type stackBuyer struct {
	s      *stack
	me     int
	random *rand.Rand
	orders []stock.OrderID
	keys   []string
}

func (b *stackBuyer) ask(o historytest.Op, r stock.Request) stock.Outcome {
	n := b.s.nodes[b.random.IntN(3)]
	for !n.up.Load() {
		<-time.After(10 * time.Millisecond)
		n = b.s.nodes[b.random.IntN(3)]
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(200+b.random.IntN(3000))*time.Millisecond)
	defer cancel()
	o.Caller, o.SKU, o.Call = b.me, "shoe", int64(time.Since(b.s.begun))
	out := n.forwarder.Load().Do(ctx, r)
	b.s.note(o, out)
	return out
}

// buy makes one call, a place with more copies when its answer is lost.
func (b *stackBuyer) buy(i int) {
	switch what := b.random.IntN(10); {
	case what < 5 || len(b.orders) == 0:
		b.place(fmt.Sprintf("k-%d-%d", b.me, i))
	case what == 5:
		id := b.orders[b.random.IntN(len(b.orders))]
		b.ask(historytest.Op{Kind: historytest.Confirm, OrderID: id.String(), Payment: "p"}, &stock.Confirm{Order: id, PaymentID: "p"})
	case what < 8:
		id := b.orders[b.random.IntN(len(b.orders))]
		b.ask(historytest.Op{Kind: historytest.Cancel, OrderID: id.String()}, &stock.Cancel{Order: id})
	case what == 8:
		b.ask(historytest.Op{Kind: historytest.ReadSKU}, &stock.GetSKU{SKU: "shoe"})
	default:
		key := b.keys[b.random.IntN(len(b.keys))]
		b.ask(historytest.Op{Kind: historytest.ReadOutcome, Key: key}, &stock.GetOutcome{SKU: "shoe", Key: key})
	}
}

func (b *stackBuyer) place(key string) {
	b.keys = append(b.keys, key)
	user := fmt.Sprint("u", b.random.IntN(12))
	for attempt := range 3 {
		op := historytest.Op{Kind: historytest.Place, Key: key, User: user, Qty: 1}
		out := b.ask(op, &stock.Place{Meta: stock.Meta{Key: key, Retry: attempt > 0}, SKU: "shoe", User: user, Qty: 1})
		if out.Code == stock.OK {
			b.orders = append(b.orders, out.Order.ID)
		}
		if out.Code != stock.OutcomeUnknown {
			return
		}
	}
}

// Whatever leaders, links, disks and clocks do, what callers of three nodes are told is explained by one ledger, and the replicas end up alike.
func TestStacksInVirtualTime(t *testing.T) {
	for seed := *stackSeed; seed < *stackSeed+uint64(*stackSeeds); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sellFromStack(t, seed) })
		})
	}
}

func sellFromStack(t *testing.T, seed uint64) {
	s := newStack(t, seed)
	defer s.close()
	spec := stock.Spec{SKU: "shoe", Stock: 20, Mode: stock.ModeHold, HoldTTLMS: 3_600_000, MaxQty: 1, LimitPerUser: 3, Hot: seed%2 == 0}
	creating, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out := s.nodes[0].forwarder.Load().Do(creating, &stock.Create{Spec: spec}); out.Code != stock.OK {
		t.Fatalf("%+v", out)
	}
	var buyers sync.WaitGroup
	over := make(chan struct{})
	for me := range 8 {
		b := &stackBuyer{s: s, me: me, random: rand.New(rand.NewPCG(seed, uint64(me)))}
		buyers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				case <-time.After(time.Duration(b.random.IntN(60)) * time.Millisecond):
					b.buy(i)
				}
			}
		})
	}
	terms := make(map[uint64]bool)
	for range 8 {
		if l := s.leader(); l != nil {
			terms[l.replica.Load().Term()] = true
		}
		t.Log(time.Since(s.begun), s.disturb())
		<-time.After(time.Duration(s.random.IntN(1500)) * time.Millisecond)
	}
	close(over)
	buyers.Wait()
	s.alike()
	if out := (&stackBuyer{s: s, me: 8, random: s.random}).ask(historytest.Op{Kind: historytest.ReadSKU}, &stock.GetSKU{SKU: "shoe"}); out.Code != stock.OK {
		t.Errorf("the last read: %v", out.Code)
	}
	s.judge(len(terms))
}

// alike waits until all replicas have applied the same, and compares their states.
func (s *stack) alike() {
	s.t.Helper()
	var hashes []uint64
	s.eventually("all replicas have applied all", func() bool {
		hashes = nil
		var at []uint64
		for _, n := range s.nodes {
			hash, index, err := n.replica.Load().Hash(s.t.Context())
			if err != nil {
				return false
			}
			hashes, at = append(hashes, hash), append(at, index)
		}
		return s.leader() != nil && len(slices.Compact(at)) == 1
	})
	if len(slices.Compact(hashes)) != 1 {
		s.t.Errorf("replicas differ: %x", hashes)
	}
}

// judge holds what callers were told against the model; a run in which little happened fails.
func (s *stack) judge(terms int) {
	s.t.Helper()
	accepted, refused, unknown := 0, 0, 0
	for i := range s.ops {
		switch s.ops[i].Answer.Code {
		case "":
			accepted++
		case historytest.Unknown:
			unknown++
		default:
			refused++
		}
	}
	s.t.Logf("%d answers, %d refusals, %d unknown, %d terms", accepted, refused, unknown, terms)
	if accepted < 50 || refused < 10 || terms < 2 {
		s.t.Error("too little happened")
	}
	if err := historytest.Check(historytest.Spec{SKU: "shoe", Stock: 20, LimitPerUser: 3}, s.ops, 2*time.Minute); err != nil {
		s.t.Error(err)
	}
}
