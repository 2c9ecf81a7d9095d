package control

import (
	"sync"
	"time"

	"holdfast/stock"
)

// clock is the meta group's leader's: max(last log time, wall clock when its term opened) plus the time since (rule R2). It never goes back.
type clock struct {
	wall func() time.Time

	mu   sync.Mutex // guards what follows
	term uint64     // the term it was opened in, 0 for none
	log  stock.Time
	base time.Time
}

// open starts the clock of a term. Again in the same term: nothing.
func (c *clock) open(term uint64, last stock.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.term == term {
		return
	}
	c.term, c.base = term, c.wall()
	c.log = max(last, stock.TimeOf(c.base))
}

// now returns the time of an open term; false in any other.
func (c *clock) now(term uint64) (stock.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.term != term || term == 0 {
		return 0, false
	}
	return c.log.Add(c.wall().Sub(c.base).Milliseconds()), true
}
