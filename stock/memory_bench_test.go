package stock

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkMemory reports the heap that a million orders of one SKU, or a million idle SKUs, take for each of them, all told: row, key, user,
// indexes and deadline; ledger, settings and what is remembered of its creation. A settled order is paid for and inside its retention.
func BenchmarkMemory(b *testing.B) {
	const many = 1_000_000
	for _, c := range []struct {
		name, unit string
		fill       func(b *testing.B) any
	}{
		{"state=open", "B/order", func(b *testing.B) any { return filledLedger(b, many, false) }},
		{"state=settled", "B/order", func(b *testing.B) any { return filledLedger(b, many, true) }},
		{"state=idle-sku", "B/sku", func(b *testing.B) any { return idleBook(b, many) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				kept := c.fill(b)
				taken := heap() - before
				b.ReportMetric(float64(taken)/many, c.unit)
				b.ReportMetric(float64(taken)/1e6, "MB")
				runtime.KeepAlive(kept)
			}
		})
	}
}

// filledLedger has so many orders of as many users, paid for a minute later or not.
func filledLedger(b *testing.B, orders int, paid bool) *Ledger {
	b.Helper()
	l := bigLedger()
	for i := range orders {
		l.Apply(Position{Index: uint64(i + 1), Now: Time(i)}, order("shoe", fmt.Sprintf("user-%08d", i), fmt.Sprintf("key-%08d", i), 1))
	}
	for i := 0; paid && i < orders; i++ {
		id := OrderID{Partition: l.partition, SKU: l.number, Counter: uint64(i + 1)}
		out := l.Apply(Position{Index: uint64(orders + i + 1), Now: Time(i + 60_000)}, &Confirm{Order: id, PaymentID: fmt.Sprintf("pay-%08d", i)})
		if out.Code != OK {
			b.Fatal(out)
		}
	}
	return l
}

// idleBook has so many SKUs that nobody has ordered.
func idleBook(b *testing.B, skus int) *Book {
	b.Helper()
	book, apply := shard(b)
	book.journal = nil
	for i := range skus {
		if out := apply(1, create(fmt.Sprintf("sku-%08d", i), 100)); out.Code != OK {
			b.Fatal(out)
		}
		book.slots[i].ledger.journal = nil
	}
	return book
}
