package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"holdfast/api/client"
	"holdfast/bench/rival/nothing"
	"holdfast/bench/sale"
	"holdfast/bench/target/inprocess"
)

// overHTTP are nodes in this process whose orders come in over HTTP, by their real listeners. All else is asked by function call, so that the audit
// sees every order and the storage.
type overHTTP struct {
	*inprocess.Target
	placer nothing.Placer
}

var _ sale.Target = (*overHTTP)(nil)

// About implements sale.Target.
func (t *overHTTP) About() sale.About {
	about := t.Target.About()
	about.Name = "http"
	return about
}

// Place implements sale.Target.
func (t *overHTTP) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	t.placer.Place(ctx, orders, answers)
}

// Close ends the client, then the nodes.
func (t *overHTTP) Close() error { return errors.Join(t.placer.Close(), t.Target.Close()) }

// openOverHTTP opens three nodes and a client of all of them.
func (cfg *CompareConfig) openOverHTTP(ctx context.Context, w work) (sale.Target, error) {
	nodes, err := inprocess.Open(ctx, inprocess.Config{Nodes: 3, Sink: cfg.Sink, AdoptSink: true, Dir: cfg.Dir})
	if err != nil {
		return nil, err
	}
	p, err := newPlacer(nodes.Addresses(), w.clients)
	if err != nil {
		return nil, errors.Join(err, nodes.Close())
	}
	return &overHTTP{nodes, p}, nil
}

// openNothing opens the handler that does nothing, with the same client.
func openNothing(_ context.Context, w work) (sale.Target, error) {
	return opened(nothing.Open(func(address string) (nothing.Placer, error) { return newPlacer([]string{address}, w.clients) }))
}

// placer places orders over HTTP at several addresses in turn.
type placer struct {
	clients []*client.Client
	next    atomic.Uint64
}

var _ nothing.Placer = (*placer)(nil)

func newPlacer(addresses []string, connections int) (*placer, error) {
	p := new(placer)
	for _, address := range addresses {
		c, err := client.New(client.Config{Addr: address, MaxConns: connections})
		if err != nil {
			return nil, fmt.Errorf("a client of %s: %w", address, err)
		}
		p.clients = append(p.clients, c)
	}
	return p, nil
}

// Place places one order with a request of its own, several as a batch.
func (p *placer) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	c := p.clients[p.next.Add(1)%uint64(len(p.clients))]
	if o := orders[0]; len(orders) == 1 {
		placed, err := c.PlaceOrder(ctx, o.Key, client.NewOrder{SKU: o.SKU, User: o.User, Qty: o.Qty})
		answers[0] = answered(placed.ID, err)
		return
	}
	items := make([]client.BatchItem, len(orders))
	for i, o := range orders {
		items[i] = client.BatchItem{Key: o.Key, SKU: o.SKU, User: o.User, Qty: o.Qty}
	}
	results, err := c.PlaceBatch(ctx, items)
	for i := range orders {
		switch {
		case err != nil:
			answers[i] = answered("", err)
		case i >= len(results):
			answers[i] = sale.Answer{}
		case results[i].Order != nil:
			answers[i] = answered(results[i].Order.ID, nil)
		default:
			answers[i] = answered("", results[i].Err())
		}
	}
}

// answered is what an answer of the client is to a caller.
func answered(id string, err error) sale.Answer {
	switch {
	case err == nil:
		return sale.Answer{Verdict: sale.Accepted, ID: id}
	case client.IsUnknown(err):
		return sale.Answer{Verdict: sale.Unknown, Reason: client.CodeOf(err)}
	case client.IsRefused(err):
		return sale.Answer{Verdict: sale.Refused, Reason: client.CodeOf(err)}
	case client.CodeOf(err) == "":
		return sale.Answer{Verdict: sale.Failed, Reason: "unreachable"}
	}
	return sale.Answer{Verdict: sale.Failed, Reason: client.CodeOf(err)}
}

// Close closes the connections.
func (p *placer) Close() error {
	for _, c := range p.clients {
		c.Close()
	}
	return nil
}
