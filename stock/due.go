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

// Evictable reports whether a flush mark at an index would let an order of one of the ledgers leave memory at now. It looks at up to limit
// ledgers from the one with number start+1 on, and returns where to go on.
func (b *Book) Evictable(now Time, flushed uint64, start uint32, limit int) (found bool, next uint32) {
	n := uint32(len(b.slots))
	if n == 0 {
		return false, 0
	}
	for i := uint32(0); i < n && int(i) < limit; i++ {
		next = (start + i + 1) % n
		if l := b.slots[(start+i)%n].ledger; l != nil && l.Evictable(now, flushed) {
			return true, next
		}
	}
	return false, next
}
