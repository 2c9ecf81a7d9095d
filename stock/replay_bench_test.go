package stock

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkReplay reads a log of a million orders of one SKU, each of another user, and applies it: what a restart does with what no snapshot
// holds. longest-ms is the longest that one entry of a thousand orders took.
func BenchmarkReplay(b *testing.B) {
	const orders, entry = 1_000_000, 1000
	var log [][]byte
	w := NewProposalWriter(1 << 20)
	for i := range orders / entry {
		w.Reset(Header{})
		for k := range entry {
			c := order("shoe", fmt.Sprintf("user-%08d", i*entry+k), fmt.Sprintf("key-%08d", i*entry+k), 1)
			if err := w.Add(c); err != nil {
				b.Fatal(err)
			}
		}
		log = append(log, w.Seal(Time(2+i)))
	}
	longest := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		book, apply := shard(b)
		apply(1, create("shoe", MaxStock))
		b.StartTimer()
		for _, data := range log {
			begin := time.Now()
			p, err := DecodeProposal(data)
			if err != nil {
				b.Fatal(err)
			}
			at := book.Begin(p.Header, book.Index()+1)
			for _, c := range p.Commands {
				if out := book.ApplyUnheard(at, c); out.Code != OK {
					b.Fatalf("%+v", out)
				}
			}
			longest = max(longest, time.Since(begin))
		}
	}
	b.ReportMetric(float64(b.N)*orders/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
}
