package load

import (
	"context"
	"time"
)

const (
	// slot is the finest step of pacing: calls that come closer together than this are begun together, each measured from its own time. A timer for
	// each would cost more than the calls.
	slot = 100 * time.Microsecond
	// coarse waits are left to the runtime's timers until this much before their end.
	coarse = 3 * time.Millisecond
)

// open runs an open loop: this goroutine puts calls into the queue when they are due, and callers take them from it.
func (e *engine) open(ctx context.Context, cancel func()) {
	q := newQueue(e.cfg.MaxOutstanding)
	for caller := range e.cfg.MaxOutstanding {
		e.running.Go(func() { e.serve(caller, q) })
	}
	from, until := time.Duration(0), e.end()
	if e.cfg.Rush > 0 {
		from, until = e.from, e.from+e.cfg.Rush
	}
	s := newSchedule(e.cfg.Seed, e.cfg.Rate/float64(e.cfg.Batch), from, until)
	e.pace(ctx, s, q)
	q.end()
	e.finish(ctx, cancel, func() { e.abandon(s, q) })
	e.abandon(s, q) // what the queue never had room for
}

// serve is a caller.
func (e *engine) serve(caller int, q *queue) {
	var r Record
	for {
		intended, ok := q.await()
		if !ok {
			return
		}
		if lag := e.elapsed() - intended; intended >= e.from {
			e.proper.of(caller).lag.add(lag, 1)
			if lag > Late {
				e.missed.Add(1)
			}
		}
		e.one(caller, &r, intended)
	}
}

// pace puts every call of the schedule into the queue when it is due, until there is none, the context ends, or the queue has been full for longer
// than patience allows.
func (e *engine) pace(ctx context.Context, s *schedule, q *queue) {
	for ctx.Err() == nil {
		now := e.elapsed()
		n := 0
		at, more := s.next()
		for more && at <= now && q.put(at) {
			n++
			s.advance()
			at, more = s.next()
		}
		if full := q.announce(n); now >= e.from {
			e.full.Add(uint64(full))
		}
		if !more || now > e.end()+e.cfg.Patience || e.cfg.forgetful && now > e.end() {
			return
		}
		e.wait(ctx, max(at-now, slot))
	}
	e.interrupt()
	s.stop(e.end())
}

// wait waits, or until the context ends.
func (e *engine) wait(ctx context.Context, d time.Duration) {
	if d < coarse {
		e.cfg.nap(d)
		return
	}
	t := time.NewTimer(d - coarse/2)
	defer t.Stop()
	select {
	case <-t.C: // the rest is waited for the next time
	case <-ctx.Done():
	}
}

// abandon counts what came and was not begun: what is in the queue, and what the queue had no room for.
func (e *engine) abandon(s *schedule, q *queue) {
	if e.cfg.forgetful {
		return
	}
	now, batch := e.elapsed(), int64(e.cfg.Batch)
	lose := func(at time.Duration) {
		if at >= e.from {
			e.proper.of(0).latency.add(now-at, batch)
			e.lost.Add(uint64(batch))
		}
	}
	for at, ok := q.take(); ok; at, ok = q.take() {
		lose(at)
	}
	for at, ok := s.next(); ok; at, ok = s.next() {
		lose(at)
		s.advance()
	}
}
