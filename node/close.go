package node

import (
	"context"
	"errors"
	"net"
	"time"
)

// Drain ends the intake, waits until what was admitted is answered, flushes storage and closes the node. What ctx cuts short is answered as
// unknown, or flushed after the next start.
func (n *Node) Drain(ctx context.Context) error {
	n.draining.Store(true)
	n.server.Drain()
	n.forwarder.Drain()
	n.handOver(ctx)
	n.gateway.Drain()
	n.awaitAnswers(ctx)
	n.awaitCallers(ctx)
	return errors.Join(n.closeDoor(ctx), n.close(ctx))
}

// closeDoor ends the connections, in half of the time that is left: everybody who was admitted has an outcome by now, and a caller that does not read
// it, or has connected and says nothing, must not take storage its time.
func (n *Node) closeDoor(ctx context.Context) error {
	if deadline, bounded := ctx.Deadline(); bounded {
		half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
		ctx = half
	}
	return n.server.Shutdown(ctx)
}

func (n *Node) awaitAnswers(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n.gateway.Pending() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// drainGrace is how long a node that drains goes on saying so before its listeners close: a request that is just arriving is told "not executed"
// instead of losing its connection without a word.
const drainGrace = 200 * time.Millisecond

func (n *Node) awaitCallers(ctx context.Context) {
	grace := time.NewTimer(drainGrace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-ctx.Done():
	}
}

// deadSinkGrace is how long a node that drains waits for a sink that does not answer: it may come back, but it does not hold the node, and what is
// not flushed is flushed after the next start.
const deadSinkGrace = 2 * time.Second

// flush writes what storage lacks and closes it.
func (n *Node) flush(ctx context.Context) error {
	for _, s := range n.flusher.Status() {
		if s.Failing {
			short, cancel := context.WithTimeout(ctx, deadSinkGrace)
			defer cancel()
			ctx = short
			break
		}
	}
	return n.flusher.Close(ctx)
}

// closeTimeout is how long Close waits for storage and connections.
const closeTimeout = time.Second

// Close closes the node without waiting for requests. It may be called after a failed Open and more than once.
func (n *Node) Close() error {
	n.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return n.close(ctx)
}

// close closes top-down what is open.
func (n *Node) close(ctx context.Context) error {
	n.closing.Do(func() {
		var errs []error
		if n.server != nil {
			errs = append(errs, n.server.Shutdown(ctx), <-n.served)
		}
		if n.audit != nil {
			errs = append(errs, n.audit.Close())
		}
		for _, l := range []net.Listener{n.listeners.http, n.listeners.admin, n.listeners.peer} {
			if l != nil { // nobody took it over
				errs = append(errs, l.Close())
			}
		}
		if n.backups != nil {
			n.backups.Close()
		}
		if n.upkeep != nil {
			n.upkeep.close()
		}
		if n.control != nil {
			n.control.Close()
		}
		if n.forwarder != nil {
			n.forwarder.Close()
		}
		if n.flusher != nil {
			errs = append(errs, n.flush(ctx))
		}
		if n.cluster != nil {
			errs = append(errs, n.cluster.Close())
		}
		if n.system != nil {
			n.system.Close()
		}
		if n.log != nil {
			errs = append(errs, n.log.Close())
		}
		n.closeTracing(ctx)
		n.closeErr = errors.Join(errs...)
	})
	return n.closeErr
}
