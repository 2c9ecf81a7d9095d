package curves

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Plan is how sweeps are measured.
type Plan struct {
	Sweeps []Sweep
	Run    Runner
	// Rounds is how often each point is measured; the rounds of a sweep follow each other, so that a bad minute does not hit one point only.
	Rounds           int
	Warmup, Duration time.Duration
	Seed             uint64
	// Commit is what is measured, for runs that do not know it themselves.
	Commit string
	// Save is called after each round of a sweep with all that is there by then.
	Save func(Measured) error
	// Log tells of each run; nil: silence.
	Log func(format string, args ...any)
}

// Measure measures the sweeps of a plan anew and keeps the other curves of what was there. A run that fails or fails its audit is left out and
// part of the error; the others go on.
func Measure(ctx context.Context, plan Plan, there Measured) (Measured, error) {
	var failed []error
	for _, s := range plan.Sweeps {
		c := Curve{Name: s.Name}
		for round := range plan.Rounds {
			if err := plan.round(ctx, s, round, &c); err != nil {
				failed = append(failed, err)
			}
			if ctx.Err() != nil {
				return there, errors.Join(append(failed, ctx.Err())...)
			}
			there.put(c, Sweeps)
			if err := plan.Save(there); err != nil {
				return there, fmt.Errorf("saving %s: %w", s.Name, err)
			}
		}
	}
	return there, errors.Join(failed...)
}

// round measures each point of a sweep once.
func (plan Plan) round(ctx context.Context, s Sweep, round int, c *Curve) error {
	var failed []error
	for _, line := range s.Lines {
		for _, x := range line.At {
			p := s.Base
			p.Nodes, p.Warmup, p.Duration, p.Seed = line.Nodes, plan.Warmup, plan.Duration, plan.Seed+uint64(round)
			s.Set(&p, x)
			r, err := plan.Run(ctx, p)
			if plan.Commit != "" {
				r.Commit = plan.Commit
			}
			if err == nil {
				err = r.Sound()
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s at %d with %d nodes: %w", s.Name, x, line.Nodes, err))
				continue
			}
			if plan.Log != nil {
				plan.Log("%s=%d nodes=%d round=%d: %.0f orders/s, p99 %.3f ms, fsync p50 %.3f ms", s.Name, x, line.Nodes, round+1, r.AcceptedPerS, r.Latency.P99, r.Fsync.P50)
			}
			c.add(line.Nodes, x, r)
		}
	}
	return errors.Join(failed...)
}
