package audit

import (
	"sync/atomic"
	"time"

	"holdfast/bench/sale"
)

// The defaults of Config.
const (
	DefaultMaxOrders  = 4 << 20
	DefaultMaxLookups = 50_000
)

// Config says how much a ledger keeps. Zero values take the defaults.
type Config struct {
	// Callers is how many there are. Default 1.
	Callers int
	// MaxOrders bounds the accepted orders that are kept one by one, about: each caller has its share of it, 512 at least. Default DefaultMaxOrders.
	MaxOrders int
	// MaxLookups bounds the orders that are looked up one by one in a target that cannot list them (sale.Picker). Default DefaultMaxLookups.
	MaxLookups int
}

// Ledger is what callers were told.
type Ledger struct {
	perCaller int
	lookups   int
	began     time.Time
	shards    []*shard
	numbers   map[string]uint32
	tallies   []*tally
	// strays are answers about SKUs that were never given to Sell.
	strays atomic.Int64
}

// NewLedger returns an empty ledger.
func NewLedger(cfg Config) *Ledger {
	callers, orders := max(1, cfg.Callers), cfg.MaxOrders
	if orders <= 0 {
		orders = DefaultMaxOrders
	}
	lookups := cfg.MaxLookups
	if lookups <= 0 {
		lookups = DefaultMaxLookups
	}
	l := &Ledger{perCaller: max(chunkEntries, orders/callers), lookups: lookups, began: time.Now(), numbers: make(map[string]uint32)}
	for range callers {
		l.shards = append(l.shards, &shard{l: l})
	}
	return l
}

// Sell says what is sold, before anybody is told anything of it.
func (l *Ledger) Sell(skus ...sale.SKU) {
	for _, s := range skus {
		if _, known := l.numbers[s.Name]; !known {
			l.numbers[s.Name] = uint32(len(l.tallies))
			l.tallies = append(l.tallies, newTally(s))
		}
	}
}

// SKUs returns the names of what is sold, in the order of Sell.
func (l *Ledger) SKUs() []string {
	names := make([]string, len(l.tallies))
	for i, t := range l.tallies {
		names[i] = t.sku.Name
	}
	return names
}

func (l *Ledger) of(caller int) *shard { return l.shards[uint(caller)%uint(len(l.shards))] }

// Told notes what a caller was told of an order: once for each order, when its caller asks no more. The order's strings are not kept, unless the
// outcome is unknown.
func (l *Ledger) Told(caller int, o sale.Order, a sale.Answer) {
	s := l.of(caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told(caller, &o, &a)
}

// ToldAll is Told for a batch.
func (l *Ledger) ToldAll(caller int, orders []sale.Order, answers []sale.Answer) {
	s := l.of(caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range orders {
		s.told(caller, &orders[i], &answers[i])
	}
}

// Settled notes what a caller was told of a step with an order that was accepted with an id. A return is of all units.
func (l *Ledger) Settled(caller int, o sale.Order, id string, taken sale.Step, a sale.Answer) {
	n, known := l.numbers[o.SKU]
	if !known || a.Verdict != sale.Accepted && a.Verdict != sale.Unknown {
		return
	}
	l.tallies[n].settled(taken, a.Verdict, o.Qty)
	s := l.of(caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := idOf(id, o.Key); sampled(h, s.bits) {
		s.steps = append(s.steps, step{h, taken, a.Verdict})
	}
}

// Lapsed says that every order of a SKU that was not paid has to have expired by now.
func (l *Ledger) Lapsed(sku string) {
	if n, known := l.numbers[sku]; known {
		l.tallies[n].lapsed.Store(true)
	}
}

// Accepted returns how many orders callers were told of.
func (l *Ledger) Accepted() (orders int64) {
	l.flush()
	for _, t := range l.tallies {
		orders += t.orders.Load()
	}
	return orders
}

// Unknown returns how many outcomes callers do not know.
func (l *Ledger) Unknown() (orders int) {
	for _, s := range l.shards {
		s.mu.Lock()
		orders += len(s.doubts)
		s.mu.Unlock()
	}
	return orders
}

func (l *Ledger) flush() {
	for _, s := range l.shards {
		s.mu.Lock()
		s.flush()
		s.mu.Unlock()
	}
}
