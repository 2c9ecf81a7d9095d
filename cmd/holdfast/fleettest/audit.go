package fleettest

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"holdfast/api/topology"
	"holdfast/storage"
)

const (
	// convergeTimeout is how long storage and hashes may take to show the end.
	convergeTimeout = 60 * time.Second
	// maxLookups bounds the orders that are looked up one by one.
	maxLookups = 2000
)

// Audit holds cluster and storage against the ledger, when no load runs and all nodes are up: unknown outcomes are made definite; every
// SKU, through every node, has exactly the units held and sold that callers were told of; every order that they were told of is there, in
// its state; every node's database holds exactly those orders; and the replicas of every shard have the same hash.
func (f *Fleet) Audit() {
	f.t.Helper()
	f.Resolve()
	f.auditSKUs()
	f.auditOrders()
	for _, n := range f.Live() {
		f.Await(convergeTimeout, "the database of "+n.ID+" holds what was acknowledged", func() string { return f.wrongRows(n) })
	}
	f.Await(convergeTimeout, "the replicas are identical", f.wrongHashes)
	f.ledger.mu.Lock()
	defer f.ledger.mu.Unlock()
	for i, text := range f.ledger.wrong {
		f.t.Error(text)
		if i > 20 {
			f.t.Errorf("and %d more", len(f.ledger.wrong)-i-1)
			break
		}
	}
	f.ledger.wrong = nil
}

// auditSKUs compares the counters of each SKU, as each node tells them, with the ledger.
func (f *Fleet) auditSKUs() {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	held, sold := make(map[string]int64), make(map[string]int64)
	for _, o := range f.ledger.Orders() {
		switch o.State {
		case "held":
			held[o.SKU]++
		case "confirmed":
			sold[o.SKU]++
		}
	}
	for sku, units := range f.ledger.stocks() {
		for _, n := range f.Live() {
			s, err := n.Patient.SKU(ctx, sku)
			if err != nil {
				f.ledger.Wrong("%s, through %s: %v", sku, n.ID, err)
			} else if s.Held != held[sku] || s.Sold != sold[sku] || s.Stock != units || s.Available != units-held[sku]-sold[sku] {
				f.ledger.Wrong("%s, through %s: %d held, %d sold, %d available of %d; callers were told of %d held and %d sold of %d",
					sku, n.ID, s.Held, s.Sold, s.Available, s.Stock, held[sku], sold[sku], units)
			}
		}
	}
}

func (l *Ledger) stocks() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.stock)
}

// auditOrders looks acknowledged orders up, all or a part of them, and keys that must not have been executed.
func (f *Fleet) auditOrders() {
	orders := f.ledger.Orders()
	keys := slices.Sorted(maps.Keys(orders))
	stride := max(1, len(keys)/maxLookups)
	f.each((len(keys)+stride-1)/stride, func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
		defer cancel()
		want := orders[keys[i*stride]]
		o, err := f.anyone().Patient.Order(ctx, want.ID)
		if err != nil || (Order{ID: o.ID, SKU: o.SKU, User: o.User, State: o.State}) != want {
			f.ledger.Wrong("key %s was acknowledged as %+v; now it is %+v, %v", keys[i*stride], want, o, err)
		}
	})
	f.ledger.lateComers()
}

// lateComers notes orders whose callers had been told that they were not executed.
func (l *Ledger) lateComers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, why := range l.never {
		if o, there := l.orders[key]; there {
			l.wrong = append(l.wrong, fmt.Sprintf("key %s was not executed (%s), and then was: %+v", key, why, o))
		}
	}
}

// wrongRows says how a node's database differs from the ledger, "" when it does not. It must hold the shards of which the node has a replica; what there
// is of others is of earlier days.
func (f *Fleet) wrongRows(n *Node) string {
	rows, err := f.opts.ReadOrders(context.Background(), filepath.Join(n.dir, "orders.db"))
	if err != nil {
		return err.Error()
	}
	shards, err := f.Shards()
	if err != nil {
		return err.Error()
	}
	here := make(map[uint32]bool)
	for _, s := range shards {
		here[s.ID] = slices.ContainsFunc(s.Replicas, func(r topology.Replica) bool { return r.Node == n.ID })
	}
	elsewhere := func(sku string) bool { return !here[f.ShardOf(sku)] }
	rows = slices.DeleteFunc(rows, func(r storage.OrderRow) bool { return elsewhere(r.SKU) })
	return f.ledger.without(elsewhere).compare(rows)
}

// without returns a ledger of the orders of other SKUs.
func (l *Ledger) without(elsewhere func(sku string) bool) *Ledger {
	some := newLedger()
	some.orders = l.Orders()
	maps.DeleteFunc(some.orders, func(_ string, o Order) bool { return elsewhere(o.SKU) })
	return some
}

// compare says how the rows of a database differ from the ledger, "" when they do not.
func (l *Ledger) compare(rows []storage.OrderRow) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[string]bool, len(rows))
	for _, r := range rows {
		o, known := l.orders[r.Key]
		switch {
		case !known:
			return fmt.Sprintf("a row of which nobody was told: %+v", r)
		case seen[r.Key]:
			return fmt.Sprintf("two rows with key %s", r.Key)
		case o != Order{ID: r.ID, SKU: r.SKU, User: r.User, State: r.State} || r.Qty != 1:
			return fmt.Sprintf("key %s was acknowledged as %+v, the row is %+v", r.Key, o, r)
		}
		seen[r.Key] = true
	}
	if len(rows) != len(l.orders) {
		return fmt.Sprintf("%d rows, %d orders were acknowledged", len(rows), len(l.orders))
	}
	return ""
}

// wrongHashes says which replicas are not known to be identical, "" for none.
func (f *Fleet) wrongHashes() string {
	shards, err := f.Shards()
	if err != nil {
		return err.Error()
	}
	busy := make(map[uint32]bool)
	for sku := range f.ledger.stocks() {
		busy[f.ShardOf(sku)] = true
	}
	for _, s := range shards {
		first := s.Replicas[0]
		for _, r := range s.Replicas {
			switch {
			case r.Down != "":
				return fmt.Sprintf("shard %d on %s: %s", s.ID, r.Node, r.Down)
			case r.HashIndex != first.HashIndex || busy[s.ID] && len(s.Replicas) > 1 && r.HashIndex == 0:
				return fmt.Sprintf("shard %d: hashes of different positions: %+v", s.ID, s.Replicas)
			case r.StateHash != first.StateHash:
				return fmt.Sprintf("shard %d: the replicas differ: %+v", s.ID, s.Replicas)
			}
		}
	}
	return ""
}
