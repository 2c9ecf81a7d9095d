package stock

// reschedule notes when the earliest hold of a cold SKU falls due.
func (b *Book) reschedule(s *slot) {
	if s.ledger == nil {
		return
	}
	at, ok := s.ledger.nextDue()
	if !ok || (s.dueAt != 0 && s.dueAt <= at) {
		return
	}
	s.dueAt = at
	b.due.push(scheduled{at, uint64(s.number)})
}

// NextDue returns when the next hold of a SKU that is not away falls due.
func (b *Book) NextDue() (Time, bool) {
	for len(b.due) > 0 {
		e := b.due[0]
		s := b.slots[e.counter-1]
		if s.ledger != nil && s.dueAt == e.at {
			if at, ok := s.ledger.nextDue(); ok && at == e.at {
				return at, true
			}
			// What stands there is out of date: the hold was settled meanwhile.
			s.dueAt = 0
			b.due.pop()
			b.reschedule(s)
			continue
		}
		b.due.pop()
	}
	return 0, false
}

// TakeDue returns the ledgers with holds due at the clock, each once until the next command is applied to it, or Recall is called.
func (b *Book) TakeDue(clock Time) (due []*Ledger) {
	for {
		at, ok := b.NextDue()
		if !ok || at > clock {
			return due
		}
		s := b.slots[b.due[0].counter-1]
		b.due.pop()
		// Nothing stands in the schedule now; apply puts it there again.
		s.dueAt = 0
		due = append(due, s.ledger)
	}
}

// Recall makes TakeDue see every ledger again, after a proposal was lost or a new leader opened.
func (b *Book) Recall() {
	b.due = b.due[:0]
	for _, s := range b.slots {
		s.dueAt = 0
		b.reschedule(s)
	}
}

// evictOrders bounds about how many orders one FlushSpan lets leave memory, unless a single SKU has more of them.
const evictOrders = 8192

// Evictable looks at up to limit ledgers from the one with number start+1 on, to the last at most, and returns the span from the first to the last of
// them of which a FlushSpan would let an order leave memory at now; nil when there is none. next is where to go on, 0 for the beginning.
func (b *Book) Evictable(now Time, flushed uint64, start uint32, limit int) (span *FlushSpan, next uint32) {
	n, orders := uint32(len(b.slots)), int64(0)
	for i := start; i < n; i++ {
		if int(i-start) == limit || orders >= evictOrders {
			return span, i
		}
		l := b.slots[i].ledger
		if l == nil || !l.Evictable(now, flushed) {
			continue
		}
		if span == nil {
			span = &FlushSpan{Index: flushed, First: i + 1}
		}
		span.Last = i + 1
		orders += min(int64(l.settled.len()), l.settings.EvictBatch)
	}
	return span, 0
}
