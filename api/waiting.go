package api

import (
	"sync"
	"sync/atomic"
	"time"
)

// evictableAfter is how long a connection may wait for a request before another may take its place: long enough for a caller that has just come to
// send its head, so that a crowd does not push itself out.
const evictableAfter = time.Second

// maxEvictions bounds the connections of a listener that were told to go and still have their descriptors.
const maxEvictions = 64

// place says what a connection waits for.
type place uint8

const (
	// placeNone: it has a request, or is gone.
	placeNone place = iota
	// placeFirst: it has not sent a request yet; placeAgain: it has, and may send another.
	placeFirst
	placeAgain
)

// seat is a connection's place among those that wait. Guarded by the lock of waiting.
type seat struct {
	place         place
	since         time.Time
	before, after *boundedConn
	evicted       bool
	// going: it was told to go and has no request, so its read deadline stays in the past. Set under the lock, and read without.
	going atomic.Bool
}

// past is a read deadline that has passed.
var past = time.Unix(1, 0)

// waiting holds the connections of a listener that wait for a request, the longest first.
//
// A connection that must go is not closed but given a read deadline that has passed: when its request was read at that very moment it is answered,
// and the connection ends after that. Closing it would leave a buyer without the answer to an order that was executed. The deadline is set under the
// lock, so that it is there before the request begins (leave), which clears it: one that came later would end the request for a caller who hung up.
type waiting struct {
	mu          sync.Mutex // guards all below, and the seats
	first, last *boundedConn
	// evicting is how many were told to go and are still open.
	evicting int
}

// join puts a connection to the end. It returns false, and does nothing, when the connection was told to go.
func (w *waiting) join(c *boundedConn, again bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.seat.evicted {
		return false
	}
	w.takeLocked(c)
	c.seat.place, c.seat.since = placeFirst, time.Now()
	if again {
		c.seat.place = placeAgain
	}
	if c.seat.before = w.last; w.last != nil {
		w.last.seat.after = c
	} else {
		w.first = c
	}
	w.last = c
	return true
}

// leave takes a connection out: it has a request. It reports whether the connection was told to go meanwhile, and so has a deadline to clear.
func (w *waiting) leave(c *boundedConn) (told bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takeLocked(c)
	return c.seat.going.Swap(false)
}

// of returns what a connection waits for.
func (w *waiting) of(c *boundedConn) place {
	w.mu.Lock()
	defer w.mu.Unlock()
	return c.seat.place
}

func (w *waiting) takeLocked(c *boundedConn) {
	if c.seat.place == placeNone {
		return
	}
	before, after := c.seat.before, c.seat.after
	if before != nil {
		before.seat.after = after
	} else {
		w.first = after
	}
	if after != nil {
		after.seat.before = before
	} else {
		w.last = before
	}
	c.seat.place, c.seat.before, c.seat.after = placeNone, nil, nil
}

// longestLocked takes out the connection that has waited longest, and since then at least; nil when there is none.
func (w *waiting) longestLocked(since time.Time) *boundedConn {
	c := w.first
	if c == nil || c.seat.since.After(since) || w.evicting >= maxEvictions {
		return nil
	}
	w.takeLocked(c)
	c.seat.evicted = true
	c.seat.going.Store(true)
	w.evicting++
	return c
}

// gone says that a connection is closed.
func (w *waiting) gone(c *boundedConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takeLocked(c)
	if c.seat.evicted {
		w.evicting--
	}
}

// evict tells the connection to go that has waited longest, and since then at least. It reports whether there was one.
func (l *boundedListener) evict(since time.Time) bool {
	l.waiting.mu.Lock()
	defer l.waiting.mu.Unlock()
	c := l.waiting.longestLocked(since)
	if c == nil {
		return false
	}
	l.metrics.evicted.Inc()
	// One that is closed already is as good as gone.
	_ = c.Conn.SetReadDeadline(past)
	return true
}
