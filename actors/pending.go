// Step 11 of an order: reply. Whoever decides a request calls finish once; its caller waits for a whole group of them with one wake.

package actors

import (
	"context"
	"sync/atomic"

	"holdfast/stock"
)

// A pending request moves from waiting to proposed to answered, or is abandoned by its caller on the way.
const (
	waiting int32 = iota
	proposed
	answered
	abandoned
)

// pending is a request that somebody waits for. It travels through mailboxes; the one who holds it at the end calls finish.
type pending struct {
	flight  stock.Flight
	replica *Replica
	group   *group
	status  atomic.Int32
	// out is written before status becomes answered.
	out stock.Outcome
}

// group is the requests of one caller to one replica.
type group struct {
	left atomic.Int64
	done chan struct{}
}

// newPending returns a request of a group. Each must be finished once, whatever happens to it.
func newPending(r *Replica, g *group, req stock.Request) *pending {
	p := &pending{replica: r, group: g}
	p.flight.Req, p.flight.Owner = req, p
	return p
}

// gone reports whether nobody waits any more.
func (p *pending) gone() bool { return p.status.Load() == abandoned }

// propose claims the right to put the request into the log: from here on its caller can no longer be told "not executed". It returns false when
// the caller has left.
func (p *pending) propose() bool {
	return p.status.CompareAndSwap(waiting, proposed) || p.status.Load() == proposed
}

// finish answers. It is called exactly once by whoever takes the request out of the actors' hands, and gives its admission token back.
func (p *pending) finish(out stock.Outcome) {
	p.out = out
	if !p.status.CompareAndSwap(waiting, answered) {
		p.status.CompareAndSwap(proposed, answered)
	}
	p.replica.tokens.Add(-1)
	if p.group.left.Add(-1) == 0 {
		close(p.group.done)
	}
}

// outcome returns the answer after its group is done, or what its caller may say when it leaves early: what was not proposed never will be.
func (p *pending) outcome(early stock.Code) stock.Outcome {
	for {
		switch s := p.status.Load(); s {
		case answered:
			return p.out
		case waiting:
			if p.status.CompareAndSwap(s, abandoned) {
				return stock.Outcome{Code: early}
			}
		default:
			if s == abandoned || p.status.CompareAndSwap(s, abandoned) {
				return stock.Outcome{Code: stock.OutcomeUnknown}
			}
		}
	}
}

// wait returns when every request of the group is answered, the caller's time is up or the replica is gone.
func (g *group) wait(ctx context.Context, r *Replica, ps []*pending, outs []stock.Outcome) {
	early := stock.OutcomeUnknown
	select {
	case <-g.done:
	case <-ctx.Done():
		early = stock.DeadlineExceeded
	case <-r.closed:
		early = stock.NoLeader
	}
	for i, p := range ps {
		outs[i] = p.outcome(early)
	}
}
