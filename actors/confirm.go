package actors

import (
	"math"
	"sync"
	"time"

	"holdfast/stock"
)

// finding is an answer that rests on the applied state. Another replica may lead by now and know better, so it leaves its shard only after a
// leadership check that began after it was found: a majority of the voters answered, in its term, something that was sent later (rule R9).
type finding struct {
	p   *pending
	out stock.Outcome
	// term is the one that was open when it was found; 0 when none was.
	term uint64
}

// tray is what an actor hands on at the end of its turn.
type tray struct {
	// items go to the proposer.
	items []item
	// findings wait for a leadership check.
	findings []finding
}

// answer finishes a request with what was found in the applied state: at once when that says nothing about the state, else after a check.
func (t *tray) answer(p *pending, out stock.Outcome, term uint64) {
	r := p.group.replica
	_, order := p.flight.Req.(*stock.Place)
	switch {
	case !restsOnState(out.Code):
		r.metrics.refused(out)
		p.finish(out)
	case r.cfg.FastRefusals && order && !out.Code.Executed():
		out.Unconfirmed = true
		r.metrics.refused(out)
		r.metrics.fast.Inc()
		p.finish(out)
	default:
		if p.copied() {
			// Another copy may be in the log, so its caller cannot be told "not executed" when it leaves before the check ends.
			p.propose()
		}
		t.findings = append(t.findings, finding{p, out, term})
	}
}

// restsOnState tells the answers that say something about the state from those that say only that nothing was done here.
func restsOnState(c stock.Code) bool { return c < stock.Overloaded }

// copied reports whether another copy of the request may be under way (rule R4).
func (p *pending) copied() bool {
	c, ok := p.flight.Req.(stock.Command)
	return ok && c.Head() != nil && c.Head().Retry
}

// handOn ends an actor's turn. Commands go first, so that what was found may leave with the entry that they travel in.
func (r *Replica) handOn(t *tray) {
	t.items = r.submit(t.items)
	if len(t.findings) > 0 {
		r.confirm(t.findings)
		clear(t.findings)
		t.findings = t.findings[:0]
	}
}

// abandon answers what an actor that is gone did not hand on.
func (t *tray) abandon() {
	finishItems(t.items, stock.Outcome{Code: stock.NoLeader})
	withdraw(t.findings)
	t.items, t.findings = nil, nil
}

// confirm lets findings leave: at once where this replica is the only voter, else after a check.
func (r *Replica) confirm(fs []finding) {
	for len(fs) > 0 {
		n := 1
		for n < len(fs) && fs[n].term == fs[0].term {
			n++
		}
		if r.alone(fs[0].term) {
			r.release(fs[:n])
		} else {
			r.confirmer.park(fs[0].term, fs[:n])
		}
		fs = fs[n:]
	}
}

// alone reports whether this replica leads in a term and is a majority by itself: nothing was ever sent after the last mark there is.
func (r *Replica) alone(term uint64) bool {
	return term != 0 && r.log.Confirmed(math.MaxUint64, term) && r.log.Leads(term)
}

// release answers with what was found.
func (r *Replica) release(fs []finding) {
	var all tally
	for i := range fs {
		r.metrics.refused(fs[i].out)
		all.finish(fs[i].p, fs[i].out)
	}
	all.end()
}

// withdraw answers when nobody can say any more whether what was found still held: the request was not executed, but a copy of it may have been.
func withdraw(fs []finding) {
	var all tally
	for i := range fs {
		out := stock.Outcome{Code: stock.NoLeader}
		if fs[i].p.copied() {
			out.Code = stock.OutcomeUnknown
		}
		all.finish(fs[i].p, out)
	}
	all.end()
}

// confirmer makes the leadership checks of a replica, one after the other, on a goroutine of its own: no actor waits for raft. Whatever is found
// while a check is under way waits for the next one, so a crowd shares a few. What waits holds its admission tokens (max-pending), and leaves at
// the latest when the term is over, which raft says itself when a majority is silent.
type confirmer struct {
	r    *Replica
	wake chan struct{} // capacity 1
	done chan struct{} // closed when run has ended

	mu sync.Mutex // guards what follows; taken once a turn, an entry and a check
	// waiting is what the next check confirms.
	// Invariant: every finding in it is of term.
	waiting []finding
	term    uint64
	busy    bool   // a check is under way
	over    uint64 // terms up to this one are over
	stopped bool
	// entry is the newest own proposal that was committed in the term that it was made in.
	entry struct{ term, sequence uint64 }
}

func newConfirmer(r *Replica) *confirmer {
	return &confirmer{r: r, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// park keeps findings of a term for the next check.
func (c *confirmer) park(term uint64, fs []finding) {
	c.mu.Lock()
	if c.stopped || term <= c.over {
		c.mu.Unlock()
		withdraw(fs)
		return
	}
	var older []finding
	if term > c.term {
		older, c.waiting = c.waiting, nil
		c.term, c.over = term, term-1
	}
	c.waiting = append(c.waiting, fs...)
	idle := !c.busy
	c.mu.Unlock()
	c.r.metrics.unconfirmed.Add(float64(len(fs)))
	c.withdraw(older)
	if idle {
		c.signal()
	}
}

func (c *confirmer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close says that terms up to one are over: what waits for a check in them will not get it.
func (c *confirmer) close(term uint64) {
	c.mu.Lock()
	c.over = max(c.over, term)
	var late []finding
	if c.term <= c.over {
		late, c.waiting = c.waiting, nil
	}
	c.mu.Unlock()
	c.withdraw(late)
	c.signal()
}

// committed notes that an own proposal was committed in the term that it was made in: a majority took it then, which is a leadership check for
// all that was found before it was made.
func (c *confirmer) committed(term, sequence uint64) {
	c.mu.Lock()
	c.entry.term, c.entry.sequence = term, sequence
	busy := c.busy
	c.mu.Unlock()
	if busy {
		c.signal()
	}
}

// withdraw answers findings that were parked.
func (c *confirmer) withdraw(fs []finding) {
	if len(fs) > 0 {
		c.r.metrics.unconfirmed.Sub(float64(len(fs)))
		withdraw(fs)
	}
}

// run makes checks until the replica closes.
func (c *confirmer) run() {
	defer close(c.done)
	for {
		fs, term := c.begin()
		if len(fs) == 0 {
			select {
			case <-c.wake:
				continue
			case <-c.r.closed:
				c.stop()
				return
			}
		}
		c.end(fs, term, c.check(term))
	}
}

// begin takes what waits.
func (c *confirmer) begin() (fs []finding, term uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fs, c.waiting = c.waiting, nil
	c.busy = len(fs) > 0
	return fs, c.term
}

func (c *confirmer) end(fs []finding, term uint64, how result) {
	c.r.metrics.checks[how].Inc()
	if how == termOver {
		c.withdraw(fs)
		select {
		case <-c.r.closed:
		default:
			c.r.Follow(term) // a failed check closes the term (rule R14)
		}
		return
	}
	c.r.metrics.unconfirmed.Sub(float64(len(fs)))
	c.r.release(fs)
}

// stop withdraws what waits, and all that comes later.
func (c *confirmer) stop() {
	c.mu.Lock()
	c.stopped = true
	fs := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	c.withdraw(fs)
}

// result says how a leadership check ended.
type result int

const (
	byAnswers result = iota
	byEntry
	termOver
	endOfResults
	undecided
)

var resultNames = [endOfResults]string{"answers", "entry", "term_over"}

// check returns when a majority of the voters has answered, in the term, something that was sent after now, or when the term is over.
func (c *confirmer) check(term uint64) result {
	began := time.Now()
	mark, sequence := c.r.log.Sent(), c.r.issued.Load()
	c.r.log.Prompt()
	for {
		heard := c.r.log.Heard()
		if how := c.judge(term, mark, sequence); how != undecided {
			c.r.metrics.checkSeconds.Observe(time.Since(began).Seconds())
			return how
		}
		select {
		case <-heard:
		case <-c.wake:
		case <-c.r.closed:
			return termOver
		}
	}
}

// judge looks once. That raft leads in the term is asked last: what it said of the voters before was then said by the leader of that term.
func (c *confirmer) judge(term, mark, sequence uint64) result {
	c.mu.Lock()
	over := term <= c.over
	entry := c.entry.term == term && c.entry.sequence > sequence
	c.mu.Unlock()
	if over {
		return termOver
	}
	if entry {
		return byEntry
	}
	answered := c.r.log.Confirmed(mark, term)
	switch {
	case !c.r.log.Leads(term):
		return termOver
	case answered:
		return byAnswers
	}
	return undecided
}
