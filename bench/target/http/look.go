package http

import (
	"context"
	"fmt"
	"sync"

	"holdfast/api/client"
	"holdfast/bench/sale"
	"holdfast/bench/target/stored"
	"holdfast/stock"
)

// Orders looks up every order; see Pick.
func (t *Target) Orders(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	return t.Pick(ctx, skus, func(string) bool { return true }, visit)
}

// Pick looks up orders by id. A SKU's orders are numbered without a gap: those up to the highest number that was told, and what comes after. Keys are
// not known by looking.
func (t *Target) Pick(ctx context.Context, skus []string, wanted func(id string) bool, visit func(sale.Stored)) error {
	var mu sync.Mutex
	visited := func(o *client.Order) {
		mu.Lock()
		defer mu.Unlock()
		visit(sale.Stored{ID: o.ID, SKU: o.SKU, User: o.User, Qty: o.Qty, Returned: o.ReturnedQty, State: o.State})
	}
	if len(skus) == 1 {
		return t.pickMany(ctx, skus[0], wanted, visited)
	}
	return each(ctx, len(skus), func(ctx context.Context, i int) error {
		last := t.lastOf(skus[i])
		for id := last; id.Counter > 0; id.Counter-- {
			if _, err := t.lookUp(ctx, id, wanted, visited); err != nil {
				return err
			}
		}
		return t.pickBeyond(ctx, last, visited)
	})
}

// pickMany looks the orders of one SKU up, several at a time.
func (t *Target) pickMany(ctx context.Context, sku string, wanted func(id string) bool, visit func(*client.Order)) error {
	last := t.lastOf(sku)
	err := each(ctx, int(last.Counter), func(ctx context.Context, i int) error {
		id := last
		id.Counter = uint64(i) + 1
		_, err := t.lookUp(ctx, id, wanted, visit)
		return err
	})
	if err != nil {
		return err
	}
	return t.pickBeyond(ctx, last, visit)
}

// pickBeyond visits all orders of which nobody was told, behind the last of which somebody was.
func (t *Target) pickBeyond(ctx context.Context, last stock.OrderID, visit func(*client.Order)) error {
	if last.Counter == 0 {
		return nil // Nobody knows where the SKU's orders are; its counters tell whether there are some.
	}
	for there := true; there; {
		last.Counter++
		var err error
		if there, err = t.lookUp(ctx, last, func(string) bool { return true }, visit); err != nil {
			return err
		}
	}
	return nil
}

func (t *Target) lastOf(sku string) stock.OrderID {
	v, known := t.last.Load(sku)
	if !known {
		return stock.OrderID{}
	}
	l := v.(*lastOrder)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order
}

// lookUp visits an order if it is wanted and there.
func (t *Target) lookUp(ctx context.Context, id stock.OrderID, wanted func(string) bool, visit func(*client.Order)) (there bool, err error) {
	name := id.String()
	if !wanted(name) {
		return false, nil
	}
	o, err := t.lasting.Order(ctx, name)
	switch {
	case client.CodeOf(err) == "order_not_found":
		return false, nil
	case err != nil:
		return false, fmt.Errorf("http: look up %s: %w", name, err)
	}
	visit(&o)
	return true, nil
}

// backed is a target whose storage can be read.
type backed struct{ *Target }

// Stored visits what storage has.
func (b *backed) Stored(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	need, wanted := make(map[uint32]uint64), make(map[string]bool, len(skus))
	var mu sync.Mutex
	if err := each(ctx, len(skus), func(ctx context.Context, i int) error {
		s, err := b.lasting.SKU(ctx, skus[i])
		mu.Lock()
		defer mu.Unlock()
		need[s.Shard], wanted[skus[i]] = max(need[s.Shard], s.AsOfIndex), true
		return err
	}); err != nil {
		return err
	}
	return stored.Visit(ctx, b.cfg.Storage, need, func(sku string) bool { return wanted[sku] }, visit)
}
