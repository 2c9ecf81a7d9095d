package actors

import (
	"context"
	"sync"
	"time"
)

// clockRetry is how long a leader that could not give leadership away waits before it looks at the clocks again.
const clockRetry = time.Second

// opener sees to it that a term opens only while this machine's clock can be sold by (rule R2): it asks the other voters, off the actors'
// goroutines, and gives leadership away when the answer is no. A term that raft still leads in is tried again.
type opener struct {
	r    *Replica
	wake chan struct{} // capacity 1
	done chan struct{} // closed when run has ended

	mu sync.Mutex // guards what follows
	// term is the one to be opened; 0 when there is none, or when its clocks agree.
	term uint64
	// cancel ends the question that is under way.
	cancel context.CancelFunc
	// agreed is the term whose clocks agreed, at is when that was, and wall the same without its monotonic reading.
	agreed   uint64
	at, wall time.Time
	// refused is what the replica's own look at log time said of the clock.
	refused error
	// told is the last term that the log has a line about.
	told uint64
}

func newOpener(r *Replica) *opener {
	return &opener{r: r, wake: make(chan struct{}, 1), done: make(chan struct{}), cancel: func() {}}
}

// lead says that a term is to be opened.
func (o *opener) lead(term uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.r.cfg.ClocksAgree != nil && term > o.term && term > o.agreed {
		o.beginLocked(term)
	}
}

// beginLocked has a term looked at; o.mu is held.
func (o *opener) beginLocked(term uint64) {
	o.cancel()
	o.term, o.agreed = term, 0
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close says that terms up to one are over.
func (o *opener) close(term uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.term <= term {
		o.cancel()
		o.term = 0
	}
}

// agrees reports whether the clocks were found to agree for a term, and this one was not set since. When not, the shard's actor is told later.
func (o *opener) agrees(term uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.r.cfg.ClocksAgree == nil:
		return true
	case o.agreed != term:
		return false
	}
	now := o.r.clock.wall()
	// What the wall clock went on by, less the time that passed, is by how much somebody set it.
	if moved := now.Round(0).Sub(o.wall) - now.Sub(o.at); moved.Abs() > o.r.cfg.MaxClockSkew {
		o.beginLocked(term)
		return false
	}
	return true
}

// refuse gives a term away that this replica's own look at log time speaks against.
func (o *opener) refuse(term uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = err
	o.beginLocked(term)
}

// run opens terms until ctx ends, which is when the replica closes.
func (o *opener) run(ctx context.Context) {
	defer close(o.done)
	retry := time.NewTimer(clockRetry)
	defer retry.Stop()
	for {
		retry.Stop()
		select {
		case <-o.wake: // of what is looked at now
		default:
		}
		if term := o.next(); term != 0 && !o.try(ctx, term) {
			retry.Reset(clockRetry)
		}
		select {
		case <-o.wake:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
	}
}

// next returns the term to be opened, 0 for none.
func (o *opener) next() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.term != 0 && !o.r.log.Leads(o.term) {
		o.term = 0
	}
	return o.term
}

// try asks whether a term may open, and gives leadership away if it may not.
func (o *opener) try(ctx context.Context, term uint64) (agreed bool) {
	err := o.ask(ctx, term)
	if err == nil || ctx.Err() != nil {
		return true
	}
	o.mu.Lock()
	first := o.told != term
	o.told = term
	current := o.term == term
	o.mu.Unlock()
	if !current {
		return true // it was over before the answer came
	}
	o.r.metrics.clocks.Inc()
	if first {
		o.r.logger.Error("this machine's clock cannot be sold by, so leadership is given away: set it right (chronyc tracking, timedatectl)",
			"shard", o.r.shard, "term", term, "error", err)
	}
	o.r.log.Resign()
	return false
}

// ask returns nil when the clocks agree, and then has the actor open the term.
func (o *opener) ask(ctx context.Context, term uint64) error {
	o.mu.Lock()
	refused := o.refused
	o.refused = nil
	ctx, o.cancel = context.WithCancel(ctx)
	cancel := o.cancel
	at := o.r.clock.wall()
	o.mu.Unlock()
	defer cancel()
	if refused != nil {
		return refused
	}
	if o.r.cfg.ClocksAgree != nil {
		if err := o.r.cfg.ClocksAgree(ctx); err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.term == term {
		o.term, o.agreed, o.at, o.wall = 0, term, at, at.Round(0)
		o.r.system.Root.Send(o.r.directory.shard.Load(), &agreed{term})
	}
	return nil
}
