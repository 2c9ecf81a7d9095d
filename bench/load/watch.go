package load

import (
	"sync"
	"time"
)

// watcher looks at a run once an interval.
type watcher struct {
	e    *engine
	stop chan struct{}
	done sync.WaitGroup
	// what follows belongs to the goroutine until done
	intervals []Interval
	at        time.Duration
	counts    Counts
	recorder  *recorder
	before    *tallies
}

// watch begins to look.
func (e *engine) watch() *watcher {
	w := &watcher{e: e, stop: make(chan struct{}), recorder: e.proper}
	if e.from > 0 {
		w.recorder = e.warm
	}
	w.done.Go(w.follow)
	return w
}

// end looks a last time and returns all intervals.
func (w *watcher) end() []Interval {
	close(w.stop)
	w.done.Wait()
	return w.intervals
}

func (w *watcher) follow() {
	for {
		t := time.NewTimer(w.next() - w.e.elapsed())
		select {
		case <-t.C:
			w.look()
		case <-w.stop:
			t.Stop()
			if now := w.e.elapsed(); now > w.at {
				w.look()
			}
			return
		}
	}
}

// next is when the present interval ends: no interval belongs to two phases.
func (w *watcher) next() time.Duration {
	next := w.at + w.e.cfg.Every
	for _, edge := range []time.Duration{w.e.from, w.e.end()} {
		if w.at < edge && next > edge {
			next = edge
		}
	}
	return next
}

// look ends the present interval. A phase's last interval is named after that phase, however late the look comes.
func (w *watcher) look() {
	now, counts := w.e.elapsed(), w.counted()
	i := Interval{Phase: w.phase(), At: w.at - w.e.from, Length: now - w.at, Counts: counts.minus(w.counts), Left: max(w.e.end()-now, 0)}
	after := w.recorder.tallies()
	before := &tallies{}
	if w.before != nil {
		before = w.before
	}
	i.Latency = PercentilesOf(after.latency.histogram(before.latency))
	i.Refusals = PercentilesOf(after.refusals.histogram(before.refusals))
	w.at, w.counts, w.before = now, counts, after
	if w.recorder == w.e.warm && now >= w.e.from {
		w.recorder, w.before = w.e.proper, nil
	}
	if i.Phase == Draining && i.Calls == 0 {
		return
	}
	w.intervals = append(w.intervals, i)
	if w.e.cfg.OnInterval != nil {
		w.e.cfg.OnInterval(i)
	}
}

func (w *watcher) phase() string {
	switch {
	case w.at < w.e.from:
		return Warming
	case w.at < w.e.end():
		return Measuring
	}
	return Draining
}

// counted are all answers so far, whatever phase their calls began in.
func (w *watcher) counted() Counts {
	return w.e.warm.counts().minus(Counts{}.minus(w.e.proper.counts()))
}
