package wal

import (
	"sync"
	"time"
)

// watchSteps is in how many steps a limit passes. A step that comes late counts no more than one in time does: a process
// that stood still (a stopped process, a machine that was suspended) missed at most one, and does not take its own pause
// for the disk's.
const watchSteps = 8

// watchdog watches the one operation on the disk that its goroutine may have under way. Raft keeps a leader whose disk
// hangs for ever (its heartbeats go on), so a stall must end the process.
type watchdog struct {
	limits [2]time.Duration // warn, exit
	timers [2]*time.Timer
	armed  sync.WaitGroup // one for each timer that is set or whose callback runs

	mu    sync.Mutex // guards all below
	op    string
	left  [2]int // steps that have yet to pass; 0: the timer is not set
	stale [2]int // callbacks on their way for an operation that has ended
}

func newWatchdog(warn, exit time.Duration, onWarn, onExit func(op string, limit time.Duration)) *watchdog {
	w := &watchdog{limits: [2]time.Duration{warn, exit}}
	for i, f := range []func(string, time.Duration){onWarn, onExit} {
		w.timers[i] = time.AfterFunc(time.Hour, func() {
			if op, over := w.pass(i); over {
				defer w.armed.Done()
				f(op, w.limits[i])
			}
		})
		w.timers[i].Stop()
	}
	return w
}

// pass lets one step of a limit pass and reports whether that was the last, and of which operation.
func (w *watchdog) pass(i int) (op string, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stale[i] > 0 {
		w.stale[i]--
		w.armed.Done()
		return "", false
	}
	w.left[i]--
	if w.left[i] > 0 {
		w.timers[i].Reset(w.step(i))
		return "", false
	}
	return w.op, true
}

func (w *watchdog) step(i int) time.Duration { return (w.limits[i] + watchSteps - 1) / watchSteps }

// begin says that operation op begins, end that it has ended.
func (w *watchdog) begin(op string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.op = op
	for i, t := range w.timers {
		w.armed.Add(1)
		w.left[i] = watchSteps
		t.Reset(w.step(i))
	}
}

func (w *watchdog) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.timers {
		switch {
		case w.left[i] == 0: // it has been told of
		case t.Stop():
			w.armed.Done()
		default:
			w.stale[i]++
		}
		w.left[i] = 0
	}
}

// do runs f, which is the operation op.
func (w *watchdog) do(op string, f func() error) error {
	w.begin(op)
	defer w.end()
	return f()
}

// wait returns when no callback runs any more. No operation may be begun after it was called.
func (w *watchdog) wait() { w.armed.Wait() }

// watchdogs watches operations of which any number may be under way at once.
type watchdogs struct {
	one func() *watchdog

	mu     sync.Mutex // guards all below
	all    []*watchdog
	free   []*watchdog
	closed bool
}

// do runs f, which is the operation op; unwatched after wait, when nothing may be said any more.
func (w *watchdogs) do(op string, f func() error) error {
	if d := w.begin(op); d != nil {
		defer w.end(d)
	}
	return f()
}

func (w *watchdogs) begin(op string) *watchdog {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if len(w.free) == 0 {
		d := w.one()
		w.all, w.free = append(w.all, d), append(w.free, d)
	}
	d := w.free[len(w.free)-1]
	w.free = w.free[:len(w.free)-1]
	d.begin(op)
	return d
}

func (w *watchdogs) end(d *watchdog) {
	d.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = append(w.free, d)
}

// wait returns when no operation that is watched is under way and no callback runs any more.
func (w *watchdogs) wait() {
	w.mu.Lock()
	w.closed = true
	all := w.all
	w.mu.Unlock()
	for _, d := range all {
		d.wait()
	}
}
