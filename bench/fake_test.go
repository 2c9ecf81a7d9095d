package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/sale"
)

// shop is a target in memory that sells one unit an order, and can be made to do it wrong.
type shop struct {
	mu     sync.Mutex
	stock  map[string]int64
	orders []sale.Stored

	// oversell sells one unit more than there is, lose forgets an order it acknowledged, duplicate keeps one twice, refuse refuses one although there are
	// units.
	oversell, lose, duplicate, refuse bool
	faulted                           bool
	closed                            bool
}

var _ sale.Target = (*shop)(nil)

func (s *shop) About() sale.About {
	return sale.About{Name: "shop", Version: "1", Durability: "none", Replicas: 1, Nodes: 1}
}

func (s *shop) Create(_ context.Context, skus []sale.SKU) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stock == nil {
		s.stock = make(map[string]int64)
	}
	for _, sku := range skus {
		s.stock[sku.Name] = sku.Stock
	}
	return nil
}

// once is true once when a fault is switched on.
func (s *shop) once(fault bool) bool {
	if !fault || s.faulted {
		return false
	}
	s.faulted = true
	return true
}

func (s *shop) Place(_ context.Context, orders []sale.Order, answers []sale.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, o := range orders {
		taken := s.taken(o.SKU)
		short := taken >= s.stock[o.SKU]
		if short && !s.once(s.oversell) || taken == s.stock[o.SKU]-1 && s.once(s.refuse) {
			answers[i] = sale.Answer{Verdict: sale.Refused, Reason: "sold_out"}
			continue
		}
		id := fmt.Sprint("o", o.Key)
		stored := sale.Stored{ID: id, Key: o.Key, SKU: o.SKU, User: o.User, Qty: o.Qty, State: "held"}
		answers[i] = sale.Answer{Verdict: sale.Accepted, ID: id}
		if s.once(s.lose) {
			continue
		}
		s.orders = append(s.orders, stored)
		if s.once(s.duplicate) {
			stored.ID += "-again"
			s.orders = append(s.orders, stored)
		}
	}
}

func (s *shop) taken(sku string) (units int64) {
	for _, o := range s.orders {
		if o.SKU == sku {
			units += o.Qty
		}
	}
	return units
}

func (s *shop) Counters(_ context.Context, sku string) (sale.Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.taken(sku)
	return sale.Counters{Stock: s.stock[sku], Available: s.stock[sku] - held, Held: held}, nil
}

func (s *shop) Resolve(context.Context, sale.Order) (sale.Answer, error) {
	return sale.Answer{Verdict: sale.Failed}, nil
}

func (s *shop) Orders(_ context.Context, skus []string, visit func(sale.Stored)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		visit(o)
	}
	return nil
}

func (s *shop) Close() error {
	s.closed = true
	return nil
}

// rush is a scene: every caller orders one unit after the other, of a stock that is soon gone.
type rush struct {
	t      sale.Target
	stock  int64
	ledger *audit.Ledger
	next   atomic.Int64
	// asked is closed when the first order was asked for.
	asked chan struct{}
	once  sync.Once
}

var _ Scene = (*rush)(nil)

func newRush(t sale.Target, stock int64, callers int) *rush {
	return &rush{t: t, stock: stock, ledger: audit.NewLedger(audit.Config{Callers: callers}), asked: make(chan struct{})}
}

func (r *rush) Name() string { return "rush" }

func (r *rush) Prepare(ctx context.Context, t sale.Target) error {
	sku := sale.SKU{Name: "thing", Stock: r.stock, LimitPerUser: 1}
	r.ledger.Sell(sku)
	return t.Create(ctx, []sale.SKU{sku})
}

func (r *rush) Call() load.Call {
	return func(ctx context.Context, caller int, rec *load.Record) {
		n := r.next.Add(1)
		orders := []sale.Order{{Key: fmt.Sprint(n), SKU: "thing", User: fmt.Sprint("u", n), Qty: 1}}
		answers := make([]sale.Answer, 1)
		r.t.Place(ctx, orders, answers)
		r.ledger.ToldAll(caller, orders, answers)
		if answers[0].Verdict == sale.Accepted {
			rec.Accepted++
		} else {
			rec.Refused++
			rec.Because(answers[0].Reason)
		}
		r.once.Do(func() { close(r.asked) })
	}
}

func (r *rush) Finish(context.Context) error { return nil }
func (r *rush) SKUs() []string               { return []string{"thing"} }
func (r *rush) Ledger() *audit.Ledger        { return r.ledger }
