package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"holdfast/cmd/holdfast/child"
)

// fleet is the nodes of the cluster, each a process of its own. The first makes the cluster, the others join it.
type fleet []*power

func newFleet(cfg *Config, root string) (fleet, error) {
	addrs, err := child.FreeAddrs(3 * cfg.Nodes)
	if err != nil {
		return nil, err
	}
	var f fleet
	logs := &labels{to: cfg.Verbose}
	for i := range cfg.Nodes {
		name := fmt.Sprintf("n%d", i+1)
		f = append(f, &power{program: cfg.Program, logs: logs, name: name, dir: filepath.Join(root, name), addrs: addrs[3*i : 3*i+3]})
	}
	return f, nil
}

// open starts the first node, and then the others.
func (f fleet) open(ctx context.Context) error {
	if err := f[0].open(ctx, ""); err != nil {
		return err
	}
	peer := f[0].current().Ready.Peer
	return f[1:].each(func(p *power) error { return p.open(ctx, peer) })
}

// each does something with all nodes at once and returns when it is done with all.
func (f fleet) each(do func(*power) error) error {
	faults := make([]error, len(f))
	var all sync.WaitGroup
	for i, p := range f {
		all.Go(func() { faults[i] = do(p) })
	}
	all.Wait()
	return errors.Join(faults...)
}

// start starts all nodes again: a node is ready when most are there.
func (f fleet) start(ctx context.Context) error {
	return f.each(func(p *power) error { return p.start(ctx) })
}

// drain ends all nodes in order, one after the other, so that each hands over what it leads.
func (f fleet) drain(ctx context.Context) error {
	for i := len(f) - 1; i >= 0; i-- {
		if err := f[i].drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// off ends all nodes at once.
func (f fleet) off() {
	for _, p := range f {
		p.off()
	}
}

// named returns a node's place, -1 for none of that name.
func (f fleet) named(name string) int {
	for i, p := range f {
		if p.name == name {
			return i
		}
	}
	return -1
}

// fault returns how a node ended that was not meant to.
func (f fleet) fault() error {
	for _, p := range f {
		if err := p.fault(); err != nil {
			return err
		}
	}
	return nil
}
