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

// tidier takes entries that are out of date out of a schedule, a few at a time: they would leave by themselves only when their time comes, which
// may be a year after their orders were settled.
type tidier struct{ at int }

const (
	// tidyFrom entries may be out of date before anything is done about it, and as many as are not.
	tidyFrom = 1024
	// tidySteps is how many entries one command looks at; it adds one at most.
	tidySteps = 4
)

func (t *tidier) step(s *schedule, valid int64, is func(scheduled) bool) {
	for n := 0; n < tidySteps && int64(len(*s)) > 2*valid+tidyFrom; n++ {
		if t.at >= len(*s) {
			t.at = 0
		}
		if is((*s)[t.at]) {
			t.at++
		} else {
			s.remove(t.at)
		}
	}
}

// tidy keeps what is out of date in the schedules from growing.
func (l *Ledger) tidy() {
	l.dueTidier.step(&l.due, l.waiting, l.stillDue)
	l.settledTidier.step(&l.settled, int64(len(l.keys))-l.waiting, l.stillSettled)
}

func (l *Ledger) stillDue(e scheduled) bool {
	r := l.find(e.counter)
	return r != nil && r.waits()
}

func (l *Ledger) stillSettled(e scheduled) bool {
	r := l.find(e.counter)
	return r != nil && r.updated == e.at
}
