package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/bench/load"
	"holdfast/bench/result"
	"holdfast/bench/rival/program"
	"holdfast/storage"
)

// ErrCompare is returned for a comparison that cannot be meant.
var ErrCompare = errors.New("bench: bad comparison")

// Defaults of a comparison.
const (
	DefaultCompareRounds   = 5
	DefaultCompareDuration = 5 * time.Second
	DefaultCompareWarmup   = 2 * time.Second
	// DefaultCompareSink is none: rivals keep their orders in one place, too.
	DefaultCompareSink = "none"
)

// CompareConfig says what is compared, and for how long.
type CompareConfig struct {
	// Parts are those of CompareParts; none: all.
	Parts []string
	// Rounds is how often each contestant is measured; 0: DefaultCompareRounds.
	Rounds int
	// Warmup and Duration are each run's; 0: the defaults.
	Warmup, Duration time.Duration
	// Clients replaces the callers of every match; 0: each has its own.
	Clients int
	Seed    uint64
	// Sink is the storage behind ours: none (the default: no rival has one), sqlite or postgres://...
	Sink string
	// Dir is where nodes and started servers keep their files; "": where temporary ones are. All share a disk, and its fsync.
	Dir string
	// Redis and Postgres are addresses of servers to be used instead of such that are started.
	Redis, Postgres string
	// Version is what ours says it is.
	Version string
	// Tell is told of each run when it has ended; nil: nobody is.
	Tell func(text string)

	// measure is replaced in tests.
	measure func(ctx context.Context, t trial) (*Result, error)
}

// trial is one run of one contestant.
type trial struct {
	work
	contestant       string
	open             opener
	warmup, duration time.Duration
	seed             uint64
	dir              string
}

func (cfg CompareConfig) withDefaults() CompareConfig {
	if cfg.Rounds == 0 {
		cfg.Rounds = DefaultCompareRounds
	}
	if cfg.Warmup == 0 {
		cfg.Warmup = DefaultCompareWarmup
	}
	if cfg.Duration == 0 {
		cfg.Duration = DefaultCompareDuration
	}
	if cfg.Sink == "" {
		cfg.Sink = DefaultCompareSink
	}
	if cfg.Tell == nil {
		cfg.Tell = func(string) {}
	}
	if cfg.measure == nil {
		cfg.measure = measure
	}
	return cfg
}

// Check returns the error for which Compare would refuse cfg.
func (cfg CompareConfig) Check() error {
	for _, part := range cfg.Parts {
		if !slices.Contains(CompareParts(), part) {
			return fmt.Errorf("%w: there is no part %q; there are %s", ErrCompare, part, strings.Join(CompareParts(), ", "))
		}
	}
	if cfg.Rounds < 0 || cfg.Clients < 0 || cfg.Duration < 0 || cfg.Warmup < 0 {
		return fmt.Errorf("%w: rounds, clients, duration and warm-up are not below zero", ErrCompare)
	}
	if cfg.Sink != "" {
		if err := storage.CheckSink(cfg.Sink); err != nil {
			return fmt.Errorf("%w: --sink: %w", ErrCompare, err)
		}
	}
	return nil
}

// comparer is a comparison under way.
type comparer struct {
	cfg     CompareConfig
	openers map[string]opener
	out     *Comparison
	// p50 and p99 are the probes of all runs.
	p50, p99 []float64
}

// Compare measures ours and theirs in turn. A contestant whose program is missing is skipped and said so; any other failure ends the comparison. A run that
// fails its audit does not: Comparison.Broken says so at the end.
func Compare(ctx context.Context, cfg CompareConfig) (*Comparison, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	c := &comparer{cfg: cfg, openers: cfg.openers(), out: &Comparison{
		Loop: load.Closed, Client: "one process has the callers, and of ours the nodes; servers of theirs are processes of their own on the same machine",
		Rounds: cfg.Rounds, WarmupS: cfg.Warmup.Seconds(), DurationS: cfg.Duration.Seconds(), Seed: cfg.Seed, Sink: redacted(cfg.Sink),
		Matches: []Match{}, Skipped: []Skipped{},
	}}
	for _, w := range matches {
		if len(cfg.Parts) > 0 && !slices.Contains(cfg.Parts, w.part) {
			continue
		}
		if cfg.Clients > 0 {
			w.clients = cfg.Clients
		}
		m, err := c.match(ctx, w)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", w.part, w.text, err)
		}
		c.out.Matches = append(c.out.Matches, m)
	}
	c.out.Fsync = result.Fsync{P50: median(c.p50), P99: median(c.p99)}
	return c.out, nil
}

// match measures the contestants of one work, every other round in the opposite order: who comes second finds the disk and the caches as the first
// left them.
func (c *comparer) match(ctx context.Context, w work) (Match, error) {
	m := Match{Part: w.part, Name: w.name, Work: w.text, Scenario: w.scenario, Batch: w.batch, Clients: w.clients, Figure: string(w.figure)}
	for _, name := range w.contestants() {
		m.Contestants = append(m.Contestants, Contestant{Name: name})
	}
	for round := range c.cfg.Rounds {
		order := slices.Clone(w.contestants())
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			at := slices.IndexFunc(m.Contestants, func(k Contestant) bool { return k.Name == name })
			if at < 0 {
				continue // skipped in an earlier round
			}
			err := c.run(ctx, w, round, &m.Contestants[at])
			if missing, ok := errors.AsType[*program.MissingError](err); ok && name != w.ours {
				c.skip(name, missing)
				m.Contestants = slices.Delete(m.Contestants, at, at+1)
				continue
			}
			if err != nil {
				return m, fmt.Errorf("%s, round %d: %w", name, round+1, err)
			}
		}
	}
	m.conclude(w)
	return m, nil
}

func (c *comparer) skip(name string, why *program.MissingError) {
	if slices.ContainsFunc(c.out.Skipped, func(s Skipped) bool { return s.Name == name }) {
		return
	}
	c.out.Skipped = append(c.out.Skipped, Skipped{Name: name, Why: why.Error()})
	c.cfg.Tell(fmt.Sprintf("%s is skipped: %v", name, why))
}

// run measures one contestant once.
func (c *comparer) run(ctx context.Context, w work, round int, k *Contestant) error {
	r, err := c.cfg.measure(ctx, trial{
		work: w, contestant: k.Name, open: c.openers[k.Name], warmup: c.cfg.Warmup, duration: c.cfg.Duration, seed: c.cfg.Seed + uint64(round),
		dir: c.cfg.Dir,
	})
	if err != nil {
		return err
	}
	k.add(r, w.figure)
	c.p50, c.p99 = append(c.p50, r.Fsync.P50), append(c.p99, r.Fsync.P99)
	c.out.Machine, c.out.Commit = r.Machine, r.Commit
	c.audited(k.Name, &r.Audit, r.Findings)
	c.cfg.Tell(fmt.Sprintf("%s round %d of %d: %s, %s: %.0f %s/s, audit %s", w.part, round+1, c.cfg.Rounds, w.text, k.Name, k.PerS[len(k.PerS)-1], w.figure,
		passed(r.Audit.Passed())))
	return nil
}

func (c *comparer) audited(name string, a *result.Audit, findings []string) {
	sum := &c.out.Audit
	sum.Oversold, sum.Undersold, sum.Lost = sum.Oversold+a.Oversold, sum.Undersold+a.Undersold, sum.Lost+a.Lost
	sum.Duplicated, sum.LimitBroken = sum.Duplicated+a.Duplicated, sum.LimitBroken+a.LimitBroken
	for _, text := range findings {
		c.out.Findings = append(c.out.Findings, name+": "+text)
	}
}

func passed(ok bool) string {
	if ok {
		return "passed"
	}
	return "FAILED"
}
