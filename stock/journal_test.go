package stock

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Storage looks ahead to measure its lag before what it has read is durable. Looking must not make the journal forget: 13 entries once never
// reached the sink that way.
func TestJournalKeepsWhatIsNotDurable(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 1000))
	for i := range 100 {
		apply(2, order("shoe", "u", fmt.Sprint("k", i), 1))
	}
	ahead := b.Changes(Span{Since: 50, Limit: 10})
	if again := b.Changes(Span{Since: 0, Limit: 1000}); len(again.Orders) != 100 {
		t.Fatalf("after a look ahead to %d, %d of 100 orders are told", ahead.UpTo, len(again.Orders))
	}
	// What is durable may be forgotten, and is told again when it is asked for all the same.
	b.Changes(Span{Since: 60, Limit: 10, Durable: 60})
	if n := b.journal.Len(); n > 60 {
		t.Errorf("%d notes are kept of 42 that are not durable", n)
	}
	if again := b.Changes(Span{Since: 0, Limit: 1000}); len(again.Orders) != 100 {
		t.Fatalf("after the sink went back, %d of 100 orders are told", len(again.Orders))
	}
}

// A full journal forgets everything and is made again from the rows.
func TestJournalOverflow(t *testing.T) {
	b, apply := shard(t)
	b.journal.max = 10
	apply(1, create("shoe", 1000))
	for i := range 100 {
		apply(2, order("shoe", "u", fmt.Sprint("k", i), 1))
		if b.journal.Len() > 10 {
			t.Fatalf("%d notes of at most 10", b.journal.Len())
		}
	}
	told := make(map[uint64]bool)
	since := uint64(0)
	for range 100 {
		c := b.Changes(Span{Since: since, Limit: 7, Durable: since})
		for _, o := range c.Orders {
			told[o.ID.Counter] = true
		}
		if since = c.UpTo; since == b.index {
			break
		}
	}
	if len(told) != 100 || since != b.index {
		t.Fatalf("%d of 100 orders are told, up to %d of %d", len(told), since, b.index)
	}
}

// A row that changes twice in one entry is told once: a sink that upserts a page in one statement would refuse it twice.
func TestJournalTellsARowOnce(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 1000))
	id := apply(2, order("shoe", "u", "k", 10)).Order.ID
	apply(3, &Confirm{Meta: Meta{Key: "c"}, Order: id, PaymentID: "p"})
	at := b.Begin(Header{Clock: 4}, b.index+1)
	for _, key := range []string{"r1", "r2", "r3"} {
		if out := b.Apply(at, &Return{Meta: Meta{Key: key}, Order: id, Qty: 2, Restock: true}); out.Code != OK {
			t.Fatal(out.Code)
		}
	}
	c := b.Changes(Span{Since: at.Index - 1, Limit: 100})
	if len(c.Orders) != 1 || c.Orders[0].ReturnedQty != 6 || c.UpTo != at.Index {
		t.Fatalf("%d rows up to %d: %+v", len(c.Orders), c.UpTo, c.Orders)
	}
}

// A ledger that went away and came back tells each row once, also one that was noted before it went.
func TestJournalOfALedgerThatCameBack(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 1000))
	for i := range 20 {
		apply(2, order("shoe", "u", fmt.Sprint("k", i), 1))
	}
	l := b.Detach(1)
	if c := l.Changes(Span{Limit: 1000, Applied: b.index}); len(c.Orders) != 20 {
		t.Fatalf("away, %d of 20 orders are told", len(c.Orders))
	}
	b.Attach(l)
	c := b.Changes(Span{Limit: 1000})
	told := make(map[uint64]int)
	for _, o := range c.Orders {
		told[o.ID.Counter]++
	}
	if len(told) != 20 || len(c.Orders) != 20 {
		t.Fatalf("back, %d rows of %d orders", len(c.Orders), len(told))
	}
}

// A ledger goes and comes back again and again: neither its own journal nor the shard's is made again from the rows for it.
func TestMovesDoNotLookAtEveryRow(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 100_000))
	for i := range 5000 {
		apply(2, order("shoe", "u", fmt.Sprint("old", i), 1))
	}
	flushed := b.index
	b.Changes(Span{Since: flushed, Limit: 1, Durable: flushed})
	losses := b.journal.losses
	for i := range 50 {
		apply(3, order("shoe", "u", fmt.Sprint("cold", i), 1))
		l := b.Detach(1)
		at := b.Begin(Header{Clock: 3}, b.index+1)
		l.Apply(at, order("shoe", "u", fmt.Sprint("hot", i), 1))
		if i%2 == 0 {
			c := l.Changes(Span{Since: flushed, Limit: 1000, Durable: flushed, Applied: b.index})
			if len(c.Orders) != 2*i+2 {
				t.Fatalf("away for the %dth time, %d orders are told", i, len(c.Orders))
			}
		}
		if l.journal.losses > 0 {
			t.Fatal("the journal of a ledger that went away was made again")
		}
		b.Attach(l)
		if c := b.Changes(Span{Since: flushed, Limit: 1000, Durable: flushed}); len(c.Orders) != 2*i+2 {
			t.Fatalf("back for the %dth time, %d orders are told", i, len(c.Orders))
		}
	}
	if b.journal.losses != losses {
		t.Error("the shard's journal was made again")
	}
}

// Two ledgers come and go at random, journals overflow, the sink takes pages and now and then goes back: in the end it has every row as it is.
func TestJournalsMissNothing(t *testing.T) {
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 3))
		b, apply := shard(t)
		b.journal.max = 5 + dice.IntN(60)
		apply(1, create("shoe", 100_000))
		apply(1, create("hat", 100_000))
		away := make(map[uint32]*Ledger)
		stored := make(map[OrderID]Order)
		cursor, durable, flushed, ids := uint64(0), uint64(0), b.index, []OrderID(nil)
		flush := func(limit int) {
			c := b.Changes(Span{Since: cursor, Limit: limit, Durable: durable})
			for _, l := range away {
				part := l.Changes(Span{Since: cursor, Limit: limit, Durable: durable, Applied: b.index})
				c.UpTo, c.Orders = min(c.UpTo, part.UpTo), append(c.Orders, part.Orders...)
			}
			for _, o := range c.Orders {
				if o.Version > stored[o.ID].Version {
					stored[o.ID] = o
				}
			}
			cursor, flushed = c.UpTo, b.index
		}
		do := func(c Command) Outcome {
			at := Position{Index: b.index, Now: 5}
			if b.index == flushed || dice.IntN(3) == 0 { // several commands an entry, and storage looks between entries only
				at = b.Begin(Header{Clock: 5}, b.index+1)
			}
			if o := b.Owner(c); o.Away() {
				return away[o.Number].Apply(at, c)
			}
			return b.Apply(at, c)
		}
		for i := range 150 {
			switch number := uint32(1 + dice.IntN(2)); dice.IntN(8) {
			case 0:
				if l := away[number]; l != nil {
					delete(away, number)
					b.Attach(l)
				} else {
					away[number] = b.Detach(number)
				}
			case 1:
				flush(1 + dice.IntN(20))
			case 2:
				if durable = cursor; dice.IntN(10) == 0 {
					cursor, durable = cursor/2, cursor/2
				}
			case 3:
				if len(ids) > 0 {
					do(&Cancel{Meta: Meta{Key: fmt.Sprint("c", i)}, Order: ids[dice.IntN(len(ids))]})
				}
			default:
				ids = append(ids, do(order([]string{"shoe", "hat"}[number-1], "u", fmt.Sprint("k", i), 1)).Order.ID)
			}
		}
		for range 200 {
			flush(7)
		}
		for _, l := range away {
			b.Attach(l)
		}
		sameRows(t, seed, b, stored)
	}
}

func sameRows(t *testing.T, seed uint64, b *Book, stored map[OrderID]Order) {
	t.Helper()
	b.Each(func(l *Ledger) {
		for _, o := range l.Orders() {
			if stored[o.ID] != o {
				t.Fatalf("seed %d: stored %+v, is %+v", seed, stored[o.ID], o)
			}
		}
	})
}

// A SKU with many orders, all in storage, goes away and comes back, and storage asks both times.
func BenchmarkMove(b *testing.B) {
	for _, orders := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint("orders=", orders), func(b *testing.B) {
			book, apply := shard(b)
			apply(1, create("shoe", 1<<40))
			for i := range orders {
				apply(2, order("shoe", "u", fmt.Sprint("k", i), 1))
			}
			n := orders
			for b.Loop() {
				n++
				flushed := book.index
				apply(3, order("shoe", "u", fmt.Sprint("k", n), 1))
				l := book.Detach(1)
				l.Changes(Span{Since: flushed, Limit: 10, Durable: flushed, Applied: book.index})
				book.Attach(l)
				book.Changes(Span{Since: flushed, Limit: 10, Durable: flushed})
			}
		})
	}
}
