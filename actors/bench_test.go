package actors

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"holdfast/stock"
)

// BenchmarkGateway measures what a request costs between the gateway and its answer, over a log of one voter in memory: refusals of a sold-out
// SKU, which never reach the log, and orders, which do.
func BenchmarkGateway(b *testing.B) {
	for _, batch := range []int{1, 256} {
		for _, what := range []string{"refusal", "order"} {
			for _, hot := range []bool{false, true} {
				b.Run(fmt.Sprintf("what=%s/hot=%v/batch=%d", what, hot, batch), func(b *testing.B) {
					units := int64(stock.MaxStock)
					if what == "refusal" {
						units = 0
					}
					benchmarkGateway(b, units, hot, batch)
				})
			}
		}
	}
}

func benchmarkGateway(b *testing.B, units int64, hot bool, batch int) {
	n := start(b, func(c *ReplicaConfig) { c.Init.Settings.MaxOpenOrders = 1 << 40 })
	defer n.shut()
	n.system.logger = slog.New(slog.DiscardHandler)
	n.must(spec("shoe", units, hot))
	var keys atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		reqs := make([]stock.Request, batch)
		for {
			filled := 0
			for ; filled < batch && pb.Next(); filled++ {
				key := fmt.Sprint(keys.Add(1))
				reqs[filled] = place("shoe", key, key)
			}
			if filled == 0 {
				return
			}
			for _, out := range n.gateway.DoAll(context.Background(), reqs[:filled]) {
				if (out.Code == stock.OK) != (units > 0) {
					b.Errorf("%v %+v", out.Code, out.Detail)
					return
				}
			}
		}
	})
}
