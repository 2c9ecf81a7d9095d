package bench

import (
	"context"
	"errors"

	"holdfast/bench/rival/nothing"
	"holdfast/bench/sale"
	"holdfast/bench/target/http"
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
	nodes, err := inprocess.Open(ctx, inprocess.Config{Nodes: 3, Sink: cfg.Sink, AdoptSink: true, Dir: cfg.Dir, Version: cfg.Version})
	if err != nil {
		return nil, err
	}
	public, admin := nodes.Addresses()
	p, err := http.Open(ctx, http.Config{Addrs: public, AdminAddrs: admin, Clients: w.clients})
	if err != nil {
		return nil, errors.Join(err, nodes.Close())
	}
	return &overHTTP{nodes, p}, nil
}

// openNothing opens the handler that does nothing, with the same client.
func openNothing(ctx context.Context, w work) (sale.Target, error) {
	return opened(nothing.Open(func(address string) (nothing.Placer, error) {
		return http.Open(ctx, http.Config{Addrs: []string{address}, AdminAddrs: []string{address}, Clients: w.clients})
	}))
}
