package nothing

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"holdfast/bench/rival"
	"holdfast/bench/sale"
)

// Placer is a client of the server: what places orders with us.
type Placer interface {
	Place(ctx context.Context, orders []sale.Order, answers []sale.Answer)
	Close() error
}

// Target is a server, a client of it, and the empty books.
type Target struct {
	Placer
	server *Server
	shelf  rival.Shelf
	stock  map[string]int64
}

var _ sale.Target = (*Target)(nil)

// Open starts a server and the client that is given its address.
func Open(client func(address string) (Placer, error)) (*Target, error) {
	server, err := Listen()
	if err != nil {
		return nil, err
	}
	p, err := client(server.URL())
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &Target{Placer: p, server: server, stock: make(map[string]int64)}, nil
}

// About implements sale.Target.
func (t *Target) About() sale.About {
	return sale.About{Name: "nothing", Version: "net/http of " + runtime.Version(), Durability: "none: every order is refused", Nodes: 1}
}

// Create implements sale.Target. Nobody places orders before it has returned.
func (t *Target) Create(_ context.Context, skus []sale.SKU) error {
	if err := t.shelf.Put(skus); err != nil {
		return err
	}
	for _, s := range skus {
		t.stock[s.Name] = s.Stock
	}
	return nil
}

// Counters implements sale.Target: all is left.
func (t *Target) Counters(_ context.Context, sku string) (sale.Counters, error) {
	stock, known := t.stock[sku]
	if !known {
		return sale.Counters{}, fmt.Errorf("%w: %s", rival.ErrNoSKU, sku)
	}
	return t.shelf.Counters(sku, stock, stock), nil
}

// Resolve implements sale.Target: no order was ever placed.
func (t *Target) Resolve(context.Context, sale.Order) (sale.Answer, error) {
	return sale.Answer{Verdict: sale.Failed, Reason: "ended"}, nil
}

// Orders implements sale.Target: there are none.
func (t *Target) Orders(context.Context, []string, func(sale.Stored)) error { return nil }

// Close ends client and server.
func (t *Target) Close() error { return errors.Join(t.Placer.Close(), t.server.Close()) }
