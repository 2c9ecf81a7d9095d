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
	h := append(*s, e)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
	*s = h
}

func (s *schedule) pop() {
	h := *s
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	*s = h
}
