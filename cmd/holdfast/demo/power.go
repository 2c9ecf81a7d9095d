package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/cmd/holdfast/child"
)

// power is the node's process: it can be cut and come back with the same command line, on the same files and ports.
type power struct {
	cfg  *Config
	args []string

	mu   sync.Mutex // guards node
	node *child.Node
}

const (
	startTries   = 5
	startLimit   = 30 * time.Second
	drainTimeout = 20 * time.Second
)

// powerOn starts a node on a directory and free ports. Should somebody take a port in between, it draws others.
func powerOn(ctx context.Context, cfg *Config, dir string) (*power, error) {
	for try := 1; ; try++ {
		addrs, err := child.FreeAddrs(3)
		if err != nil {
			return nil, err
		}
		p := &power{cfg: cfg, args: []string{
			"serve", "--data-dir", dir, "--http", addrs[0], "--admin", addrs[1], "--peer", addrs[2], "--log-level", "warn",
		}}
		if err = p.start(ctx); err == nil {
			return p, nil
		}
		if try == startTries || ctx.Err() != nil || !errors.Is(err, child.ErrNotReady) {
			return nil, err
		}
	}
}

func (p *power) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	n, err := child.Start(ctx, p.cfg.Program, p.args, p.cfg.Verbose)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node = n
	return nil
}

func (p *power) current() *child.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.node
}

// off ends the node at once. It may be called at any time, and again.
func (p *power) off() { p.current().Kill() }

// drain ends the node in order.
func (p *power) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout+5*time.Second)
	defer cancel()
	n := p.current()
	code, err := n.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the node ended with exit code %d\n%s", code, n.Log())
	}
	return err
}
