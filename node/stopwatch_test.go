package node

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// stopwatch keeps how long orders took, phase by phase; phases come in turn, again and again.
type stopwatch struct {
	mu    sync.Mutex // guards what follows
	now   lap
	count map[string]int
	laps  map[lap][]time.Duration
}

// lap is one time that a phase lasted.
type lap struct {
	phase string
	round int
}

func newStopwatch() *stopwatch {
	return &stopwatch{count: make(map[string]int), laps: make(map[lap][]time.Duration)}
}

// enter begins a phase.
func (w *stopwatch) enter(phase string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count[phase]++
	w.now = lap{phase, w.count[phase]}
}

// measured reports whether an order of the phase that is on has ended.
func (w *stopwatch) measured() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.laps[w.now]) > 0
}

// start returns a function that notes the time since, for the phase that is on at its beginning.
func (w *stopwatch) start() (stop func()) {
	w.mu.Lock()
	at, began := w.now, time.Now()
	w.mu.Unlock()
	return func() {
		took := time.Since(began)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.laps[at] = append(w.laps[at], took)
	}
}

// report prints the median over a phase's laps of their p50 and p99, and how that compares with the quiet phase. These are figures and no verdict:
// caller, node and database share a machine with whatever else runs on it.
func (w *stopwatch) report(t *testing.T, quiet string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var phases []string
	for phase := range w.count {
		phases = append(phases, phase)
	}
	slices.Sort(phases)
	_, _, base := w.medians(quiet)
	for _, phase := range phases {
		n, p50, p99 := w.medians(phase)
		if n == 0 {
			t.Errorf("no order in the phase %q", phase)
			continue
		}
		t.Logf("%-14s laps=%d orders=%d p50=%v p99=%v p99/%s=%.2f", phase, w.count[phase], n, p50.Round(time.Microsecond), p99.Round(time.Microsecond),
			quiet, float64(p99)/float64(base))
	}
}

func (w *stopwatch) medians(phase string) (n int, p50, p99 time.Duration) {
	var middles, tails []time.Duration
	for l, took := range w.laps {
		if l.phase != phase || l.phase == "" {
			continue
		}
		n += len(took)
		slices.Sort(took)
		middles, tails = append(middles, took[len(took)/2]), append(tails, took[len(took)*99/100])
	}
	if n == 0 {
		return 0, 0, 0
	}
	slices.Sort(middles)
	slices.Sort(tails)
	return n, middles[len(middles)/2], tails[len(tails)/2]
}

func TestStopwatch(t *testing.T) {
	w := newStopwatch()
	for round, ms := range []int{5, 1, 3} {
		w.laps[lap{"quiet", round}] = []time.Duration{time.Duration(ms) * time.Millisecond}
		w.laps[lap{"loud", round}] = []time.Duration{time.Duration(2*ms) * time.Millisecond}
	}
	if n, p50, p99 := w.medians("loud"); n != 3 || p50 != 6*time.Millisecond || p99 != p50 {
		t.Errorf("%d %v %v", n, p50, p99)
	}
}
