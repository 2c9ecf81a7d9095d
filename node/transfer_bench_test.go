package node

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkTransfer hands the leadership of every shard to every node of three in turn, while eight buyers order through all of them: how long a planned
// transfer takes from the call to its answer. A buyer who is refused, or waits for longer than a request may, fails it.
func BenchmarkTransfer(b *testing.B) {
	f := fleetOf(b, 3, nil)
	c := f.buyers(8, 8, false, "n1", "n2", "n3")
	c.more(100)
	var took []time.Duration
	for b.Loop() {
		for shard := uint32(1); shard <= 4; shard++ {
			for _, to := range []string{"n1", "n2", "n3"} {
				before, _, _ := f.node("n2").control.Leader(shard)
				began := time.Now()
				led, err := f.client("n2").Transfer(b.Context(), shard, to)
				if err != nil || led.Leader != to {
					b.Fatalf("shard %d from %s to %s: %+v %v", shard, before, to, led, err)
				}
				if before != to {
					took = append(took, time.Since(began))
				}
				c.more(20)
			}
		}
	}
	c.leave()
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
	b.ReportMetric(at(.5), "ms-p50")
	b.ReportMetric(at(.99), "ms-p99")
	b.ReportMetric(float64(len(took)), "transfers")
}
