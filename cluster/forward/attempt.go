package forward

import (
	"context"
	"math"
	"time"

	"holdfast/stock"
)

// attempt is one try of some requests at one leader.
type attempt struct {
	items  []*item
	route  route
	lane   laneKey
	parcel *parcel            // nil: at the gateway here
	cancel context.CancelFunc // of one here
}

// landed is an attempt that was heard of.
type landed struct {
	attempt *attempt
	landing
}

// send sends items to a leader.
func (e *errand) send(to route, part []*item) {
	a := &attempt{items: part, route: to}
	rs := make([]stock.Request, len(part))
	for i, it := range part {
		e.prepare(it)
		rs[i] = it.copy()
		it.copies++
		it.newest, it.since = a, to.term
		if it.copies > 1 && !it.query {
			e.f.metrics.resends.Inc()
		}
	}
	e.flying[a] = struct{}{}
	if to.node == e.f.cfg.Routes.Self() {
		e.f.metrics.attempts[placeHere].Add(float64(len(part)))
		e.here(a, rs)
		return
	}
	e.f.metrics.attempts[placeThere].Add(float64(len(part)))
	e.there(a, rs)
}

// prepare gives a command its key and its deadline. Both stay while a copy may be under way: what is remembered of one copy is remembered for all,
// until none of them can be executed any more (rules R4, R5).
func (e *errand) prepare(it *item) {
	if it.query {
		return
	}
	if it.key == "" {
		it.key = e.f.key()
	}
	if it.copies == 0 || it.deadline == 0 {
		it.deadline = e.f.deadline(it.req.Partition(), time.Until(e.until))
	}
}

// here makes an attempt at this node's gateway.
func (e *errand) here(a *attempt, rs []stock.Request) {
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(e.ctx)
	if !e.f.start(func() {
		outs := e.f.cfg.Local.DoAll(ctx, rs)
		e.landings <- landed{a, landing{answer: answer{verdict: verdictAnswered, outcomes: outs}}}
	}) {
		e.landings <- landed{a, landing{fate: fateUntouched, err: errClosed}}
	}
}

// there makes an attempt at another node.
func (e *errand) there(a *attempt, rs []stock.Request) {
	a.lane = laneKey{node: a.route.node, address: a.route.address, shard: e.shard, caller: caller(rs[0])}
	a.parcel = &parcel{count: len(rs), deadline: e.until, landed: func(l landing) { e.landings <- landed{a, l} }}
	var err error
	for i, r := range rs {
		if a.parcel.body, err = stock.AppendRequest(a.parcel.body, r); err != nil {
			// A bug in front of this: the front door takes nothing that cannot be written.
			e.f.cfg.Logger.Error("a request cannot be encoded", "shard", e.shard, "error", err)
			e.undo(a, func(it *item) { e.settle(it, stock.Outcome{Code: stock.Internal}) })
			return
		}
		a.parcel.attempt = max(a.parcel.attempt, uint16(min(a.items[i].copies, math.MaxUint16)))
	}
	if bound := e.f.outbox.post(a.lane, a.parcel); bound != "" {
		e.undo(a, func(it *item) {
			if it.copies == 0 {
				e.settle(it, e.f.metrics.overload(bound))
			}
		})
	}
}

// undo takes back an attempt that never left.
func (e *errand) undo(a *attempt, then func(*item)) {
	delete(e.flying, a)
	for _, it := range a.items {
		e.untouched(it, a, stock.DeadlineExceeded)
		then(it)
	}
}

// land takes what became of an attempt.
func (e *errand) land(l landed) {
	a := l.attempt
	delete(e.flying, a)
	if a.cancel != nil {
		a.cancel()
	}
	e.f.hints.note(e.shard, l.answer.leader)
	for i, it := range a.items {
		switch {
		case it.done:
		case l.fate == fateUntouched:
			e.untouched(it, a, stock.NoLeader)
		case l.fate == fateCut:
			e.lost(it, a, true)
		case l.fate == fateUnknown:
			e.lost(it, a, false)
		case l.answer.verdict == verdictNoLeader:
			e.untouched(it, a, stock.NoLeader)
		case l.answer.verdict == verdictClock:
			e.untouched(it, a, stock.DeadlineExceeded)
		default:
			e.judge(it, a, l.answer.outcomes[i])
		}
	}
	if l.answer.verdict == verdictClock {
		e.f.correct(l.answer.clock)
	}
}

// judge takes the outcome of an attempt: the acceptance of any ends the matter, a refusal only of the last one (rule R18).
func (e *errand) judge(it *item, a *attempt, out stock.Outcome) {
	switch last := it.newest == a; {
	case out.Code.Executed():
		e.settle(it, it.unmask(out, it.copies-1, e.began, e.f.cfg.MaxClockSkew.Milliseconds()))
	case out.Code == stock.OutcomeUnknown:
		e.lost(it, a, a.parcel == nil)
	case out.Code == stock.NoLeader || out.Code == stock.Draining:
		e.untouched(it, a, stock.NoLeader)
	case out.Code == stock.DeadlineExceeded:
		e.untouched(it, a, stock.DeadlineExceeded)
	case out.Code == stock.Overloaded && it.copies > 1:
		e.untouched(it, a, stock.DeadlineExceeded) // An earlier copy is as undecided as it was.
	case last:
		e.settle(it, out)
	case out.Code != stock.Internal:
		it.copies-- // It was decided, and only that.
	}
}

// untouched notes an attempt that was not executed, nor will be.
func (e *errand) untouched(it *item, a *attempt, why stock.Code) {
	it.copies--
	if it.newest == a {
		it.newest, it.last = nil, why
		e.again(it, a)
	}
}

// lost notes an attempt that may have been executed. A query changes nothing, so it may be asked again wherever.
func (e *errand) lost(it *item, a *attempt, same bool) {
	switch {
	case it.query:
		e.untouched(it, a, stock.DeadlineExceeded)
	case it.newest != a:
	case same:
		it.newest = nil
		e.again(it, a)
	default:
		it.newest, it.barred, it.since = nil, true, a.route.term
	}
}

// again lets an item go to the same leader once more, after a pause, or to one of a higher term.
func (e *errand) again(it *item, a *attempt) {
	it.barred, it.since = it.copies > 0 && a.route.term > 0, 0
	if it.barred {
		it.since = a.route.term - 1
	}
	e.tire()
}
