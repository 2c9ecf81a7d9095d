package demo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api/topology"
	"holdfast/stock"
	"holdfast/storage"
)

// history is three counts that can be falsified one by one.
type history struct {
	want   Expected
	told   Told
	log    Replayed // of the last node
	stored Stored
	others []Copy // of the nodes before it
	ended  []topology.Shard
}

// soundCluster is the sale of soundSale on three nodes.
func soundCluster(units int) *history {
	h := soundSale(units)
	for _, name := range []string{"n1", "n2"} {
		one := soundSale(units)
		h.others = append(h.others, Copy{Node: name, Log: one.log, Stored: one.stored})
	}
	h.ended = []topology.Shard{{ID: shardOfTest, Leader: "n2"}}
	for _, name := range []string{"n1", "n2", "n3"} {
		h.ended[0].Replicas = append(h.ended[0].Replicas, topology.Replica{
			Node: name, Role: topology.Voter, AppliedIndex: 15, HashIndex: 10, StateHash: "00000000000000aa",
		})
	}
	h.told.LedBefore, h.told.LedAfter, h.told.Gap = "n1", "n2", time.Second
	return h
}

const shardOfTest = 2

// soundSale is a sale of units as it should be: each order paid for, and before some of them one that was cancelled, expired, or came too late.
func soundSale(units int) *history {
	h := &history{want: Expected{Units: int64(units), Limit: 1, Cuts: 1}}
	h.log.Shard, h.log.States = shardOfTest, map[uint32][]State{shardOfTest: {{8, 0x99}, {10, 0xaa}, {13, 0xbb}}}
	n := 0
	add := func(state, told string) {
		n++
		id := stock.OrderID{Partition: stock.PartitionOf(sku), SKU: 1, Counter: uint64(n)}
		s, at := stateNamed(state), stock.Time(1_000*n)
		o := stock.Order{ID: id, SKU: sku, User: fmt.Sprintf("buyer-%d", n), Key: fmt.Sprintf("cart-%d", n), Qty: 1, State: s, CreatedAt: at}
		c := Claim{ID: id.String(), Key: o.Key, User: o.User, Qty: 1, State: told}
		switch s {
		case stock.StateConfirmed:
			o.PaymentID = fmt.Sprintf("pay-%d", n)
			c.Payment, o.ConfirmedAt = o.PaymentID, at+10
			h.told.Paid++
		case stock.StateCancelled:
			o.CancelledAt = at + 10
		case stock.StateExpired:
			o.ExpiredAt = at + 500
		}
		h.log.Orders = append(h.log.Orders, o)
		h.told.Claims = append(h.told.Claims, c)
		h.stored.Orders = append(h.stored.Orders, storage.OrderRow{ID: c.ID, SKU: sku, User: o.User, Key: o.Key, State: state, Qty: 1})
	}
	for i := range units {
		switch i % 4 {
		case 0:
			add("cancelled", "cancelled")
		case 1:
			add("expired", "held")
		case 2:
			add("expired", "expired")
		}
		add("confirmed", "confirmed")
	}
	h.told.AskedAgain, h.told.Requests = 7, 100
	h.log.SKU = stock.SKU{Spec: stock.Spec{SKU: sku, Stock: int64(units)}, Sold: int64(units)}
	h.stored.SKU = storage.SKURow{SKU: sku, Stock: int64(units), Sold: int64(units)}
	h.log.Commands, h.log.Entries, h.log.Peak = 4*n, n, int64(units)
	return h
}

func stateNamed(name string) stock.State {
	for s := stock.StateOpen; s <= stock.StateReturned; s++ {
		if s.String() == name {
			return s
		}
	}
	panic("no state " + name)
}

func (h *history) prove() Proof {
	last := Copy{Node: fmt.Sprintf("n%d", len(h.others)+1), Log: h.log, Stored: h.stored}
	return Prove(h.want, h.told, append(slices.Clone(h.others), last), h.ended)
}

// sold returns the place of the first paid order.
func (h *history) sold() int {
	return slices.IndexFunc(h.log.Orders, func(o stock.Order) bool { return o.State == stock.StateConfirmed })
}

func TestSoundSalePasses(t *testing.T) {
	for nodes, sale := range map[int]*history{1: soundSale(20), 3: soundCluster(20)} {
		p := sale.prove()
		for _, r := range p.Rows {
			if !r.Pass || strings.Contains(r.Log+r.Stored, "/") {
				t.Errorf("%d nodes: %s: %s, %s, %s", nodes, r.Check, r.Told, r.Log, r.Stored)
			}
		}
		if !p.Pass || len(p.Faults) > 0 {
			t.Errorf("a sound sale on %d nodes did not pass: %q", nodes, p.Faults)
		}
	}
	if Prove(Expected{}, Told{}, nil, nil).Pass {
		t.Error("a sale on no node passes")
	}
}

// wrong is a history that must be noticed.
type wrong struct {
	row    string // beginning of the row that must fail
	change func(h *history)
}

// Every kind of wrong history must be noticed, and by the row that is about it: on one node, and when it is only the last of three that is wrong.
func TestWrongHistoryIsReported(t *testing.T) {
	for name, test := range map[string]wrong{
		"oversold everywhere":            {"units sold", func(h *history) { h.want.Units-- }},
		"oversold for a moment":          {"most held and sold", func(h *history) { h.log.Peak++ }},
		"undersold":                      {"units sold", func(h *history) { h.want.Units++ }},
		"counters that do not add up":    {"most held and sold", func(h *history) { h.log.Unsound = []string{"index 5"} }},
		"an empty log":                   {"most held and sold", func(h *history) { h.log.Commands = 0 }},
		"SQLite counts wrong":            {"orders in all", func(h *history) { h.stored.SKU.Sold-- }},
		"lost in the log":                {"acknowledged orders", func(h *history) { h.log.Orders = h.log.Orders[1:] }},
		"lost in SQLite":                 {"acknowledged orders", func(h *history) { h.stored.Orders = h.stored.Orders[1:] }},
		"paid, but expired in the log":   {"acknowledged orders", func(h *history) { h.log.Orders[h.sold()].State = stock.StateExpired }},
		"cancelled, but sold in SQLite":  {"acknowledged orders", func(h *history) { h.stored.Orders[0].State = "confirmed" }},
		"another buyer's":                {"acknowledged orders", func(h *history) { h.log.Orders[3].User = "somebody" }},
		"nobody was told":                {"orders that nobody", func(h *history) { h.told.Claims = h.told.Claims[1:] }},
		"an outcome that stayed open":    {"answers lost", func(h *history) { h.told.Open = []string{"key cart-1"} }},
		"a cut that cut nothing":         {"answers lost", func(h *history) { h.told.AskedAgain = 0 }},
		"no cut":                         {"answers lost", func(h *history) { h.want.Cuts = 0 }},
		"two units for one buyer":        {"most units of one buyer", twoUnits},
		"two units at once for a while":  {"most units of one buyer", twoAtOnce},
		"one key, two orders in log":     {"keys that took stock twice", func(h *history) { h.log.Orders[1].Key = h.log.Orders[0].Key }},
		"one key, two orders in SQLite":  {"keys that took stock twice", func(h *history) { h.stored.Orders[1].Key = h.stored.Orders[0].Key }},
		"one key, two answers":           {"keys that took stock twice", func(h *history) { h.told.Faults = []string{"key cart-1 was given two orders"} }},
		"a released unit was not resold": {"units released", func(h *history) { h.log.Orders[h.sold()].State = stock.StateCancelled }},
		"nothing was released":           {"units released", nothingReleased},
		"another payment in the log":     {"payments", func(h *history) { h.log.Orders[h.sold()].PaymentID = "pay-other" }},
		"a payment too many":             {"payments", func(h *history) { h.told.Paid++ }},
		"log and SQLite disagree":        {"orders in all", func(h *history) { h.stored.Orders[2].Qty = 2 }},
	} {
		t.Run(name, func(t *testing.T) { test.isNoticed(t, soundSale(20)) })
		t.Run("cluster/"+name, func(t *testing.T) { test.isNoticed(t, soundCluster(20)) })
	}
}

func (w wrong) isNoticed(t *testing.T, h *history) {
	t.Helper()
	w.change(h)
	p := h.prove()
	if p.Pass {
		t.Fatal("it passed")
	}
	i := slices.IndexFunc(p.Rows, func(r Row) bool { return strings.HasPrefix(r.Check, w.row) })
	if i < 0 || p.Rows[i].Pass {
		t.Fatalf("the row %q did not fail: %+v", w.row, p.Rows)
	}
}

// What a cluster adds can fail, too.
func TestWrongClusterIsReported(t *testing.T) {
	replica := func(h *history) *topology.Replica { return &h.ended[0].Replicas[1] }
	states := func(h *history) []State { return h.log.States[shardOfTest] }
	for name, test := range map[string]wrong{
		"one replica says another hash":    {"replicas identical", func(h *history) { replica(h).StateHash = "00000000000000ab" }},
		"one replica differs and stopped":  {"replicas identical", func(h *history) { replica(h).Down = "diverged: entry 10" }},
		"one replica trails":               {"replicas identical", func(h *history) { replica(h).AppliedIndex-- }},
		"a node has no replica":            {"replicas identical", func(h *history) { h.ended[0].Replicas = h.ended[0].Replicas[:2] }},
		"no replica noted its state":       {"replicas identical", noHashes},
		"nobody asked the replicas":        {"replicas identical", func(h *history) { h.ended = nil }},
		"only another shard was looked at": {"replicas identical", func(h *history) { h.ended[0].ID++ }},
		"a log replays to another state":   {"replicas identical", func(h *history) { states(h)[1].Hash++ }},
		"a log ends in another state":      {"replicas identical", func(h *history) { states(h)[2].Hash++ }},
		"a log is empty":                   {"replicas identical", func(h *history) { h.log.States = nil }},
		"lost in one log":                  {"orders lost", func(h *history) { h.log.Orders = h.log.Orders[1:] }},
		"lost in one SQLite":               {"orders lost", func(h *history) { h.stored.Orders = h.stored.Orders[1:] }},
		"lost everywhere":                  {"orders lost", func(h *history) { h.told.Claims[0].ID = "another" }},
		"nobody was killed":                {"orders lost", func(h *history) { h.want.Cuts = 0 }},
		"a node that lived did not know":   {"unknown to callers", func(h *history) { h.told.Unknown = 1 }},
		"nothing was answered":             {"unknown to callers", func(h *history) { h.told.Requests = 0 }},
		"nothing was sold after the kill":  {"longest wait", func(h *history) { h.told.Gap = 0 }},
		"nobody led after the kill":        {"longest wait", func(h *history) { h.told.LedAfter = "" }},
		"the leader was not killed":        {"longest wait", func(h *history) { h.told.LedAfter = h.told.LedBefore }},
	} {
		t.Run(name, func(t *testing.T) { test.isNoticed(t, soundCluster(20)) })
	}
}

func noHashes(h *history) {
	for i := range h.ended[0].Replicas {
		h.ended[0].Replicas[i].HashIndex, h.ended[0].Replicas[i].StateHash = 0, ""
	}
}

// twoUnits gives the second paid order to the buyer of the first, in all three.
func twoUnits(h *history) {
	first := h.sold()
	second := first + 1 + slices.IndexFunc(h.log.Orders[first+1:], func(o stock.Order) bool { return o.State == stock.StateConfirmed })
	user := h.log.Orders[first].User
	h.log.Orders[second].User, h.told.Claims[second].User, h.stored.Orders[second].User = user, user, user
}

// twoAtOnce gives the buyer of a paid order one that expires later.
func twoAtOnce(h *history) {
	i := slices.IndexFunc(h.log.Orders, func(o stock.Order) bool { return o.State == stock.StateExpired })
	user := h.log.Orders[i].User
	h.log.Orders[i+1].User, h.told.Claims[i+1].User, h.stored.Orders[i+1].User = user, user, user
	h.log.Orders[i].ExpiredAt = h.log.Orders[i+1].CreatedAt + 1
}

// A buyer may try again once the first order has gone.
func TestOneAfterTheOtherIsNotTwo(t *testing.T) {
	h := soundSale(20)
	twoAtOnce(h)
	i := slices.IndexFunc(h.log.Orders, func(o stock.Order) bool { return o.State == stock.StateExpired })
	h.log.Orders[i].ExpiredAt = h.log.Orders[i+1].CreatedAt
	if p := h.prove(); !p.Pass {
		t.Fatalf("it did not pass: %q", p.Faults)
	}
}

// nothingReleased takes out every order that was not paid for, everywhere.
func nothingReleased(h *history) {
	paid := make(map[string]bool)
	for _, o := range h.log.Orders {
		paid[o.ID.String()] = o.State == stock.StateConfirmed
	}
	strip := func(log *Replayed, stored *Stored) {
		log.Orders = slices.DeleteFunc(log.Orders, func(o stock.Order) bool { return !paid[o.ID.String()] })
		stored.Orders = slices.DeleteFunc(stored.Orders, func(o storage.OrderRow) bool { return !paid[o.ID] })
	}
	strip(&h.log, &h.stored)
	for i := range h.others {
		strip(&h.others[i].Log, &h.others[i].Stored)
	}
	h.told.Claims = slices.DeleteFunc(h.told.Claims, func(c Claim) bool { return !paid[c.ID] })
}

// A pause counts when it ended after the kill and began before somebody else could have led.
func TestLongestPause(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	for name, test := range map[string]struct {
		atMS []int64 // when orders were accepted; the kill is at 1,000, and pauses count that began before 2,000
		want time.Duration
	}{
		"around the kill":              {[]int64{10, 990, 2_200, 2_210}, 1_210 * time.Millisecond},
		"an answer was on its way":     {[]int64{10, 990, 1_020, 2_600, 2_610}, 1_580 * time.Millisecond},
		"before the kill":              {[]int64{10, 990, 1_001}, 11 * time.Millisecond},
		"long after the kill":          {[]int64{990, 1_500, 2_100, 9_000}, 600 * time.Millisecond},
		"nothing sold after the kill":  {[]int64{10, 990}, 0},
		"nothing sold before the kill": {[]int64{1_500}, 0},
		"nothing sold":                 {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook()
			for _, ms := range test.atMS {
				b.at = append(b.at, begin.Add(time.Duration(ms)*time.Millisecond))
			}
			if got := b.longestPause(begin.Add(time.Second), begin.Add(2*time.Second)); got != test.want {
				t.Errorf("%v, not %v", got, test.want)
			}
		})
	}
}

// What the clients are told is checked as it comes in.
func TestContradictingAnswers(t *testing.T) {
	claim := Claim{ID: "a", Key: "k", User: "u", Qty: 1, State: "held"}
	for name, say := range map[string]func(b *book){
		"one key, two orders":        func(b *book) { b.placed(Claim{ID: "b", Key: "k", User: "u", Qty: 1}) },
		"one order, two keys":        func(b *book) { b.placed(Claim{ID: "a", Key: "l", User: "u", Qty: 1}) },
		"paid and then cancelled":    func(b *book) { b.paid("a", "p"); b.cancelled("a") },
		"cancelled and then paid":    func(b *book) { b.cancelled("a"); b.paid("a", "p") },
		"paid with two payments":     func(b *book) { b.paid("a", "p"); b.paid("a", "q") },
		"an order nobody was given":  func(b *book) { b.paid("z", "p") },
		"expired and then confirmed": func(b *book) { b.tooLate("a"); b.paid("a", "p") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook()
			b.placed(claim)
			b.placed(claim) // a replay
			if f := b.told().Faults; len(f) > 0 {
				t.Fatalf("a replay is a fault: %q", f)
			}
			if say(b); len(b.told().Faults) != 1 {
				t.Fatalf("%d faults, not 1: %q", len(b.told().Faults), b.told().Faults)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 50000: "50,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, not %q", n, got, want)
		}
	}
}
