package stocktest

import (
	"cmp"
	"slices"

	"holdfast/stock"
)

// mark lets settled rows and old adjustment keys leave memory (rule R27).
func (o *Oracle) mark(at stock.Position, flushed uint64, skus []*sku) {
	for _, s := range skus {
		if s.row.Broken {
			continue
		}
		for n, r := range s.settled() {
			if int64(n) >= o.settings.EvictBatch || !o.mayLeave(s, r, at.Now, flushed) {
				break
			}
			s.evict(r)
		}
		for n := int64(0); n < o.settings.EvictBatch && len(s.adjusted) > 0; n++ {
			if s.adjusted[0].at.Add(o.settings.RetentionMS) > at.Now {
				break
			}
			s.adjusted = slices.Delete(s.adjusted, 0, 1)
		}
	}
}

// settled returns the rows that wait for nothing but retention, the longest unchanged first.
func (s *sku) settled() []*row {
	var rows []*row
	for _, r := range s.rows {
		if r.fence || r.order.State.Settled() {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(
			cmp.Compare(a.order.UpdatedAt, b.order.UpdatedAt),
			cmp.Compare(a.order.ID.Counter, b.order.ID.Counter),
		)
	})
	return rows
}

func (o *Oracle) mayLeave(s *sku, r *row, now stock.Time, flushed uint64) bool {
	old := r.order.UpdatedAt.Add(o.settings.RetentionMS) <= now
	durable := r.fence || r.order.Version <= flushed
	over := s.row.ClosesAt == 0 || now >= s.row.ClosesAt
	return old && durable && over
}

// evict forgets a row, its key and its return keys. The units a user bought stay counted.
func (s *sku) evict(r *row) {
	if !r.fence && r.order.State == stock.StateConfirmed {
		s.gone[r.order.User] += r.order.Qty - r.order.ReturnedQty
	}
	i := slices.Index(s.rows, r)
	s.rows = slices.Delete(s.rows, i, i+1)
}
