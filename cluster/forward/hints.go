package forward

import "sync"

// hints keep what other nodes said about who leads, where that is newer than what this node heard by itself.
type hints struct {
	mu      sync.Mutex // guards what follows
	routes  map[uint32]route
	changed chan struct{} // closed at the next change
}

func newHints() *hints { return &hints{routes: make(map[uint32]route), changed: make(chan struct{})} }

// note takes what a node said of a shard's leader.
func (h *hints) note(shard uint32, r route) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if was, known := h.routes[shard]; r.node == "" || known && r.term <= was.term {
		return
	}
	h.routes[shard] = r
	close(h.changed)
	h.changed = make(chan struct{})
}

// of returns the newest hint about a shard, and what is closed when one changes.
func (h *hints) of(shard uint32) (route, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.routes[shard], h.changed
}

// newer returns the route of the higher term; of equal ones the first that knows a node.
func newer(own, hint route) route {
	if hint.term > own.term || hint.term == own.term && own.node == "" {
		return hint
	}
	return own
}
