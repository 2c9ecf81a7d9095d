package scenario

import (
	"context"
	"fmt"
	"sync"

	"holdfast/bench/load"
	"holdfast/bench/sale"
)

const (
	// preloaders place the orders of before, preloadBatch in a call.
	preloaders, preloadBatch = 8, 500
	// preloadFailures is how many calls in a row may be accepted nothing of.
	preloadFailures = 20
)

// preload places orders until so many are accepted.
func (s *shop) preload(ctx context.Context) error {
	workers := min(preloaders, len(s.callers))
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		share := s.p.Preload / int64(workers)
		if i == 0 {
			share += s.p.Preload % int64(workers)
		}
		wg.Go(func() { errs[i] = s.preloadBy(ctx, s.callers[i], share) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *shop) preloadBy(ctx context.Context, c *caller, left int64) error {
	for failures := 0; left > 0; {
		orders, answers := s.next(c, int(min(left, preloadBatch)))
		s.target.Place(ctx, orders, answers)
		s.ledger.ToldAll(c.number, orders, answers)
		var r load.Record
		record(&r, answers)
		if left -= int64(r.Accepted); r.Accepted > 0 {
			failures = 0
		} else if failures++; failures == preloadFailures || ctx.Err() != nil {
			return fmt.Errorf("%w: %d of %d are missing: %s", ErrPreload, left, s.p.Preload, reasonOf(answers))
		}
	}
	return nil
}

func reasonOf(answers []sale.Answer) string {
	for _, a := range answers {
		if a.Verdict != sale.Accepted {
			return a.Reason
		}
	}
	return ""
}
