package actors

import (
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/stock"
)

// clock is a leader's: max(last log time, wall clock when its term opened) plus the monotonic time since (rule R2). It never goes back.
type clock struct {
	wall func() time.Time
	base atomic.Pointer[clockBase]
}

type clockBase struct {
	log  stock.Time
	wall time.Time
}

func newClock(wall func() time.Time) *clock {
	c := &clock{wall: wall}
	c.open(0)
	return c
}

// open starts the clock of a term.
func (c *clock) open(last stock.Time) {
	now := c.wall()
	c.base.Store(&clockBase{log: max(last, stock.TimeOf(now)), wall: now})
}

func (c *clock) now() stock.Time {
	b := c.base.Load()
	return b.log.Add(c.wall().Sub(b.wall).Milliseconds())
}

// agree compares the wall clock with the last log time before a first term opens.
func (c *clock) agree(last stock.Time, skew, downtime time.Duration) error {
	return CheckClock(c.wall(), last, skew, downtime)
}

// CheckClock compares a wall clock with the last log time, 0 for a log that has none: a wrong clock would expire every hold, or freeze time (rule
// R2). The error wraps ErrClock.
func CheckClock(wall time.Time, last stock.Time, skew, downtime time.Duration) error {
	now := stock.TimeOf(wall)
	switch {
	case last == 0:
		return nil
	case now < last.Add(-skew.Milliseconds()):
		return fmt.Errorf("%w: it is %v behind the last order", ErrClock, time.Duration(last-now)*time.Millisecond)
	case now > last.Add(downtime.Milliseconds()):
		return fmt.Errorf("%w: it is %v ahead of the last order", ErrClock, time.Duration(now-last)*time.Millisecond)
	}
	return nil
}

// alarmClock wakes an actor once, at a moment of log time. It is used by its actor only.
type alarmClock struct {
	timer *time.Timer
	at    stock.Time
}

// set replaces the moment; without ok there is none.
func (a *alarmClock) set(c *clock, at stock.Time, ok bool, box *mailbox) {
	if ok && a.timer != nil && a.at == at {
		return
	}
	a.stop()
	if ok {
		after := time.Duration(at-c.now()) * time.Millisecond
		a.at, a.timer = at, time.AfterFunc(max(after, time.Millisecond), func() { box.PostUserMessage(&wake{}) })
	}
}

func (a *alarmClock) stop() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}
