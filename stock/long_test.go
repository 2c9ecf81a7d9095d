package stock

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// BenchmarkLongest reports the longest apply of the commands that may have much to do (rule R3), over a quarter of a million orders.
func BenchmarkLongest(b *testing.B) {
	const orders = 1 << 18
	mark := func(int) (Time, Command) { return 1e9, &FlushMark{Index: 1 << 40} }
	expire := func(int) (Time, Command) { return 5000, &Expire{SKU: "sku-0"} }
	settings := func(i int) (Time, Command) {
		return 3, &SetSettings{Meta: Meta{Key: fmt.Sprint(i)}, Settings: DefaultSettings()}
	}
	for _, c := range []struct {
		name string
		mode Mode
		skus int
		paid bool // all but one in a hundred on_order orders are paid later
		run  func(i int) (Time, Command)
	}{
		{"work=expire/skus=1", ModeHold, 1, false, expire},
		{"work=mark/skus=1", ModeOnOrder, 1, false, mark},
		{"work=mark-paid/skus=1", ModeOnOrder, 1, true, mark},
		{"work=mark/skus=32k", ModeOnOrder, 1 << 15, false, mark},
		{"work=settings/skus=256k", ModeOnOrder, orders, false, settings},
	} {
		b.Run(c.name, func(b *testing.B) {
			longest := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				apply := manyOrders(b, c.mode, c.skus, orders, c.paid)
				b.StartTimer()
				for i := range 8 {
					now, command := c.run(i)
					begin := time.Now()
					apply(now, command)
					longest = max(longest, time.Since(begin))
				}
			}
			b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
		})
	}
}

func manyOrders(b *testing.B, mode Mode, skus, orders int, paid bool) func(Time, Command) Outcome {
	book, apply := shard(b)
	for i := range skus {
		c := create(fmt.Sprint("sku-", i), MaxStock)
		c.Spec.Mode = mode
		apply(1, c)
	}
	for i := range orders {
		apply(1, order(fmt.Sprint("sku-", i%skus), fmt.Sprint("u", i), fmt.Sprint("k", i), 1))
	}
	for i := 0; paid && i < orders; i++ {
		if i%100 != 0 {
			id := OrderID{Partition: book.slots[0].ledger.partition, SKU: 1, Counter: uint64(i + 1)}
			apply(2, &Confirm{Order: id, PaymentID: "p"})
		}
	}
	return apply
}

// BenchmarkSKUs reports the heap that one SKU takes, idle and with a few orders.
func BenchmarkSKUs(b *testing.B) {
	const skus = 50_000
	for _, orders := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("orders=%d", orders), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				book, apply := shard(b)
				book.journal = nil
				for i := range skus {
					name := fmt.Sprint("sku-", i)
					apply(1, create(name, 100))
					book.slots[i].ledger.journal = nil
					for k := range orders {
						apply(1, order(name, fmt.Sprint("u", k), fmt.Sprint("k", k), 1))
					}
				}
				b.ReportMetric(float64(heap()-before)/skus, "B/sku")
				runtime.KeepAlive(book)
			}
		})
	}
}
