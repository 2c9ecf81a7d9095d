package control

import (
	"sync"

	"holdfast/cluster/meta"
)

// scope is what a command's outcome is remembered under.
type scope struct{ caller, key string }

// waiting holds those who wait for outcomes at this node.
type waiting struct {
	most int

	mu sync.Mutex // guards what follows
	// Invariant: no list is empty.
	of    map[scope][]chan meta.Outcome
	count int
}

func newWaiting(most int) *waiting {
	return &waiting{most: most, of: make(map[scope][]chan meta.Outcome)}
}

// enter waits for the outcome of a key from now on; false when too many wait. Each channel holds one outcome.
func (w *waiting) enter(h *meta.Keyed) (<-chan meta.Outcome, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count >= w.most {
		return nil, false
	}
	ch := make(chan meta.Outcome, 1)
	at := scope{h.Caller, h.Key}
	w.of[at] = append(w.of[at], ch)
	w.count++
	return ch, true
}

// leave takes back what enter did.
func (w *waiting) leave(h *meta.Keyed, ch <-chan meta.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := scope{h.Caller, h.Key}
	list := w.of[at]
	for i := range list {
		if list[i] != ch {
			continue
		}
		w.count--
		if list = append(list[:i:i], list[i+1:]...); len(list) == 0 {
			delete(w.of, at)
		} else {
			w.of[at] = list
		}
		return
	}
}

// tell hands an outcome to all who wait for it. The first counts; a late copy's is the same.
func (w *waiting) tell(h *meta.Keyed, out meta.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.of[scope{h.Caller, h.Key}] {
		select {
		case ch <- out:
		default:
		}
	}
}
