package stock

import (
	"fmt"
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
