package inprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"holdfast/bench/sale"
	"holdfast/node"
	"holdfast/stock"
)

// Target is a cluster in this process.
type Target struct {
	cfg   Config
	dir   string
	slots []*slot
	clock *patience

	changing sync.Mutex // one kills or heals
}

// slot is a node's place, with or without the node.
type slot struct {
	id   string
	node atomic.Pointer[node.Node] // nil while it is down
	// cfg is how it is opened again; guarded by Target.changing.
	cfg node.Config
}

var (
	_ sale.Target  = (*Target)(nil)
	_ sale.Settler = (*Target)(nil)
	_ sale.Storer  = (*Target)(nil)
	_ sale.Leaders = (*Target)(nil)
)

// Open opens the nodes and returns when every shard has all its replicas.
func Open(ctx context.Context, cfg Config) (*Target, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cfg.Dir, "holdfast-bench-")
	if err != nil {
		return nil, fmt.Errorf("inprocess: %w", err)
	}
	t := &Target{cfg: cfg, dir: dir, clock: &patience{}}
	if err := t.open(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Target) open(ctx context.Context) error {
	var join []string
	for i := range t.cfg.Nodes {
		id := fmt.Sprintf("n%d", i+1)
		s := &slot{id: id, cfg: t.cfg.nodeConfig(id, filepath.Join(t.dir, id), join)}
		t.slots = append(t.slots, s)
		if err := s.start(ctx); err != nil {
			return err
		}
		join = []string{t.slots[0].cfg.Peer}
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	return t.widen(ctx)
}

// start opens the node, with the addresses it had before.
func (s *slot) start(ctx context.Context) error {
	n, err := node.Open(ctx, s.cfg)
	if err != nil {
		return fmt.Errorf("inprocess: open %s: %w", s.id, err)
	}
	at := n.Addrs()
	s.cfg.HTTP, s.cfg.Admin, s.cfg.Peer = at.HTTP, at.Admin, at.Peer
	s.node.Store(n)
	return nil
}

// Close closes the nodes and removes what they wrote.
func (t *Target) Close() error {
	t.changing.Lock()
	defer t.changing.Unlock()
	errs := make([]error, len(t.slots))
	var wg sync.WaitGroup
	for i, s := range t.slots {
		if n := s.node.Swap(nil); n != nil {
			wg.Go(func() { errs[i] = leave(n.Close()) })
		}
	}
	wg.Wait()
	t.clock.close()
	return errors.Join(append(errs, os.RemoveAll(t.dir))...)
}

// leave forgives a node that closes what it could not flush in time: it was looked at before, or nobody cares.
func leave(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// About says what runs.
func (t *Target) About() sale.About {
	a := sale.About{
		Name: "in-process", Version: t.cfg.Version, Durability: "fsync on 1 of 1 node", Replicas: t.cfg.Nodes, Nodes: t.cfg.Nodes, Sink: sinkName(t.cfg.Sink),
	}
	if t.cfg.Nodes == 3 {
		a.Durability = "fsync on 2 of 3 nodes"
	}
	if t.cfg.FsyncDelay > 0 {
		a.Durability += fmt.Sprintf(", each fsync %v slower than the disk's", t.cfg.FsyncDelay)
	}
	return a
}

// sinkName leaves the address of a database out.
func sinkName(sink string) string {
	if sink == "sqlite" || sink == "none" {
		return sink
	}
	return "postgres"
}

// leader returns the node that leads a partition; nil while none does.
func (t *Target) leader(p stock.Partition) *node.Node {
	for _, s := range t.slots {
		if n := s.node.Load(); n != nil && n.Gateway().Leads(p) {
			return n
		}
	}
	return nil
}

// up returns a node that runs.
func (t *Target) up() *node.Node {
	for _, s := range t.slots {
		if n := s.node.Load(); n != nil {
			return n
		}
	}
	return nil
}

// KillLeader ends the node that leads a SKU without a word; see the package for what that is. It waits for a SKU that nobody leads yet.
func (t *Target) KillLeader(ctx context.Context, sku string) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	down := 0
	for _, s := range t.slots {
		if s.node.Load() == nil {
			down++
		}
	}
	if down > 0 || len(t.slots) < 3 {
		return fmt.Errorf("%w: %d of %d nodes run", ErrNoHeir, len(t.slots)-down, len(t.slots))
	}
	var led *node.Node
	if err := until(ctx, func() bool {
		led = t.leader(stock.PartitionOf(sku))
		return led != nil
	}); err != nil {
		return fmt.Errorf("inprocess: nobody leads %s: %w", sku, err)
	}
	for _, s := range t.slots {
		if s.node.CompareAndSwap(led, nil) {
			if err := led.Kill(); err != nil {
				return fmt.Errorf("inprocess: kill %s: %w", s.id, err)
			}
		}
	}
	return nil
}

// Heal opens what was killed and returns when its replicas have what was committed by then.
func (t *Target) Heal(ctx context.Context) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	for _, s := range t.slots {
		if s.node.Load() == nil {
			if err := s.start(ctx); err != nil {
				return err
			}
		}
	}
	return t.settle(ctx)
}
