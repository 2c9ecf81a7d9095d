package stock

// schedule is a min-heap of orders by (time, counter): the total order makes it the same on every replica, however it was built.
type schedule []scheduled

type scheduled struct {
	at      Time
	counter uint64
}

func (a scheduled) before(b scheduled) bool {
	return a.at < b.at || a.at == b.at && a.counter < b.counter
}

func (s *schedule) push(e scheduled) {
	*s = append(*s, e)
	s.up(len(*s) - 1)
}

func (s *schedule) pop() { s.remove(0) }

// remove takes out the entry at a place of the heap.
func (s *schedule) remove(i int) {
	h := *s
	last := len(h) - 1
	h[i] = h[last]
	if *s = h[:last]; i < last {
		s.down(i)
		s.up(i)
	}
	if spare := cap(h) - last; spare > 1024 && spare > 3*last {
		*s = append(make(schedule, 0, 2*last), h[:last]...)
	}
}

func (s *schedule) up(i int) {
	h := *s
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (s *schedule) down(i int) {
	h := *s
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// tidy keeps what is out of date in the agendas from growing.
func (l *Ledger) tidy() {
	l.due.tidy(l.waiting, l.stillDue)
	l.settled.tidy(int64(l.rows.live())-l.waiting, l.stillSettled)
}

func (l *Ledger) stillDue(e scheduled) bool { return l.rows.state(e.counter - 1).waits() }

func (l *Ledger) stillSettled(e scheduled) bool {
	r := l.find(e.counter)
	return r.state != 0 && r.updated == e.at
}
