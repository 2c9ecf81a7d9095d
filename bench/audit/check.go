package audit

import (
	"context"
	"fmt"

	"holdfast/bench/sale"
)

// maxUsers bounds the users whose units are summed.
const maxUsers = 4 << 20

// Check holds a target to what callers were told, when nobody asks it for anything any more. An error says that it could not be finished: a target that
// does not answer, say. Findings of before the error are returned with it.
func Check(ctx context.Context, l *Ledger, t sale.Target) (Findings, error) {
	var f Findings
	if f.Unresolved = l.Resolve(ctx, t); f.Unresolved > 0 {
		f.say("nobody can say what became of %d orders", f.Unresolved)
	}
	if n := l.strays.Load(); n > 0 {
		return f, fmt.Errorf("%w: %d answers", ErrStray, n)
	}
	f.Accepted = l.Accepted()
	b := l.openBook()
	counters, err := l.count(ctx, t)
	if err != nil {
		return f, err
	}
	m := newLimits(maxUsers)
	views, err := l.views(ctx, t, b, m, &f)
	if err != nil {
		return f, err
	}
	l.judgeCounters(counters, &f)
	l.judgeOversold(counters, views, &f)
	l.judgeUndersold(counters, views, &f)
	f.LimitBroken = m.broken(l, &f)
	return f, nil
}

// views holds storage, where there is some, and the orders against the book. Users are looked at in the first of them that is whole.
func (l *Ledger) views(ctx context.Context, t sale.Target, b *book, m *limits, f *Findings) (views []*view, err error) {
	_, picks := t.(sale.Picker)
	if s, stores := t.(sale.Storer); stores && t.About().Sink != "" && t.About().Sink != "none" {
		stored := l.newView("storage", seenInStorage, b, f)
		views = append(views, stored)
		if picks {
			stored.limits = m
		}
		if err := s.Stored(ctx, l.SKUs(), stored.visit); err != nil {
			return nil, fmt.Errorf("audit: the storage of %s: %w", t.About().Name, err)
		}
		stored.end()
		f.Stored = stored.rows
	}
	orders := l.newView("orders", seenInOrders, b, f)
	if !picks || len(views) == 0 {
		orders.limits = m
	}
	f.Checked, f.Lost = int64(len(b.entries)), max(f.Lost, b.bad())
	if b.bits > 0 {
		f.say("single orders were held for one in %d: %d of %d", uint64(1)<<b.bits, f.Checked, f.Accepted)
	}
	if err := l.visit(ctx, t, orders); err != nil {
		return nil, fmt.Errorf("audit: the orders of %s: %w", t.About().Name, err)
	}
	orders.end()
	f.Lost = max(f.Lost, b.bad())
	if len(views) == 0 {
		f.Checked = int64(len(b.entries))
	}
	return append(views, orders), nil
}

// visit shows a view the orders as the target keeps them: all that it lists, or a sample that it can look up.
func (l *Ledger) visit(ctx context.Context, t sale.Target, v *view) error {
	p, picks := t.(sale.Picker)
	if !picks {
		return t.Orders(ctx, l.SKUs(), v.visit)
	}
	from := v.b.bits
	for len(v.b.entries) > l.lookups {
		v.b.halve()
	}
	if v.sample = v.b.bits > 0; v.b.bits > from {
		v.f.say("orders were looked up, one in %d: %d of %d", uint64(1)<<v.b.bits, len(v.b.entries), v.f.Accepted)
	}
	return p.Pick(ctx, l.SKUs(), func(id string) bool { return sampled(idOf(id, ""), v.b.bits) }, v.visit)
}

// bad counts the orders that are not as they must be in one view or another.
func (b *book) bad() (orders int64) {
	for i := range b.entries {
		if b.entries[i].bad {
			orders++
		}
	}
	return orders
}

// halve makes the sample smaller.
func (b *book) halve() {
	all := b.entries
	b.bits++
	clear(b.index)
	b.entries = make([]entry, 0, len(all)/2+1)
	for i := range all {
		if sampled(all[i].id, b.bits) {
			b.put(&all[i])
		}
	}
}
