package forward

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/cluster"
	"holdfast/stock"
)

// parcel is what one call sends to another node in one attempt: encoded requests of one shard and one caller.
type parcel struct {
	body     []byte
	count    int
	deadline time.Time
	attempt  uint16
	// landed takes what became of it, once. It is called with the outbox locked, and must not wait.
	landed func(landing)

	// What follows is guarded by Outbox.mu.
	over  bool   // landed was called
	frame *frame // nil while it waits
}

// landing is what became of an attempt.
type landing struct {
	fate   fate
	answer answer
	err    error
}

// fate says what is known of a parcel whose outcomes did not come back.
type fate uint8

const (
	// fateAnswered: answer holds what the other node said.
	fateAnswered fate = iota
	// fateUntouched: nothing of it was executed, nor will be.
	fateUntouched
	// fateCut: the connection broke with the parcel under way. It may go to the same leader over another one (rule R18).
	fateCut
	// fateUnknown: it may have been executed, and the leader that had it may still have it.
	fateUnknown
)

// lane is the way to one node, for the requests of one caller for one shard: a shard that stands still holds up no other, and a frame has one
// authenticated caller.
type lane struct {
	laneKey
	queue  []*parcel
	flying int
}

type laneKey struct {
	node, address string
	shard         uint32
	caller        string
}

// frame is one request to another node, with the parcels that came together.
type frame struct {
	parcels []*parcel
	waiting int // parcels that somebody waits for
	cancel  context.CancelFunc
}

// load is what waits for an answer of one node.
type load struct {
	requests int
	bytes    int64
}

// outbox sends parcels. One goes at once while fewer than MaxFrames frames of its lane are under way; what comes meanwhile is gathered and goes with
// the next: answers clock the frames, and there is no timer.
type outbox struct {
	f *Forwarder

	mu    sync.Mutex // guards what follows
	lanes map[laneKey]*lane
	loads map[string]*load // by node
}

// post takes a parcel, or returns the name of the bound that was reached.
func (o *outbox) post(key laneKey, p *parcel) (bound string) {
	cfg := &o.f.cfg
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.loads[key.node]
	if at == nil {
		at = &load{}
		o.loads[key.node] = at
	}
	switch {
	case at.requests+p.count > cfg.MaxForwarded:
		bound = boundForwarded
	case at.bytes+int64(len(p.body)) > cfg.MaxForwardedBytes:
		bound = boundForwardedBytes
	}
	if bound != "" {
		o.forgetLocked(key.node)
		return bound
	}
	o.weighLocked(key.node, p.count, int64(len(p.body)))
	l := o.lanes[key]
	if l == nil {
		l = &lane{laneKey: key}
		o.lanes[key] = l
	}
	l.queue = append(l.queue, p)
	if l.flying < cfg.MaxFrames {
		l.flying++
		if !o.f.start(func() { o.fly(l) }) {
			l.flying--
			o.landLocked(key.node, p, landing{fate: fateUntouched, err: errClosed})
			l.queue = l.queue[:len(l.queue)-1]
			o.dropLocked(l)
		}
	}
	return ""
}

var errClosed = errors.New("forward: closed")

func (o *outbox) weighLocked(node string, requests int, bytes int64) {
	at := o.loads[node]
	at.requests += requests
	at.bytes += bytes
	o.f.metrics.forwarded.Add(float64(requests))
	o.forgetLocked(node)
}

func (o *outbox) forgetLocked(node string) {
	if *o.loads[node] == (load{}) {
		delete(o.loads, node)
	}
}

func (o *outbox) dropLocked(l *lane) {
	if l.flying == 0 && len(l.queue) == 0 {
		delete(o.lanes, l.laneKey)
	}
}

// landLocked tells a parcel's fate, unless it was told before.
func (o *outbox) landLocked(node string, p *parcel, l landing) {
	if p.over {
		return
	}
	p.over = true
	o.weighLocked(node, -p.count, -int64(len(p.body)))
	p.landed(l)
}

// abandon ends the wait for a parcel. One that has not left never will.
func (o *outbox) abandon(key laneKey, p *parcel) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.over {
		return
	}
	if p.frame == nil {
		o.landLocked(key.node, p, landing{fate: fateUntouched, err: context.Canceled})
		return
	}
	if p.frame.waiting--; p.frame.waiting == 0 {
		p.frame.cancel()
	}
	o.landLocked(key.node, p, landing{fate: fateUnknown, err: context.Canceled})
}

// fly sends frames of a lane until nothing waits.
func (o *outbox) fly(l *lane) {
	for {
		ctx, fr, body, attempt := o.gather(l)
		if fr == nil {
			return
		}
		o.f.metrics.frame(fr)
		land := o.ask(ctx, l, cluster.Request{Kind: cluster.KindRequests, Caller: l.caller, Attempt: attempt, Body: body})
		fr.cancel()
		o.deliver(l, fr, land)
	}
}

// gather makes a frame of what waits; nil when nothing does, and then the lane has one flyer less. Parcels go together while their deadlines lie
// near each other: a frame has one, the earliest.
func (o *outbox) gather(l *lane) (ctx context.Context, fr *frame, body []byte, attempt uint16) {
	cfg := &o.f.cfg
	o.mu.Lock()
	defer o.mu.Unlock()
	fr = &frame{}
	count, bytes := 0, 0
	var first, base time.Time
	var apart time.Duration
	for len(l.queue) > 0 {
		p := l.queue[0]
		if !p.over {
			if count == 0 {
				first, base, apart = p.deadline, p.deadline, time.Until(p.deadline)/8
			}
			full := count+p.count > cfg.MaxFrameRequests || bytes+len(p.body) > cfg.MaxFrameBytes
			if count > 0 && (full || p.deadline.Sub(base).Abs() > apart) {
				break
			}
			if p.deadline.Before(first) {
				first = p.deadline
			}
			p.frame = fr
			fr.parcels = append(fr.parcels, p)
			count, bytes, attempt = count+p.count, bytes+len(p.body), max(attempt, p.attempt)
		}
		l.queue[0], l.queue = nil, l.queue[1:]
	}
	if count == 0 {
		l.flying--
		o.dropLocked(l)
		return nil, nil, nil, 0
	}
	fr.waiting = len(fr.parcels)
	body = appendRequestsHead(make([]byte, 0, bytes+requestsHeadroom), l.shard, count)
	for _, p := range fr.parcels {
		body = append(body, p.body...)
	}
	// The rest of the time is for the way back: what the leader did not propose in time it can still say.
	left := time.Until(first)
	ctx, fr.cancel = context.WithTimeout(o.f.ctx, left-min(left/8, maxWayBack))
	return ctx, fr, body, attempt
}

// maxWayBack bounds the time that is kept for an answer's way back.
const maxWayBack = 100 * time.Millisecond

// ask sends a frame and says what became of it.
func (o *outbox) ask(ctx context.Context, l *lane, r cluster.Request) landing {
	body, err := o.f.cfg.Peers.Call(ctx, l.node, l.address, r)
	if err == nil {
		a, err := readAnswer(body)
		if err != nil {
			o.f.cfg.Logger.Error("an answer of another node cannot be read", "node", l.node, "shard", l.shard, "error", err)
			return landing{fate: fateUnknown, err: err}
		}
		return landing{fate: fateAnswered, answer: a}
	}
	switch {
	case errors.Is(err, stock.ErrNotExecuted):
		return landing{fate: fateUntouched, err: err}
	case errors.Is(err, cluster.ErrMaybeSent) && ctx.Err() == nil:
		return landing{fate: fateCut, err: err}
	}
	return landing{fate: fateUnknown, err: err}
}

// deliver tells the parcels of a frame what became of it.
func (o *outbox) deliver(l *lane, fr *frame, land landing) {
	count := 0
	for _, p := range fr.parcels {
		count += p.count
	}
	if land.fate == fateAnswered && land.answer.verdict == verdictAnswered && len(land.answer.outcomes) != count {
		err := fmt.Errorf("%w: %d outcomes for %d requests", ErrFrame, len(land.answer.outcomes), count)
		o.f.cfg.Logger.Error("an answer of another node does not fit its requests", "node", l.node, "shard", l.shard, "error", err)
		land = landing{fate: fateUnknown, err: err}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	outcomes := land.answer.outcomes
	for _, p := range fr.parcels {
		part := land
		if len(outcomes) > 0 {
			part.answer.outcomes, outcomes = outcomes[:p.count:p.count], outcomes[p.count:]
		}
		o.landLocked(l.node, p, part)
	}
}
