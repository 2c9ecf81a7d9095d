package forward

import (
	"context"
	"time"

	"holdfast/stock"
)

// errand takes the requests of one call for one shard from leader to leader until each is decided or the call's time is up (rule R18).
type errand struct {
	f     *Forwarder
	ctx   context.Context
	until time.Time
	began stock.Time
	shard uint32
	items []*item
	open  int

	landings chan landed
	// flying holds the attempts that were not heard of yet.
	flying map[*attempt]struct{}
	// tried is the route of the last attempt; to the same one the next goes after a pause, and only when that is over.
	tried  route
	pause  time.Duration
	rested time.Time
	// idle is how many of the requests are counted as waiting for a leader.
	idle int
}

// maxFlying bounds the attempts of an errand that were not heard of; each but the first few needs a leader of a higher term, and the parts of a large
// call count for themselves.
const maxFlying = 64

func (f *Forwarder) newErrand(ctx context.Context, began stock.Time, shard uint32, items []*item) *errand {
	e := &errand{f: f, ctx: ctx, began: began, shard: shard, items: items, open: len(items), landings: make(chan landed, maxFlying)}
	e.until, _ = ctx.Deadline()
	e.flying = make(map[*attempt]struct{})
	return e
}

// run answers every item.
func (e *errand) run() {
	defer e.leave()
	for {
		changed := e.f.cfg.Routes.Changed()
		leader, hinted := e.leader()
		e.launch(leader)
		e.await()
		if e.open == 0 {
			return
		}
		rest, stop := e.rest(leader)
		select {
		case l := <-e.landings:
			e.land(l)
		case <-changed:
		case <-hinted:
		case <-rest:
		case <-e.ctx.Done():
			stop()
			e.end()
			return
		case <-e.f.ctx.Done():
			stop()
			e.end()
			return
		}
		stop()
	}
}

// leader returns where the shard's leader is now, and what is closed when another node says otherwise.
func (e *errand) leader() (route, <-chan struct{}) {
	var own route
	own.node, own.address, own.term = e.f.cfg.Routes.Leader(e.shard)
	hint, hinted := e.f.hints.of(e.shard)
	best := newer(own, hint)
	if self := e.f.cfg.Routes.Self(); best.node != self && e.f.cfg.Local.Leads(e.items[0].req.Partition()) {
		best = route{node: self, term: own.term}
	}
	return best, hinted
}

// launch sends what may go to the leader.
func (e *errand) launch(to route) {
	switch {
	case to.node == "":
		return
	case to != e.tried:
		e.pause, e.rested = 0, time.Time{}
	case time.Now().Before(e.rested):
		return
	}
	var ready []*item
	for _, it := range e.items {
		if !it.done && (it.newest == nil && !it.barred || it.since < to.term) {
			ready = append(ready, it)
		}
	}
	if len(ready) == 0 {
		return
	}
	e.tried = to
	for _, part := range e.parts(ready) {
		if len(e.flying) == maxFlying {
			return
		}
		e.send(to, part)
	}
}

// parts divides items into those that may travel together.
func (e *errand) parts(ready []*item) (parts [][]*item) {
	most := e.f.cfg.MaxFrameRequests
	for len(ready) > 0 {
		n := 1
		for n < min(len(ready), most) && caller(ready[n].req) == caller(ready[0].req) {
			n++
		}
		parts, ready = append(parts, ready[:n]), ready[n:]
	}
	return parts
}

// rest returns what fires when the same leader may be asked again.
func (e *errand) rest(leader route) (<-chan time.Time, func()) {
	if leader.node == "" || leader != e.tried {
		return nil, func() {}
	}
	left := time.Until(e.rested)
	if left <= 0 {
		return nil, func() {}
	}
	t := time.NewTimer(left)
	return t.C, func() { t.Stop() }
}

// tire makes the errand rest before it asks the same leader again.
func (e *errand) tire() {
	if time.Now().Before(e.rested) {
		return
	}
	e.pause = min(max(2*e.pause, e.f.cfg.Pause), e.f.cfg.MaxPause)
	e.rested = time.Now().Add(e.pause)
}

// await counts the requests that wait for a leader, and refuses those for which there is no room.
func (e *errand) await() {
	idle := 0
	for _, it := range e.items {
		if !it.done && it.newest == nil {
			idle++
		}
	}
	more := idle - e.idle
	e.idle = idle
	e.f.metrics.leaderless.Add(float64(more))
	if e.f.leaderless.Add(int64(more)) <= int64(e.f.cfg.MaxLeaderless) || more <= 0 {
		return
	}
	for _, it := range e.items {
		if !it.done && it.newest == nil {
			e.settle(it, e.refusal(it, boundLeaderless))
		}
	}
	e.await()
}

// refusal is what an item is told that ran into a bound: one that may have been proposed is not told that it was not (rule R18).
func (e *errand) refusal(it *item, bound string) stock.Outcome {
	out := e.f.metrics.overload(bound)
	if it.copies > 0 {
		return it.giveUp()
	}
	return out
}

func (e *errand) settle(it *item, out stock.Outcome) {
	if out.Code == stock.OutcomeUnknown {
		e.f.metrics.unknown.Inc()
	}
	it.finish(out)
	e.open--
}

// end answers what is left when the time is up. What is still on its way has left, or never will; the gateway here says itself what became of it.
func (e *errand) end() {
	e.recall()
	for len(e.flying) > 0 {
		e.land(<-e.landings)
	}
	for _, it := range e.items {
		if !it.done {
			e.settle(it, it.giveUp())
		}
	}
}

// leave lets go of what nobody waits for any more.
func (e *errand) leave() {
	e.f.leaderless.Add(-int64(e.idle))
	e.f.metrics.leaderless.Sub(float64(e.idle))
	e.recall()
}

// recall ends the wait for what is under way.
func (e *errand) recall() {
	for a := range e.flying {
		if a.parcel != nil {
			e.f.outbox.abandon(a.lane, a.parcel)
		} else {
			a.cancel()
		}
	}
}
