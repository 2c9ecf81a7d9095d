//go:build unix

package node

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/stock"
)

var (
	benchSink     = flag.String("bench-sink", "none", "the storage behind the nodes of BenchmarkOrders")
	benchShards   = flag.Int("bench-shards", 1, "the shards of the nodes of BenchmarkOrders")
	benchRate     = flag.Float64("bench-rate", 0, "orders a second in BenchmarkOrders, at even distances whatever the answers; 0: a closed loop")
	benchSnapshot = flag.Bool("bench-snapshot", false, "the leader takes a snapshot when half of the orders of BenchmarkOrders are placed")
)

// BenchmarkOrders is one order, or one refusal, of a hot SKU: from a function call at the gateway of its leader to the answer, with the log, the
// fsyncs and the replicas of as many nodes, in one process, over loopback and real files. Each order has a user and a key of its own, is stored,
// counts against a limit and waits for its payment. The loop is closed, each caller sends its next batch after the answer to the one before; with
// -bench-rate it is open, and the time of a call counts from the moment that the schedule gave it.
func BenchmarkOrders(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			f := fleetOf(b, nodes, func(c *Config) { c.Sink, c.Shards, c.WALSegmentBytes = *benchSink, *benchShards, 64<<20 })
			for _, units := range []int64{stock.MaxStock, 0} {
				for _, callers := range []int{1, 4, 16, 64} {
					for _, batch := range []int{1, 16, 256, 1000} {
						what := "order"
						if units == 0 {
							what = "refusal"
						}
						b.Run(fmt.Sprintf("what=%s/callers=%d/batch=%d", what, callers, batch), func(b *testing.B) {
							benchmarkOrders(b, f, units, callers, batch)
						})
					}
				}
			}
		})
	}
}

// benchSales makes the SKU of every benchmark another one.
var benchSales atomic.Int64

// rush is a crowd before one SKU.
type rush struct {
	sku    string
	leader *Node
	want   stock.Code
	batch  int
	orders int64
	began  time.Time
	begun  atomic.Int64 // batches
	calls  []calls      // by caller
	resent atomic.Int64 // batches
	taking sync.WaitGroup
	// taken is when the snapshot began and ended.
	taken [2]time.Time
}

type calls struct{ begun, took []time.Duration }

func benchmarkOrders(b *testing.B, f *fleet, units int64, callers, batch int) {
	sku := fmt.Sprintf("shoe-%d", benchSales.Add(1))
	r := &rush{sku: sku, leader: f.leads(sku), want: stock.OK, batch: batch, orders: int64(b.N), calls: make([]calls, callers)}
	if units == 0 {
		r.want = stock.SoldOut
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	create := &stock.Create{Meta: stock.Meta{Caller: "shop"}, Spec: stock.Spec{
		SKU: sku, Stock: units, Mode: stock.ModeHold, HoldTTLMS: stock.MaxHoldTTLMS, LimitPerUser: 1, MaxQty: 1, Hot: true,
	}}
	if out := r.leader.gateway.Do(ctx, create); out.Code != stock.OK {
		b.Fatal(out)
	}
	b.ReportAllocs()
	b.ResetTimer()
	worked := processorTime(b)
	r.began = time.Now()
	var work sync.WaitGroup
	for i := range callers {
		work.Go(func() { r.caller(ctx, b, i) })
	}
	work.Wait()
	b.StopTimer()
	r.taking.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric((processorTime(b)-worked).Seconds()*1e6/float64(b.N), "cpu-us/order")
	r.report(b)
	if resent := r.resent.Load(); resent > 0 {
		b.ReportMetric(float64(resent), "batches-resent")
	}
}

// processorTime returns what this process has taken of all processors, callers and nodes alike: on a machine that others use it tells more than the
// time that went by.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// caller places batches until all orders are placed.
func (r *rush) caller(ctx context.Context, b *testing.B, i int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	mine := &r.calls[i]
	for {
		k := r.begun.Add(1) - 1
		placed := k * int64(r.batch)
		n := min(int64(r.batch), r.orders-placed)
		if n <= 0 {
			return
		}
		if half := r.orders / 2; *benchSnapshot && placed <= half && placed+n > half {
			r.taking.Go(func() { r.snapshot(b) })
		}
		reqs := batchOf(r.sku, k, int(n))
		begun := time.Since(r.began)
		if *benchRate > 0 {
			begun = time.Duration(float64(placed) / *benchRate * float64(time.Second))
			<-time.After(begun - time.Since(r.began))
		}
		outs := r.leader.gateway.DoAll(ctx, reqs)
		if slices.ContainsFunc(outs, func(out stock.Outcome) bool { return out.Code == stock.NoLeader || out.Code == stock.OutcomeUnknown }) {
			r.resent.Add(1)
			outs = r.leader.forwarder.DoAll(ctx, reqs) // leadership moved: so it does on a machine with too much to do
		}
		mine.begun, mine.took = append(mine.begun, begun), append(mine.took, time.Since(r.began)-begun)
		for _, out := range outs {
			if out.Code != r.want {
				b.Errorf("%v %+v", out.Code, out.Detail)
				return
			}
		}
	}
}

func (r *rush) snapshot(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r.taken[0] = time.Now()
	if _, _, err := r.leader.shardOf(stock.PartitionOf(r.sku)).group.Load().Snapshot(ctx); err != nil {
		b.Error(err)
	}
	r.taken[1] = time.Now()
}

// report tells how long calls took, those that were begun while a snapshot was made by themselves.
func (r *rush) report(b *testing.B) {
	var quiet, busy []time.Duration
	from, to := r.taken[0].Sub(r.began), r.taken[1].Sub(r.began)
	for _, c := range r.calls {
		for i, took := range c.took {
			if c.begun[i] >= from && c.begun[i] <= to {
				busy = append(busy, took)
			} else {
				quiet = append(quiet, took)
			}
		}
	}
	for name, all := range map[string][]time.Duration{"": quiet, "-in-snapshot": busy} {
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		at := func(q float64) float64 { return all[int(q*float64(len(all)-1))].Seconds() * 1000 }
		b.ReportMetric(at(.5), "ms-p50"+name)
		b.ReportMetric(at(.99), "ms-p99"+name)
	}
}

// batchOf returns the orders of a batch, each of a user and with a key that nobody had before.
func batchOf(sku string, number int64, n int) []stock.Request {
	const width = 16
	names := make([]byte, 0, n*width)
	for k := range n {
		names = hex.AppendEncode(names, binary.BigEndian.AppendUint64(nil, uint64(number)<<16|uint64(k)))
	}
	text := string(names)
	places, reqs := make([]stock.Place, n), make([]stock.Request, n)
	for k := range n {
		name := text[k*width : (k+1)*width]
		places[k] = stock.Place{Meta: stock.Meta{Caller: "shop", Key: name}, SKU: sku, User: name, Qty: 1}
		reqs[k] = &places[k]
	}
	return reqs
}

// leads returns the node that leads the shard of a SKU, once there is one.
func (f *fleet) leads(sku string) (leader *Node) {
	f.t.Helper()
	awaitFor(f.t, time.Minute, func() string { return "somebody leads the shard of " + sku }, func() bool {
		for _, n := range f.running() {
			if n.Locate(stock.PartitionOf(sku)) != nil {
				leader = n
			}
		}
		return leader != nil
	})
	return leader
}
