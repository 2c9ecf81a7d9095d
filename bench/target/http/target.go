package http

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/api/client"
	"holdfast/api/topology"
	"holdfast/bench/sale"
)

const (
	// askTimeout bounds a question: an election may come between.
	askTimeout = 30 * time.Second
	// lookers is how many questions are asked at a time.
	lookers = 32
)

// Target is a Holdfast at some addresses.
type Target struct {
	cfg   Config
	about sale.About
	doors []*door
	next  atomic.Uint64
	// admin is the client of the first pair of listeners, lasting the same with calls sent again until they are decided.
	admin, lasting *client.Client
	// last is the order of the highest number that was told, by SKU: *lastOrder.
	last sync.Map
}

var (
	_ sale.Target  = (*Target)(nil)
	_ sale.Settler = (*Target)(nil)
	_ sale.Picker  = (*Target)(nil)
	_ sale.Storer  = (*backed)(nil)
)

// Open looks at the target and returns it; with storage that can be read it is a sale.Storer.
func Open(ctx context.Context, cfg Config) (sale.Target, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Target{cfg: cfg}
	for _, addr := range cfg.Addrs {
		d, err := newDoor(&cfg, addr)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		t.doors = append(t.doors, d)
	}
	if err := t.look(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if cfg.Storage != "" {
		return &backed{t}, nil
	}
	return t, nil
}

// look finds an admin listener that answers, and what it says of the cluster.
func (t *Target) look(ctx context.Context) error {
	var errs []error
	for _, admin := range t.cfg.AdminAddrs {
		c, err := t.cfg.client(t.cfg.Addrs[0], admin)
		if err != nil {
			return err
		}
		if t.about, err = describe(ctx, c); err == nil {
			t.admin, t.lasting = c, c.Retrying(client.Policy{})
			return nil
		}
		c.Close()
		errs = append(errs, fmt.Errorf("http: ask %s what it is: %w", admin, err))
	}
	return errors.Join(errs...)
}

// describe says what a cluster is.
func describe(ctx context.Context, c *client.Client) (sale.About, error) {
	a := sale.About{Name: "http"}
	v, err := c.Version(ctx)
	if err != nil {
		return a, err
	}
	a.Version = v.Version
	if v.Commit != "" {
		a.Version += " (" + v.Commit + ")"
	}
	o, err := c.Cluster(ctx)
	if err != nil {
		return a, err
	}
	shards, err := c.Shards(ctx)
	if err != nil {
		return a, err
	}
	a.Nodes = len(o.Nodes)
	for i := range shards {
		voters := 0
		for _, r := range shards[i].Replicas {
			if r.Role == topology.Voter {
				voters++
			}
		}
		if a.Replicas == 0 || voters < a.Replicas {
			a.Replicas = voters
		}
		for _, f := range shards[i].Flush {
			a.Sink = f.Sink
		}
	}
	a.Durability = fmt.Sprintf("fsync on %d of %d replicas", a.Replicas/2+1, a.Replicas)
	return a, nil
}

// About says what the target said of itself when it was opened.
func (t *Target) About() sale.About { return t.about }

// Close closes the connections.
func (t *Target) Close() error {
	for _, d := range t.doors {
		d.close()
	}
	if t.admin != nil {
		t.admin.Close()
	}
	return nil
}

// Create makes SKUs. A SKU that is there already is an error when it differs or something of it is sold; else it is as good as a new one.
func (t *Target) Create(ctx context.Context, skus []sale.SKU) error {
	return each(ctx, len(skus), func(ctx context.Context, i int) error {
		s := &skus[i]
		made, err := t.lasting.CreateSKU(ctx, client.SKUSpec{
			SKU: s.Name, Stock: s.Stock, Mode: s.Mode, HoldTTLMS: s.HoldTTL.Milliseconds(), LimitPerUser: s.LimitPerUser, MaxQty: maxQty, Hot: s.Hot,
		})
		switch {
		case client.CodeOf(err) == "sku_exists" || err == nil && made.Available != made.Stock:
			return fmt.Errorf("%w: %s", ErrExists, s.Name)
		case err != nil:
			return fmt.Errorf("http: create %s: %w", s.Name, err)
		}
		return nil
	})
}

// maxQty lets an order be of any size.
const maxQty = 1 << 20

// Counters returns a SKU's units.
func (t *Target) Counters(ctx context.Context, sku string) (sale.Counters, error) {
	s, err := t.lasting.SKU(ctx, sku)
	return sale.Counters{Stock: s.Stock, Available: s.Available, Held: s.Held, Sold: s.Sold}, err
}

// each does something n times, several at a time, until something fails.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(lookers, n) {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
