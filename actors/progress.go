package actors

import (
	"sync"
	"sync/atomic"
)

// progress follows which entries the actors have applied. Raft's own indexes say only what was handed over (rule R13).
type progress struct {
	applied atomic.Uint64
	// slots bounds the entries that wait in actors.
	slots chan struct{}

	mu sync.Mutex // guards what follows; taken twice an entry
	// order holds the entries that are not known to be applied, as they were handed over: raft keeps some indexes to itself.
	order []uint64
	done  map[uint64]struct{}
}

func newProgress(backlog int) *progress {
	return &progress{slots: make(chan struct{}, backlog), done: make(map[uint64]struct{})}
}

// takeSlot waits until fewer entries than the bound wait in actors; false when the replica closed meanwhile.
func (r *Replica) takeSlot() bool {
	select {
	case r.progress.slots <- struct{}{}:
		return true
	default:
		r.metrics.applyWaits.Inc()
	}
	select {
	case r.progress.slots <- struct{}{}:
		return true
	case <-r.closed:
		return false
	}
}

// restart says that the state is now the one after an index.
func (p *progress) restart(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order, p.done = nil, make(map[uint64]struct{})
	p.applied.Store(index)
}

// start notes that an entry was handed over.
func (p *progress) start(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.order = append(p.order, index)
}

// complete notes that an entry was applied by all actors that it concerns; entries may complete out of order.
func (p *progress) complete(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index <= p.applied.Load() {
		return // of a state that was replaced
	}
	p.done[index] = struct{}{}
	for len(p.order) > 0 {
		next := p.order[0]
		if _, ok := p.done[next]; !ok {
			return
		}
		delete(p.done, next)
		p.order = p.order[1:]
		p.applied.Store(next)
	}
}
