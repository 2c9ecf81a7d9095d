package load

import (
	"context"
	"time"
)

const (
	// ceilingTime is how long the generator is measured for.
	ceilingTime = 200 * time.Millisecond
	// ceilingCalls is a rate in calls a second that it cannot keep up with.
	ceilingCalls = 2e7
)

// Ceiling returns how many orders a second this generator can ask, in the loop and with the callers of a configuration, of a call that does nothing,
// on this machine as it is now. A target that shares the machine leaves it less. A figure near it says something of the generator, not of the target.
func Ceiling(cfg Config) float64 {
	batch := max(cfg.Batch, 1)
	c := Config{Batch: batch, Clients: cfg.Clients, MaxOutstanding: cfg.MaxOutstanding, Duration: ceilingTime, Seed: cfg.Seed, forgetful: true}
	if cfg.Rate > 0 {
		c.Rate = ceilingCalls * float64(batch)
	}
	begin := time.Now()
	r, err := Run(context.Background(), c, func(_ context.Context, _ int, r *Record) { r.Accepted = batch })
	if err != nil {
		return 0
	}
	return float64(r.Totals.Accepted) / time.Since(begin).Seconds()
}
