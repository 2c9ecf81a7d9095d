package audit

import (
	"context"
	"fmt"
	"time"

	"holdfast/bench/sale"
)

// age is how long ago the sale began.
func (l *Ledger) age() time.Duration { return time.Since(l.began) }

// count asks for the counters of every SKU.
func (l *Ledger) count(ctx context.Context, t sale.Target) ([]sale.Counters, error) {
	all := make([]sale.Counters, len(l.tallies))
	err := each(ctx, len(all), func(i int) (err error) {
		all[i], err = t.Counters(ctx, l.tallies[i].sku.Name)
		if err != nil {
			err = fmt.Errorf("the counters of %s: %w", l.tallies[i].sku.Name, err)
		}
		return err
	})
	return all, err
}

// judgeCounters holds counters against what callers were told.
func (l *Ledger) judgeCounters(all []sale.Counters, f *Findings) {
	var lost, more int64
	for i, c := range all {
		t := l.tallies[i]
		least, most := t.active(l.age())
		active := c.Held + c.Sold
		if active < least {
			lost += least - active
			f.say("%s: %d units are held and %d sold, callers were told of %d", t.sku.Name, c.Held, c.Sold, least)
		}
		if active > most {
			more += active - most
			f.say("%s: %d units are held and %d sold, callers were told of %d", t.sku.Name, c.Held, c.Sold, most)
		}
		if off := c.Available + active - t.sku.Stock; off != 0 {
			f.say("%s: %d available, %d held and %d sold are not the %d there were", t.sku.Name, c.Available, c.Held, c.Sold, t.sku.Stock)
			f.Undersold += max(0, -off)
		}
	}
	f.Lost, f.Duplicated = max(f.Lost, lost), max(f.Duplicated, more)
}

// judgeOversold counts units beyond the stock, by the view in which there are the most.
func (l *Ledger) judgeOversold(all []sale.Counters, views []*view, f *Findings) {
	for i, t := range l.tallies {
		told, _ := t.active(l.age())
		c := all[i]
		worst := max(told-t.sku.Stock, c.Held+c.Sold-t.sku.Stock, c.Available+c.Held+c.Sold-t.sku.Stock)
		for _, v := range views {
			worst = max(worst, v.beyond(i))
		}
		if worst > 0 {
			f.Oversold += worst
			f.say("%s: %d units beyond its stock of %d", t.sku.Name, worst, t.sku.Stock)
		}
	}
}

// judgeUndersold counts units that are left where somebody was refused for want of them and nothing came back.
func (l *Ledger) judgeUndersold(all []sale.Counters, views []*view, f *Findings) {
	for i, t := range l.tallies {
		back := t.gaveBack(l.age())
		for _, v := range views {
			back = back || v.gaveBack[i]
		}
		var left int64
		switch {
		case back:
		case t.soldOut.Load() > 0:
			left = all[i].Available
		case t.short.Load() > 0: // Somebody wanted more than there was, so what he wanted may not be there now.
			left = all[i].Available - (t.shortQty.Load() - 1)
		}
		if left > 0 {
			f.Undersold += left
			f.say("%s: %d units are left, and %d orders were refused for want of units", t.sku.Name, left, t.soldOut.Load()+t.short.Load())
		}
	}
}
