package raft

import (
	"errors"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"holdfast/bench/sale"
)

// outcome is what the state machine answers. The zero value is no answer: raft answers a future with nothing when the machine panicked.
type outcome uint8

const (
	none outcome = iota
	done
	soldOut
	insufficient
	overLimit
	fenced
	reused
	noSKU
	exists
	broken
)

// ware is a SKU with its orders.
type ware struct {
	stock, available, limit int64
	used                    map[string]int64 // units by user, where there is a limit
	orders                  map[string]sold  // by key
}

// sold is an order; qty 0 is a fence.
type sold struct {
	user string
	qty  int64
}

// machine is a node's state: a function of the entries before it.
type machine struct {
	mu    sync.RWMutex // guards wares
	wares map[string]*ware
}

var _ raft.FSM = (*machine)(nil)

// Apply implements raft.FSM.
func (m *machine) Apply(log *raft.Log) any {
	var e entry
	if e.decode(log.Data) != nil {
		return broken
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w, known := m.wares[e.order.SKU]
	switch {
	case e.kind == create && known:
		return exists
	case e.kind == create:
		m.wares[e.order.SKU] = &ware{stock: e.stock, available: e.stock, limit: e.limit, used: make(map[string]int64), orders: make(map[string]sold)}
		return done
	case !known:
		return noSKU
	case e.kind == place:
		return w.place(&e.order)
	case e.kind == fence:
		return w.fence(&e.order)
	}
	return broken
}

// before is what became of an order's key; false: nobody used it.
func (w *ware) before(o *sale.Order) (outcome, bool) {
	was, known := w.orders[o.Key]
	switch {
	case !known:
		return none, false
	case was.qty == 0:
		return fenced, true
	case was == sold{o.User, o.Qty}:
		return done, true
	}
	return reused, true
}

func (w *ware) place(o *sale.Order) outcome {
	if was, known := w.before(o); known {
		return was
	}
	switch {
	case w.limit > 0 && w.used[o.User]+o.Qty > w.limit:
		return overLimit
	case w.available == 0:
		return soldOut
	case w.available < o.Qty:
		return insufficient
	}
	w.available -= o.Qty
	if w.limit > 0 {
		w.used[o.User] += o.Qty
	}
	w.orders[o.Key] = sold{o.User, o.Qty}
	return done
}

func (w *ware) fence(o *sale.Order) outcome {
	if was, known := w.before(o); known {
		return was
	}
	w.orders[o.Key] = sold{}
	return fenced
}

var errNoSnapshots = errors.New("raft: this rival makes no snapshots")

// Snapshot implements raft.FSM. Nobody asks for one.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return nil, errNoSnapshots }

// Restore implements raft.FSM. Nobody has one.
func (m *machine) Restore(from io.ReadCloser) error { return errors.Join(errNoSnapshots, from.Close()) }
