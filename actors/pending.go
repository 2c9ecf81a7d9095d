// Step 11 of an order: reply. Whoever decides a request calls finish once, or a tally for many; its caller waits for a whole group of them with one
// wake.

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
	flight stock.Flight
	group  *group
	status atomic.Int32
	// out is written before status becomes answered.
	out stock.Outcome
}

// group is the requests of one caller to one replica. They are made in one piece, and leave memory together.
type group struct {
	replica *Replica
	// requests must each be finished once, whatever happens to them.
	requests []pending
	left     atomic.Int64
	done     chan struct{}
	// only is the place of a request that is alone.
	only [1]pending
}

// newGroup returns the group of some requests.
func newGroup(r *Replica, reqs []stock.Request) *group {
	g := &group{replica: r, done: make(chan struct{})}
	g.requests = g.only[:]
	if len(reqs) != 1 {
		g.requests = make([]pending, len(reqs))
	}
	for i, req := range reqs {
		p := &g.requests[i]
		p.group, p.flight.Req, p.flight.Owner = g, req, p
	}
	g.left.Store(int64(len(reqs)))
	return g
}

// bundle is requests on their way to one actor in one message.
type bundle struct{ requests []*pending }

// gone reports whether nobody waits any more.
func (p *pending) gone() bool { return p.status.Load() == abandoned }

// propose claims the right to put the request into the log: from here on its caller can no longer be told "not executed". It returns false when
// the caller has left.
func (p *pending) propose() bool {
	return p.status.CompareAndSwap(waiting, proposed) || p.status.Load() == proposed
}

// finish answers. It is called exactly once by whoever takes the request out of the actors' hands, and gives its admission token back.
func (p *pending) finish(out stock.Outcome) {
	p.answer(out)
	p.group.answered(1)
}

// answer leaves the answer where its caller finds it; its group must be told.
func (p *pending) answer(out stock.Outcome) {
	p.out = out
	for s := p.status.Load(); s != abandoned && !p.status.CompareAndSwap(s, answered); s = p.status.Load() {
	}
}

// answered counts requests of the group that were answered and gives their admission tokens back. The last one wakes the caller.
func (g *group) answered(n int64) {
	g.replica.tokens.Add(-n)
	if g.left.Add(-n) == 0 {
		close(g.done)
	}
}

// tally finishes one request after the other and counts those of a group that follow each other at once. A group whose last
// request it was learns of it when end is called, at the latest.
type tally struct {
	group *group
	n     int64
}

// finish answers a request, as pending.finish does.
func (t *tally) finish(p *pending, out stock.Outcome) {
	if t.group != p.group {
		t.end()
		t.group = p.group
	}
	p.answer(out)
	t.n++
}

// end counts what is not counted yet.
func (t *tally) end() {
	if t.n > 0 {
		t.group.answered(t.n)
	}
	t.group, t.n = nil, 0
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
func (g *group) wait(ctx context.Context, outs []stock.Outcome) {
	early := stock.OutcomeUnknown
	select {
	case <-g.done:
	case <-ctx.Done():
		early = stock.DeadlineExceeded
	case <-g.replica.closed:
		early = stock.NoLeader
	}
	for i := range g.requests {
		outs[i] = g.requests[i].outcome(early)
	}
}
