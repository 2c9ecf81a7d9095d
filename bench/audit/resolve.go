package audit

import (
	"context"
	"fmt"
	"sync"

	"holdfast/bench/sale"
)

// resolvers is how many unknown outcomes are asked for at a time.
const resolvers = 32

// Resolve makes unknown outcomes definite. It returns how many it could not; those stay unknown.
func (l *Ledger) Resolve(ctx context.Context, t sale.Target) (left int64) {
	var doubts []doubt
	for _, s := range l.shards {
		s.mu.Lock()
		doubts = append(doubts, s.doubts...)
		s.doubts = nil
		s.mu.Unlock()
	}
	answers := make([]sale.Answer, len(doubts))
	_ = each(ctx, len(doubts), func(i int) error {
		a, err := t.Resolve(ctx, doubts[i].order)
		if err == nil {
			answers[i] = a
		}
		return nil
	})
	for i, d := range doubts {
		if l.Told(d.caller, d.order, answers[i]); answers[i].Verdict == sale.Unknown {
			left++
		}
	}
	return left
}

// each does something n times, some of them at once, until one fails or ctx ends.
func each(ctx context.Context, n int, do func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(resolvers, n) {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("audit: %w", context.Cause(ctx))
	}
	return nil
}
