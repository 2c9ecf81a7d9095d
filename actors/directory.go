// Step 4 of an order: send to the PID. A hot SKU's actor if it has one, else the shard's.

package actors

import (
	"sort"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"holdfast/stock"
)

// listing is what is known of a SKU outside its actor.
type listing struct {
	number uint32
	// pid is the hot SKU's actor; nil while the shard's actor owns it.
	pid       atomic.Pointer[actor.PID]
	published atomic.Pointer[stock.Availability]
}

// directory lists the SKUs of a replica. Its actors write it, everybody reads it.
type directory struct {
	shard    atomic.Pointer[actor.PID]
	byName   sync.Map // string -> *listing
	byNumber sync.Map // uint32 -> *listing
}

// add lists a SKU, or returns its listing.
func (d *directory) add(name string, number uint32) *listing {
	if l, ok := d.byName.Load(name); ok {
		return l.(*listing)
	}
	l := &listing{number: number}
	d.byName.Store(name, l)
	d.byNumber.Store(number, l)
	return l
}

// clear forgets all SKUs, when the replica's state is replaced.
func (d *directory) clear() {
	d.byName.Clear()
	d.byNumber.Clear()
}

func (d *directory) find(name string) *listing {
	if l, ok := d.byName.Load(name); ok {
		return l.(*listing)
	}
	return nil
}

// target returns the actor that a request goes to. It may be a little out of date: actors pass on what is not theirs.
func (d *directory) target(r stock.Request) *actor.PID {
	var l any
	var ok bool
	switch r := r.(type) {
	case *stock.Place:
		l, ok = d.byName.Load(r.SKU)
	case *stock.Confirm:
		l, ok = d.byNumber.Load(r.Order.SKU)
	case *stock.Cancel:
		l, ok = d.byNumber.Load(r.Order.SKU)
	case *stock.Return:
		l, ok = d.byNumber.Load(r.Order.SKU)
	case *stock.GetOrder:
		l, ok = d.byNumber.Load(r.Order.SKU)
	}
	if ok {
		if pid := l.(*listing).pid.Load(); pid != nil {
			return pid
		}
	}
	return d.shard.Load()
}

// names returns the names after a given one, in byte order, at most limit of them.
func (d *directory) names(after string, limit int) []string {
	var names []string
	d.byName.Range(func(k, _ any) bool {
		if name := k.(string); name > after {
			names = append(names, name)
		}
		return true
	})
	sort.Strings(names)
	return names[:min(limit, len(names))]
}
