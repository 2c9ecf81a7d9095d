package inprocess

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"holdfast/bench/sale"
	"holdfast/bench/target/stored"
	"holdfast/stock"
)

const (
	// readers is how many SKUs are read at a time.
	readers = 16
	// firstLook and maxLook are how many orders of a SKU are asked for at once, first and later.
	firstLook, maxLook = 16, 4096
)

// Orders visits what the leaders have in memory. A SKU's orders are numbered without a gap, and none leaves memory before retention, which is longer
// than a run.
func (t *Target) Orders(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	var mu sync.Mutex
	return each(ctx, skus, func(ctx context.Context, sku string) error {
		return t.ordersOf(ctx, sku, func(o *stock.Order) {
			mu.Lock()
			defer mu.Unlock()
			visit(sale.Stored{
				ID: o.ID.String(), Key: o.Key, SKU: o.SKU, User: o.User, Qty: o.Qty, Returned: o.ReturnedQty, State: o.State.String(),
			})
		})
	})
}

// each does something with every SKU, several at a time, until something fails.
func each(ctx context.Context, skus []string, do func(context.Context, string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan string)
	var wg sync.WaitGroup
	for range min(readers, len(skus)) {
		wg.Go(func() {
			for sku := range next {
				if err := do(ctx, sku); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < len(skus) && ctx.Err() == nil; i++ {
		select {
		case next <- skus[i]:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (t *Target) ordersOf(ctx context.Context, sku string, visit func(*stock.Order)) error {
	s, err := t.sku(ctx, sku)
	if err != nil {
		return err
	}
	id := stock.OrderID{Partition: stock.PartitionOf(sku), SKU: s.Number}
	for look := firstLook; ; look = min(4*look, maxLook) {
		outs := make([]stock.Outcome, look)
		if err := t.ask(ctx, func(i int) stock.Request {
			at := id
			at.Counter += uint64(i) + 1
			return &stock.GetOrder{Order: at}
		}, outs); err != nil {
			return fmt.Errorf("read the orders of %s: %w", sku, err)
		}
		for i := range outs {
			if outs[i].Code == stock.OK {
				visit(outs[i].Order)
			}
		}
		if outs[look-1].Code != stock.OK {
			return nil
		}
		id.Counter += uint64(look)
	}
}

// Stored visits what storage has. With SQLite every node has a file of its own with all orders in it: each SKU is read from one of them.
func (t *Target) Stored(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	if t.cfg.Sink == "none" {
		return nil
	}
	need := make(map[uint32]uint64)
	var mu sync.Mutex
	if err := each(ctx, skus, func(ctx context.Context, name string) error {
		s, err := t.sku(ctx, name)
		if err == nil {
			shard := t.up().ShardOf(name)
			mu.Lock()
			defer mu.Unlock()
			need[shard] = max(need[shard], s.Version)
		}
		return err
	}); err != nil {
		return err
	}
	if t.cfg.Sink != "sqlite" {
		wanted := setOf(skus)
		return stored.Visit(ctx, t.cfg.Sink, need, func(sku string) bool { return wanted[sku] }, visit)
	}
	for i, s := range t.slots {
		var part []string
		for k := i; k < len(skus); k += len(t.slots) {
			part = append(part, skus[k])
		}
		if len(part) == 0 {
			continue
		}
		wanted := setOf(part)
		path := filepath.Join(s.cfg.DataDir, "orders.db")
		if err := stored.Visit(ctx, path, need, func(sku string) bool { return wanted[sku] }, visit); err != nil {
			return fmt.Errorf("the storage of %s: %w", s.id, err)
		}
	}
	return nil
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
