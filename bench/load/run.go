package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// engine is one run.
type engine struct {
	cfg  Config
	call Call
	// begin is the beginning of the warm-up; all times of a run are since then.
	begin time.Time
	// from and until are the measured time. An interruption moves until.
	from  time.Duration
	until atomic.Int64
	// calls is what calls are made with: an interruption does not end it, since what was asked should be answered.
	calls  context.Context
	warm   *recorder
	proper *recorder
	within *recorder
	// reasons has a map for each caller, which that caller alone touches.
	reasons []map[string]int64
	missed  atomic.Uint64
	full    atomic.Uint64
	lost    atomic.Uint64
	running sync.WaitGroup
}

// Run makes calls as it is told and returns when all have ended. When its context ends it begins no more calls, waits for those under way and
// reports what it has, as interrupted. An error is only returned for a configuration.
func Run(ctx context.Context, cfg Config, call Call) (*Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if call == nil {
		return nil, fmt.Errorf("%w: there is nothing to call", ErrConfig)
	}
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	callers := cfg.Callers()
	e := &engine{
		cfg: cfg, call: call, from: cfg.Warmup, calls: calls, reasons: make([]map[string]int64, callers),
		warm: newRecorder(callers), proper: newRecorder(callers), within: newCounters(callers),
	}
	e.until.Store(int64(cfg.Warmup + cfg.Duration))
	e.begin = time.Now()
	w := e.watch()
	stop := context.AfterFunc(ctx, e.interrupt)
	if cfg.Rate > 0 {
		e.open(ctx, cancel)
	} else {
		e.closed(ctx, cancel)
	}
	stop()
	return e.report(w.end(), ctx.Err() != nil), nil
}

// elapsed is the time of the run.
func (e *engine) elapsed() time.Duration { return time.Since(e.begin) }

func (e *engine) end() time.Duration { return time.Duration(e.until.Load()) }

// interrupt ends the measured time now.
func (e *engine) interrupt() {
	now := int64(e.elapsed())
	for {
		until := e.until.Load()
		if now >= until || e.until.CompareAndSwap(until, now) {
			return
		}
	}
}

// one makes a call that was intended to begin at a time.
func (e *engine) one(caller int, r *Record, intended time.Duration) {
	r.reset()
	e.call(e.calls, caller, r)
	e.note(caller, r, intended, e.elapsed())
}

// note counts a call.
func (e *engine) note(caller int, r *Record, intended, ended time.Duration) {
	to := e.proper
	if intended < e.from {
		to = e.warm
	}
	to.of(caller).add(r, ended-intended)
	if ended >= e.from && ended < e.end() {
		e.within.of(caller).count(r)
	}
	for reason, n := range r.Reasons {
		if e.reasons[caller] == nil {
			e.reasons[caller] = make(map[string]int64)
		}
		e.reasons[caller][reason] += int64(n)
	}
}

// finish waits for the callers: as long as patience allows after the end of the measured time, then until the calls, whose context it ends, return.
// abandon is called first when the context or the patience ended.
func (e *engine) finish(ctx context.Context, cancel, abandon func()) {
	gone := make(chan struct{})
	go func() { // it ends with the callers, which are waited for below in every case
		e.running.Wait()
		close(gone)
	}()
	patience := time.NewTimer(e.end() + e.cfg.Patience - e.elapsed())
	defer patience.Stop()
	select {
	case <-gone:
		return
	case <-ctx.Done():
		e.interrupt()
		abandon()
	case <-patience.C:
		abandon()
		cancel()
		<-gone
		return
	}
	rest := time.NewTimer(e.cfg.Patience)
	defer rest.Stop()
	select {
	case <-gone:
	case <-rest.C:
		cancel()
		<-gone
	}
}

func (e *engine) report(intervals []Interval, interrupted bool) *Report {
	all := e.proper.tallies()
	r := &Report{
		Loop: e.cfg.Loop(), Totals: e.proper.counts(), Warmed: e.warm.counts(), Within: e.within.counts(), Window: max(e.end()-e.from, 0),
		Latency: all.latency.histogram(nil), Refusals: all.refusals.histogram(nil), Failures: all.failures.histogram(nil), Lag: all.lag.histogram(nil),
		Reasons: make(map[string]int64), Intervals: intervals, Missed: e.missed.Load(), Full: e.full.Load(), Abandoned: e.lost.Load(),
	}
	r.Interrupted = interrupted && r.Window < e.cfg.Duration
	for _, reasons := range e.reasons {
		for reason, n := range reasons {
			r.Reasons[reason] += n
		}
	}
	return r
}
