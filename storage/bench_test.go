package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"holdfast/stock"
	"holdfast/storage/pgtest"
)

// BenchmarkWrite measures transactions of the SQLite sink on a real file, and of the PostgreSQL sink on a server of its own that syncs: rows it has
// not seen, and rows it has in an older version.
func BenchmarkWrite(b *testing.B) {
	b.Run("sink=sqlite", func(b *testing.B) {
		benchmarkWrites(b, func(b *testing.B) string { return filepath.Join(b.TempDir(), "orders.db") })
	})
	b.Run("sink=postgres", func(b *testing.B) {
		server := pgtest.Start(b)
		benchmarkWrites(b, func(b *testing.B) string {
			_, sink := server.Schema(b)
			return sink
		})
	})
}

func benchmarkWrites(b *testing.B, place func(b *testing.B) string) {
	for _, kind := range []string{"insert", "update"} {
		for _, skus := range []uint64{1, 1000} {
			for _, n := range []int{1, 64, 4096} {
				name := fmt.Sprintf("kind=%s/skus=%d/rows=%d", kind, skus, n)
				b.Run(name, func(b *testing.B) { benchmarkWrite(b, place(b), n, skus, kind == "insert") })
			}
		}
	}
}

func benchmarkWrite(b *testing.B, target string, n int, skus uint64, fresh bool) {
	c, err := config(target, newModel(1, 1)).withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	sink, err := newSink(&c)
	if err != nil {
		b.Fatal(err)
	}
	s, _, err := sink.Connect(b.Context(), 1)
	if err != nil {
		b.Fatal(err)
	}
	batch := Batch{Term: 1, Changes: stock.Changes{Orders: make([]stock.Order, n)}}
	placed := uint64(0)
	for b.Loop() {
		for i := range batch.Orders {
			if fresh || batch.Orders[i].Key == "" {
				placed++
				batch.Orders[i] = benchmarkOrder(placed, skus)
			}
			batch.Orders[i].Version = batch.UpTo + 1
		}
		batch.Since = batch.UpTo
		batch.UpTo++
		if err := s.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
	if err := errors.Join(s.Close(), sink.Close()); err != nil {
		b.Fatal(err)
	}
	if fresh {
		b.ReportMetric(float64(size(b, target))/float64(placed), "bytes/row")
	}
}

// size returns how many bytes a sink's orders take, nearly the whole of a file.
func size(b *testing.B, sink string) int64 {
	if isPostgres(sink) {
		return pgtest.Rows(b, sink, "select pg_total_relation_size('orders')")[0][0].(int64)
	}
	info, err := os.Stat(sink)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

func benchmarkOrder(number, skus uint64) stock.Order {
	return stock.Order{
		ID:  stock.OrderID{Partition: 7, SKU: uint32(number % skus), Counter: number/skus + 1},
		SKU: fmt.Sprintf("sneaker-%d", number%skus), User: fmt.Sprintf("user-%08d", number), Key: fmt.Sprintf("01890a5d-ac96-774b-bcce-b302%08d", number), Qty: 1,
		State: stock.StateHeld, Mode: stock.ModeHold,
		CreatedAt: 1_700_000_000_000, UpdatedAt: 1_700_000_000_000, ExpiresAt: 1_700_000_600_000,
	}
}
