package load

import (
	"sync/atomic"
	"time"
)

// queueLength is how many arrivals may be due and wait in memory. Those behind them are known to the schedule and come into the queue as it empties,
// with the time at which they were intended.
const queueLength = 1 << 14

// queue holds the intended times of calls that are due until a caller is free. One goroutine puts, all callers take.
type queue struct {
	due [queueLength]atomic.Int64
	// head counts what was put, tail what was taken. Invariant: tail <= head <= tail + queueLength.
	head, tail atomic.Uint64
	// idle are callers that wait, or are about to.
	idle atomic.Int64
	// ended: nothing is put any more.
	ended atomic.Bool
	// wake has a token for each call put, or one for every caller.
	wake chan struct{}
}

func newQueue(callers int) *queue { return &queue{wake: make(chan struct{}, callers)} }

// put adds a call, unless the queue is full. Callers see it at once, and are woken by announce.
func (q *queue) put(at time.Duration) bool {
	head := q.head.Load()
	if head-q.tail.Load() == queueLength {
		return false
	}
	q.due[head%queueLength].Store(int64(at))
	q.head.Store(head + 1)
	return true
}

// announce wakes callers for n calls that were put, and returns how many of these found none free.
func (q *queue) announce(n int) (full int) {
	if n == 0 {
		return 0
	}
	waiting := int(q.head.Load() - q.tail.Load())
	full = min(max(waiting-int(q.idle.Load()), 0), n)
	for range n {
		select {
		case q.wake <- struct{}{}:
		default:
			return full // there is one for everybody
		}
	}
	return full
}

// end says that nothing is put any more: callers leave when the queue is empty.
func (q *queue) end() {
	q.ended.Store(true)
	close(q.wake)
}

// take returns the call that waits longest, if there is one.
func (q *queue) take() (at time.Duration, ok bool) {
	for {
		tail := q.tail.Load()
		if tail == q.head.Load() {
			return 0, false
		}
		at = time.Duration(q.due[tail%queueLength].Load())
		if q.tail.CompareAndSwap(tail, tail+1) {
			return at, true // until here nothing could be put in its place
		}
	}
}

// await returns the next call, and waits for it; ok is false when there will be none.
func (q *queue) await() (at time.Duration, ok bool) {
	for {
		ended := q.ended.Load() // before looking: what was put before the end is there
		if at, ok = q.take(); ok || ended {
			return at, ok
		}
		q.idle.Add(1)
		if at, ok = q.take(); ok {
			q.idle.Add(-1)
			return at, true
		}
		<-q.wake
		q.idle.Add(-1)
	}
}
