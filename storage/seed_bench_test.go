package storage

import (
	"path/filepath"
	"testing"

	"holdfast/stock"
)

// BenchmarkSeed measures how fast a peer's rows are read, sent and written: 50,000 orders of one SKU, in pages of MaxPageRows.
func BenchmarkSeed(b *testing.B) {
	const orders = 50_000
	m := newModel(1, 1)
	m.skus = nil
	for i := range uint64(orders) {
		o := benchmarkOrder(i, 1)
		m.gone, m.index = append(m.gone, &o), max(m.index, o.Version)
	}
	partitions := []stock.Partition{m.gone[0].ID.Partition}
	place := func() *sqliteSink {
		c := config(filepath.Join(b.TempDir(), "orders.db"), m)
		c, err := c.withDefaults()
		if err != nil {
			b.Fatal(err)
		}
		s, err := newSQLite(&c)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	from := place()
	source, _, err := from.Connect(b.Context(), 1)
	if err != nil {
		b.Fatal(err)
	}
	batch := Batch{Term: 1, Changes: stock.Changes{UpTo: m.index}}
	for _, o := range m.gone {
		batch.Orders = append(batch.Orders, *o)
	}
	if err := source.Write(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		to := place()
		target, _, err := to.Connect(b.Context(), 1)
		if err != nil {
			b.Fatal(err)
		}
		s := target.(*sqliteSession)
		if err := s.note(b.Context(), Span{0, m.index}); err != nil {
			b.Fatal(err)
		}
		for more := true; more; {
			seed, err := s.seed(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			p, err := from.rows(b.Context(), Shard{ID: 1, Partitions: partitions}, seed.at, MaxPageRows)
			if err == nil {
				p, err = DecodePage(EncodePage(p))
			}
			if err == nil {
				_, err = s.writePage(b.Context(), &p, seed)
			}
			if err != nil {
				b.Fatal(err)
			}
			more = p.Next != ""
		}
		if err := target.Close(); err != nil {
			b.Fatal(err)
		}
		_ = to.Close()
	}
	b.ReportMetric(float64(orders*b.N)/b.Elapsed().Seconds(), "rows/s")
	_ = source.Close()
	_ = from.Close()
}
