package wal

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A limit passes in its time when everything runs; each operation has its own.
func TestWatchdogLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards said: the two limits pass on timers of their own
		var said []string
		begin := time.Now()
		note := func(what string) func(string, time.Duration) {
			return func(op string, _ time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, what+" "+op+" "+time.Since(begin).String())
			}
		}
		w := newWatchdog(time.Second, 3*time.Second, note("warn"), note("exit"))
		for range 5 { // none of these takes long enough, all of them together do
			w.begin("write")
			<-time.After(900 * time.Millisecond)
			w.end()
		}
		begin = time.Now()
		w.begin("fsync")
		<-time.After(10 * time.Second)
		w.end()
		w.wait()
		mu.Lock()
		defer mu.Unlock()
		if len(said) != 2 || said[0] != "warn fsync 1s" || said[1] != "exit fsync 3s" {
			t.Errorf("%q", said)
		}
	})
}

// A timer that fires once, however late, because the process stood still, is one step; a callback that comes when its operation has ended is none.
func TestWatchdogCountsNoPause(t *testing.T) {
	told := 0
	note := func(string, time.Duration) { told++ }
	w := newWatchdog(time.Hour, time.Hour, note, note)
	w.begin("fsync")
	for n := 1; n < watchSteps; n++ {
		if _, over := w.pass(1); over {
			t.Fatalf("over after %d of %d steps", n, watchSteps)
		}
	}
	if op, over := w.pass(1); !over || op != "fsync" {
		t.Fatalf("%q, %t after all steps", op, over)
	}
	w.armed.Done() // as the callback does
	w.end()
	w.begin("write")
	w.timers[1].Stop() // as if it had fired, and its callback waited for the lock
	w.end()
	w.begin("write again")
	if _, over := w.pass(1); over || w.left[1] != watchSteps {
		t.Errorf("a callback of the operation before counts: %d steps left", w.left[1])
	}
	w.end()
	w.wait()
	if told != 0 {
		t.Errorf("told %d times", told)
	}
}
