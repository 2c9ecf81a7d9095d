package rivaltest

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/bench/sale"
)

// Bench lets callers place orders of one hot SKU in calls of so many, a new user and key each, until b.N orders are placed.
func Bench(b *testing.B, target sale.Target, callers, batch int) {
	sku := sale.SKU{Name: fmt.Sprintf("%s-%d", b.Name(), b.N), Stock: 1 << 40, LimitPerUser: 1}
	if err := target.Create(b.Context(), []sale.SKU{sku}); err != nil {
		b.Fatal(err)
	}
	var next, wrong atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			orders, answers := make([]sale.Order, batch), make([]sale.Answer, batch)
			for {
				last := next.Add(int64(batch))
				if last > int64(b.N)+int64(batch)-1 {
					return
				}
				for i := range orders {
					who := strconv.FormatInt(last-int64(i), 36)
					orders[i] = sale.Order{Key: "key-" + who, SKU: sku.Name, User: "user-" + who, Qty: 1}
				}
				target.Place(b.Context(), orders, answers)
				for _, a := range answers {
					if a.Verdict != sale.Accepted {
						wrong.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	if n := wrong.Load(); n > 0 {
		b.Errorf("%d orders were not accepted", n)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}
