package raft

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/bench/rival"
	"holdfast/bench/sale"
	"holdfast/wal"
)

var (
	errNoLeader = errors.New("raft: no leader")
	errNoAnswer = errors.New("raft: no answer from the state machine")
	// ErrNodes is returned by Open for a number of nodes that makes no sense.
	ErrNodes = errors.New("raft: 1 or 3 nodes")
)

const (
	electWithin  = 30 * time.Second
	electionTick = 10 * time.Millisecond
)

// Config says how many nodes there are, and where.
type Config struct {
	// Nodes is 1 or 3.
	Nodes int
	// Parent is where the nodes' directory is made, "": where temporary ones are.
	Parent string
	// FS is the file system of the logs; nil: the operating system's.
	FS wal.FS
}

// Target is a group of nodes as a target.
type Target struct {
	dir   string
	nodes []*node
	led   atomic.Pointer[node] // who led when we looked last
	shelf rival.Shelf
}

var _ sale.Target = (*Target)(nil)

// Open starts the nodes and returns when one of them leads.
func Open(ctx context.Context, cfg Config) (*Target, error) {
	if cfg.Nodes != 1 && cfg.Nodes != 3 {
		return nil, fmt.Errorf("%w, not %d", ErrNodes, cfg.Nodes)
	}
	dir, err := os.MkdirTemp(cfg.Parent, "holdfast-raft-")
	if err != nil {
		return nil, err
	}
	t := &Target{dir: dir}
	if err := t.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Target) start(ctx context.Context, cfg Config) error {
	var members []raft.Server
	for number := range cfg.Nodes {
		n, err := listen(number+1, t.dir, cfg.FS)
		if err != nil {
			return err
		}
		t.nodes = append(t.nodes, n)
		members = append(members, raft.Server{ID: n.id, Address: n.transport.LocalAddr()})
	}
	for _, n := range t.nodes {
		if err := n.start(members); err != nil {
			return err
		}
	}
	return t.elected(ctx)
}

// elected waits until a node leads.
func (t *Target) elected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, electWithin)
	defer cancel()
	tick := time.NewTicker(electionTick)
	defer tick.Stop()
	for t.leader() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNoLeader, ctx.Err())
		}
	}
	return nil
}

// leader is the node that leads as far as it knows; nil: none.
func (t *Target) leader() *node {
	if n := t.led.Load(); n != nil && n.raft.State() == raft.Leader {
		return n
	}
	for _, n := range t.nodes {
		if n.raft.State() == raft.Leader {
			t.led.Store(n)
			return n
		}
	}
	return nil
}

// About implements sale.Target.
func (t *Target) About() sale.About {
	n := len(t.nodes)
	durable := "fsync on its one node"
	if n > 1 {
		durable = fmt.Sprintf("fsync on %d of %d nodes", n/2+1, n)
	}
	return sale.About{
		Name: "raft", Version: "hashicorp/raft " + version() + ", one entry an order",
		Durability: durable, Replicas: n, Nodes: n,
	}
}

// version is that of the library in this build.
func version() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, m := range build.Deps {
			if m.Path == "github.com/hashicorp/raft" {
				return m.Version
			}
		}
	}
	return ""
}

// Create implements sale.Target.
func (t *Target) Create(_ context.Context, skus []sale.SKU) error {
	leader := t.leader()
	if leader == nil {
		return errNoLeader
	}
	if err := t.shelf.Put(skus); err != nil {
		return err
	}
	futures := make([]raft.ApplyFuture, len(skus))
	for i, s := range skus {
		e := entry{kind: create, order: sale.Order{SKU: s.Name}, stock: s.Stock, limit: s.LimitPerUser}
		futures[i] = leader.raft.Apply(e.encode(), enqueueWithin)
	}
	for i, f := range futures {
		said, err := wait(f)
		if err != nil {
			return fmt.Errorf("create %s: %w", skus[i].Name, err)
		}
		if said != done {
			return fmt.Errorf("%w: %s", rival.ErrExists, skus[i].Name)
		}
	}
	return nil
}

// upToDate returns the leader's state once it has applied all that was committed, to be read under its lock.
func (t *Target) upToDate() (*machine, error) {
	leader := t.leader()
	if leader == nil {
		return nil, errNoLeader
	}
	if err := leader.raft.Barrier(enqueueWithin).Error(); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	return leader.machine, nil
}

// Counters implements sale.Target.
func (t *Target) Counters(_ context.Context, sku string) (sale.Counters, error) {
	m, err := t.upToDate()
	if err != nil {
		return sale.Counters{}, fmt.Errorf("counters of %s: %w", sku, err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	w, known := m.wares[sku]
	if !known {
		return sale.Counters{}, fmt.Errorf("%w: %s", rival.ErrNoSKU, sku)
	}
	return t.shelf.Counters(sku, w.stock, w.available), nil
}

// Orders implements sale.Target.
func (t *Target) Orders(ctx context.Context, skus []string, visit func(sale.Stored)) error {
	m, err := t.upToDate()
	if err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, sku := range skus {
		w, known := m.wares[sku]
		if !known {
			continue
		}
		state := t.shelf.State(sku)
		for key, o := range w.orders {
			if o.qty > 0 {
				visit(sale.Stored{ID: key, Key: key, SKU: sku, User: o.user, Qty: o.qty, State: state})
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("orders: %w", err)
		}
	}
	return nil
}

// Close ends the nodes and removes their directory.
func (t *Target) Close() error {
	var errs []error
	for _, n := range t.nodes {
		errs = append(errs, n.stop())
	}
	for _, n := range t.nodes {
		errs = append(errs, n.close())
	}
	return errors.Join(append(errs, os.RemoveAll(t.dir))...)
}
