package node

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"holdfast/stock"
)

var restartOrders = flag.Int("restart-orders", 20_000, "how many orders BenchmarkRestart has in log and snapshot; 10000000 for acceptance")

// BenchmarkRestart kills a node that has many orders, in its newest snapshots and the log behind them, and starts it again: until it has accepted an
// order of every SKU, which are in all shards.
func BenchmarkRestart(b *testing.B) {
	const skus = 64
	f := fleetOf(b, 1, func(c *Config) { c.Sink, c.WALSegmentBytes = "none", 64<<20 })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	for i := range skus {
		create := &stock.Create{Spec: stock.Spec{SKU: fmt.Sprint("shoe-", i), Stock: stock.MaxStock, Mode: stock.ModeHold, HoldTTLMS: stock.MaxHoldTTLMS, MaxQty: 1, LimitPerUser: 1}}
		if out := f.node("n1").Gateway().Do(ctx, create); out.Code != stock.OK {
			b.Fatal(out)
		}
	}
	calls, stored := 0, 0
	place := func(times, batch int) {
		for range times {
			for _, out := range f.node("n1").Gateway().DoAll(ctx, batchOf(fmt.Sprint("shoe-", calls%skus), int64(calls), batch)) {
				if out.Code != stock.OK {
					b.Fatal(out)
				}
			}
			calls, stored = calls+1, stored+batch
		}
	}
	place(max(1, *restartOrders/1000), 1000)
	kill := func() {
		f.end("n1", func(n *Node) {
			if err := n.Kill(); err != nil {
				b.Error(err)
			}
		})
	}
	var took time.Duration
	rounds := 0
	for b.Loop() {
		kill()
		began := time.Now()
		f.start("n1")
		place(skus, 1)
		took += time.Since(began)
		rounds++
	}
	kill() // rather than wait until storage is told of all orders
	b.ReportMetric(took.Seconds()/float64(rounds), "s")
	b.ReportMetric(float64(stored), "orders")
	b.ReportMetric(float64(stored)*float64(rounds)/took.Seconds(), "orders/s")
}
