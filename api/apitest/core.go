package apitest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast/stock"
)

// Core decides every command at once, in one book that owns all partitions. It is the shape of api.Core.
type Core struct {
	// Before, when set, sees each request first; an outcome with a code is the answer, and the book is not asked.
	Before func(ctx context.Context, r stock.Request) stock.Outcome

	mu    sync.Mutex // guards book and index
	book  *stock.Book
	index uint64
	now   func() stock.Time
	calls atomic.Int64
}

// NewCore returns a core without SKUs whose log time is now().
func NewCore(now func() stock.Time) *Core {
	c := &Core{book: stock.NewBook(), now: now}
	all := make([]stock.Partition, stock.Partitions)
	for i := range all {
		all[i] = stock.Partition(i)
	}
	c.apply(&stock.Init{Partitions: all, Settings: stock.DefaultSettings()})
	return c
}

// Calls returns how often the core was asked anything.
func (c *Core) Calls() int64 { return c.calls.Load() }

// Do answers one request.
func (c *Core) Do(ctx context.Context, r stock.Request) stock.Outcome {
	c.calls.Add(1)
	if c.Before != nil {
		if out := c.Before(ctx, r); out.Code != 0 {
			return out
		}
	}
	if ctx.Err() != nil {
		return stock.Outcome{Code: stock.DeadlineExceeded}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if command, ok := r.(stock.Command); ok {
		return c.apply(command)
	}
	if owner := c.book.Owner(r); owner.Ledger != nil {
		return owner.Ledger.Read(r)
	}
	if _, ok := r.(*stock.GetOrder); ok {
		return stock.Outcome{Code: stock.OrderNotFound}
	}
	return stock.Outcome{Code: stock.SKUNotFound}
}

// DoAll answers each request by itself, in order.
func (c *Core) DoAll(ctx context.Context, rs []stock.Request) []stock.Outcome {
	outcomes := make([]stock.Outcome, len(rs))
	for i, r := range rs {
		outcomes[i] = c.Do(ctx, r)
	}
	return outcomes
}

// Availability returns what is published of a SKU.
func (c *Core) Availability(sku string) (stock.Availability, bool) {
	c.calls.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	owner := c.book.Owner(&stock.GetSKU{SKU: sku})
	if owner.Ledger == nil {
		return stock.Availability{}, false
	}
	k := owner.Ledger.View()
	return stock.Availability{SKU: sku, Frozen: k.Frozen, Available: k.Available, Held: k.Held, Sold: k.Sold,
		OpensAt: k.OpensAt, ClosesAt: k.ClosesAt, Index: k.Version}, true
}

// Nearest returns the same as Availability: there is nobody else.
func (c *Core) Nearest(_ context.Context, sku string) (stock.Availability, stock.Code) {
	if a, ok := c.Availability(sku); ok {
		return a, stock.OK
	}
	return stock.Availability{}, stock.SKUNotFound
}

// SKUs returns a page of SKUs in byte order.
func (c *Core) SKUs(ctx context.Context, after string, limit int) (skus []stock.SKU, more bool, err error) {
	c.calls.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.book.Each(func(l *stock.Ledger) {
		if l.Name() > after {
			skus = append(skus, *l.View())
		}
	})
	slices.SortFunc(skus, func(a, b stock.SKU) int { return cmp.Compare(a.SKU, b.SKU) })
	if len(skus) > limit {
		return skus[:limit], true, nil
	}
	return skus, false, nil
}

// Locate says shard 1 of node n1 for every SKU.
func (c *Core) Locate(string) (shard uint32, leader string) { return 1, "n1" }

// Hash returns the hash of the state, to see that nothing changed.
func (c *Core) Hash() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.book.Hash()
}

// Index returns how many commands have been applied.
func (c *Core) Index() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index
}

// apply is called with mu held, or before anybody else knows the core.
func (c *Core) apply(command stock.Command) stock.Outcome {
	c.index++
	return c.book.Apply(c.book.Begin(stock.Header{Clock: c.now()}, c.index), command)
}
