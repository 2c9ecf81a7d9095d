package actors

import (
	"fmt"
	"log/slog"
	"testing"

	"holdfast/stock"
)

// BenchmarkReplicaApply is one order of an entry that a follower is handed: decoded, applied by its actor, published.
func BenchmarkReplicaApply(b *testing.B) {
	const orders, entries = 256, 200
	for _, skus := range []int{1, 1000} {
		b.Run(fmt.Sprintf("orders=%d/skus=%d", orders, skus), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := Start(Config{Logger: slog.New(slog.DiscardHandler)})
				r, err := s.NewReplica(ReplicaConfig{Shard: 1, Log: &testLog{}, Init: stock.Init{Partitions: allPartitions(), Settings: stock.DefaultSettings()}})
				if err != nil {
					b.Fatal(err)
				}
				log := benchLog(b, orders, entries, skus)
				b.StartTimer()
				for i, data := range log {
					if err := r.Apply(uint64(i+1), 1, data); err != nil {
						b.Fatal(err)
					}
				}
				if _, _, err := r.Hash(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				r.Close()
				s.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(orders*entries), "ns/order")
		})
	}
}

func benchLog(b *testing.B, orders, entries, skus int) (log [][]byte) {
	b.Helper()
	w := stock.NewProposalWriter(1 << 20)
	seal := func(commands ...stock.Command) {
		w.Reset(stock.Header{Term: 1})
		for _, c := range commands {
			if err := w.Add(c); err != nil {
				b.Fatal(err)
			}
		}
		log = append(log, w.Seal(stock.Time(1000+len(log))))
	}
	seal(&stock.Init{Partitions: allPartitions(), Settings: stock.DefaultSettings()})
	for i := range skus {
		seal(spec(fmt.Sprint("sku", i), 1<<40, false))
	}
	for e := range entries {
		commands := make([]stock.Command, orders)
		for i := range commands {
			n := e*orders + i
			commands[i] = place(fmt.Sprint("sku", n%skus), fmt.Sprint("user", n), fmt.Sprint("key", n))
		}
		seal(commands...)
	}
	return log
}
