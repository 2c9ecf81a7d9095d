package audit

import "holdfast/bench/sale"

// seenIn are bits of entry.seen: the views in which an order was found.
const (
	seenInOrders uint8 = 1 << iota
	seenInStorage
)

// book is the entries of all callers, with an index by id.
type book struct {
	entries []entry
	// index holds the number of an entry plus one, at the place of its id or the next free one.
	index []uint32
	mask  uint64
	bits  uint
	// doubtful are the hashes of the ids (the keys) of orders of which nobody knows whether they are there.
	doubtful map[string]bool
}

// openBook takes the entries out of the ledger.
func (l *Ledger) openBook() *book {
	b := &book{doubtful: make(map[string]bool)}
	for _, s := range l.shards {
		b.bits = max(b.bits, s.bits)
	}
	n := 0
	for _, s := range l.shards {
		for _, chunk := range s.entries {
			for i := range chunk {
				if sampled(chunk[i].id, b.bits) {
					n++
				}
			}
		}
	}
	size := 16
	for size < 2*n {
		size *= 2
	}
	b.entries, b.index, b.mask = make([]entry, 0, n), make([]uint32, size), uint64(size-1)
	for _, s := range l.shards {
		for _, chunk := range s.entries {
			for i := range chunk {
				if sampled(chunk[i].id, b.bits) {
					b.put(&chunk[i])
				}
			}
		}
		for _, d := range s.doubts {
			b.doubtful[d.order.Key] = true
			l.tallies[l.numbers[d.order.SKU]].open.Add(d.order.Qty)
		}
	}
	b.take(l)
	return b
}

// take follows the steps, in the order in which they were taken.
func (b *book) take(l *Ledger) {
	for _, s := range l.shards {
		for _, st := range s.steps {
			if e := b.find(st.id); e != nil {
				e.take(st)
			}
		}
	}
	since := l.age()
	for i := range b.entries {
		e, t := &b.entries[i], l.tallies[b.entries[i].sku]
		if e.may&(held|open) == 0 {
			continue
		}
		switch {
		case t.lapsed.Load():
			e.may = e.may&^(held|open) | expired
		case t.expires(since):
			e.may |= expired
		}
	}
}

// take follows one step.
func (e *entry) take(st step) {
	to := map[sale.Step]stateBits{sale.Pay: confirmed, sale.Cancel: cancelled, sale.Return: returned}[st.step]
	if st.verdict == sale.Accepted {
		e.may = to
	} else {
		e.may |= to
	}
}

func (b *book) put(e *entry) {
	at := e.id & b.mask
	for b.index[at] != 0 {
		at = (at + 1) & b.mask
	}
	b.entries = append(b.entries, *e)
	b.index[at] = uint32(len(b.entries))
}

// find returns the entry of an id; nil for none.
func (b *book) find(id uint64) *entry {
	for at := id & b.mask; b.index[at] != 0; at = (at + 1) & b.mask {
		if e := &b.entries[b.index[at]-1]; e.id == id {
			return e
		}
	}
	return nil
}
