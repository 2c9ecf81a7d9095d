package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/cmd/holdfast/child"
)

// power is a node's process: it can be cut and come back with the same command line, on the same files and ports.
type power struct {
	program   string
	logs      *labels
	name, dir string

	mu    sync.Mutex // guards what follows
	addrs []string   // the public, admin and peer address
	join  string     // the peer address of a node of the cluster; "": this one makes it
	node  *child.Node
	down  bool // it was ended on purpose
}

const (
	startTries   = 5
	startLimit   = 30 * time.Second
	drainTimeout = 20 * time.Second
	// hashEvery is how often replicas compare their states: often, for a sale that lasts some seconds.
	hashEvery = time.Second
)

// open starts the node for the first time. Should somebody take a port in between, it draws others.
func (p *power) open(ctx context.Context, join string) error {
	p.join = join
	for try := 1; ; try++ {
		err := p.start(ctx)
		if err == nil || try == startTries || ctx.Err() != nil || !errors.Is(err, child.ErrNotReady) {
			return err
		}
		addrs, drawErr := child.FreeAddrs(len(p.addrs))
		if drawErr != nil {
			return errors.Join(err, drawErr)
		}
		p.mu.Lock()
		p.addrs = addrs
		p.mu.Unlock()
	}
}

func (p *power) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	n, err := child.Start(ctx, p.program, p.args(), p.logs.of(p.name))
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.node, p.down = n, false
	return nil
}

func (p *power) args() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	args := []string{
		"serve", "--node-id", p.name, "--data-dir", p.dir, "--http", p.addrs[0], "--admin", p.addrs[1], "--peer", p.addrs[2],
		"--hash-every", hashEvery.String(), "--log-level", "warn",
	}
	if p.join != "" {
		args = append(args, "--join", p.join)
	}
	return args
}

// current returns the process, nil before the first.
func (p *power) current() *child.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.node
}

// off ends the node at once. It may be called at any time, and again.
func (p *power) off() {
	if n := p.ending(); n != nil {
		n.Kill()
	}
}

// drain ends the node in order.
func (p *power) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout+5*time.Second)
	defer cancel()
	n := p.ending()
	code, err := n.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d\n%s", code, n.Log())
	}
	if err != nil {
		return fmt.Errorf("drain %s: %w", p.name, err)
	}
	return nil
}

// ending returns the process, of which nobody is to wonder any more that it ends.
func (p *power) ending() *child.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	return p.node
}

// fault returns how the node ended when it was not meant to.
func (p *power) fault() error {
	p.mu.Lock()
	n, down := p.node, p.down
	p.mu.Unlock()
	if n == nil || down {
		return nil
	}
	select {
	case <-n.Done():
		return fmt.Errorf("%s ended by itself with exit code %d\n%s", p.name, n.ExitCode(), n.Log())
	default:
		return nil
	}
}
