package scenario

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/bench/load"
	"holdfast/bench/result"
	"holdfast/bench/sale"
)

const (
	// retryPause is between two attempts with an order.
	retryPause = 5 * time.Millisecond
	// lastKill is how long before the end of the load a kill must come: otherwise nobody would see the gap.
	lastKill = 2 * time.Second
)

// failover is a shop whose leader is killed.
type failover struct {
	*shop
	leaders sale.Leaders
	gaps    gaps

	first  sync.Once
	begun  time.Time // of the first call
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup // the killer

	mu  sync.Mutex // guards err
	err error
}

func newFailover(s *shop, leaders sale.Leaders) *failover {
	f := &failover{shop: s, leaders: leaders}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Call places orders until it is known of each what became of it.
func (f *failover) Call() load.Call {
	return func(ctx context.Context, number int, r *load.Record) {
		f.first.Do(func() {
			f.begun = time.Now()
			f.gaps.begin(f.begun)
			f.done.Go(f.kill)
		})
		orders, answers := f.next(f.callers[number], f.p.Batch)
		f.target.Place(ctx, orders, answers)
		for f.again(ctx, orders, answers) {
		}
		f.ledger.ToldAll(number, orders, answers)
		if record(r, answers); r.Accepted > 0 {
			f.gaps.accepted(time.Now())
		}
	}
}

// again resolves what is unknown and sends again what was not executed; false when there is no more of it, or no time.
func (f *failover) again(ctx context.Context, orders []sale.Order, answers []sale.Answer) bool {
	var open []int
	for i := range answers {
		if answers[i].Verdict == sale.Unknown {
			if a, err := f.target.Resolve(ctx, orders[i]); err == nil {
				if answers[i] = a; a.Verdict == sale.Failed {
					answers[i].Verdict = sale.Refused // for good: its key is fenced
				}
			}
		}
		if v := answers[i].Verdict; v == sale.Failed || v == sale.Unknown {
			open = append(open, i)
		}
	}
	if len(open) == 0 || !pause(ctx, retryPause) {
		return false
	}
	f.resend(ctx, orders, answers, open)
	return true
}

// resend places those of the open orders again that were not executed.
func (f *failover) resend(ctx context.Context, orders []sale.Order, answers []sale.Answer, open []int) {
	var some []sale.Order
	var places []int
	for _, i := range open {
		if answers[i].Verdict == sale.Failed {
			some, places = append(some, orders[i]), append(places, i)
		}
	}
	if len(some) == 0 {
		return
	}
	told := make([]sale.Answer, len(some))
	f.target.Place(ctx, some, told)
	accepted := false
	for k, i := range places {
		answers[i] = told[k]
		accepted = accepted || told[k].Verdict == sale.Accepted
	}
	if accepted {
		f.gaps.accepted(time.Now())
	}
}

// kill kills the leader, has it healed, and again.
func (f *failover) kill() {
	end := f.p.Warmup + f.p.Duration
	for at := f.p.Warmup + f.p.Duration/4; at <= max(end-lastKill, f.p.Warmup+f.p.Duration/4); at = time.Since(f.begun) + f.p.KillEvery {
		if !pause(f.ctx, at-time.Since(f.begun)) {
			return
		}
		if err := f.outage(); err != nil {
			f.fail(err)
			return
		}
	}
}

// outage is one kill, up to when all is whole again.
func (f *failover) outage() error {
	f.gaps.open(time.Now())
	err := f.leaders.KillLeader(f.ctx, f.names[0])
	if err == nil {
		f.gaps.await(f.ctx)
		err = f.leaders.Heal(f.ctx)
	}
	f.gaps.close()
	return err
}

func (f *failover) fail(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Finish ends the killing, and heals what is not whole.
func (f *failover) Finish(ctx context.Context) error {
	f.first.Do(func() {}) // nobody begins any more
	f.cancel()
	f.done.Wait()
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return fmt.Errorf("scenario: kill and heal a leader: %w", err)
	}
	return f.leaders.Heal(ctx)
}

// Gaps are the longest times without an acceptance after each kill, and when, from the end of the warm-up on.
func (f *failover) Gaps() []result.Gap {
	var all []result.Gap
	for _, g := range f.gaps.all() {
		at := g.at.Sub(f.begun) - f.p.Warmup
		all = append(all, result.Gap{AtS: rounded(at.Seconds()), GapMS: rounded(float64(g.length) / float64(time.Millisecond))})
	}
	return all
}

// pause waits; false when the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
