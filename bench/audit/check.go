package audit

import (
	"context"
	"fmt"

	"holdfast/bench/sale"
)

// maxUsers bounds the users whose units are summed.
const maxUsers = 4 << 20

// maxLookups bounds the orders that are looked up one by one in a target that cannot list them.
const maxLookups = 50_000

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
	views, err := l.views(ctx, t, b, &f)
	if err != nil {
		return f, err
	}
	if f.Checked = int64(len(b.entries)); b.bits > 0 {
		f.say("single orders were held for one in %d: %d of %d", uint64(1)<<b.bits, f.Checked, f.Accepted)
	}
	f.Lost = max(f.Lost, b.bad())
	l.judgeCounters(counters, &f)
	l.judgeOversold(counters, views, &f)
	l.judgeUndersold(counters, views, &f)
	f.LimitBroken = views[0].limits.broken(l, &f)
	return f, nil
}

// views holds the orders, and storage where there is some, against the book.
func (l *Ledger) views(ctx context.Context, t sale.Target, b *book, f *Findings) ([]*view, error) {
	orders := l.newView("orders", seenInOrders, b, f)
	orders.limits = newLimits(maxUsers)
	visit := t.Orders
	if p, picks := t.(sale.Picker); picks {
		for len(b.entries) > maxLookups {
			b.halve()
		}
		orders.sample = b.bits > 0
		visit = func(ctx context.Context, skus []string, visit func(sale.Stored)) error {
			return p.Pick(ctx, skus, func(id string) bool { return sampled(idOf(id, ""), b.bits) }, visit)
		}
	}
	views := []*view{orders}
	if err := visit(ctx, l.SKUs(), orders.visit); err != nil {
		return nil, fmt.Errorf("audit: the orders of %s: %w", t.About().Name, err)
	}
	orders.end()
	if s, stores := t.(sale.Storer); stores && t.About().Sink != "" && t.About().Sink != "none" {
		stored := l.newView("storage", seenInStorage, b, f)
		if err := s.Stored(ctx, l.SKUs(), stored.visit); err != nil {
			return nil, fmt.Errorf("audit: the storage of %s: %w", t.About().Name, err)
		}
		stored.end()
		f.Stored = stored.rows
		views = append(views, stored)
	}
	return views, nil
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
