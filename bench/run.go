package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/probe"
	"holdfast/bench/sale"
)

// Run measures once. When its context ends while orders are asked for, it begins no more, audits what was done, and returns the result as interrupted;
// before that it returns the context's error. What the audit or a threshold found wrong is in the result: Verdict makes an error of it.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.MaxOutstanding == 0 {
		cfg.MaxOutstanding = load.DefaultOutstanding
	}
	if cfg.AuditTime == 0 {
		cfg.AuditTime = DefaultAuditTime
	}
	if cfg.probeTime == 0 {
		cfg.probeTime = probe.DefaultTime
	}
	k := &conditions{started: time.Now(), machine: probe.ThisMachine(), commit: probe.Commit()}
	dir, err := os.MkdirTemp(cfg.Dir, "holdfast-bench-*")
	if err != nil {
		return nil, fmt.Errorf("bench: a directory for the files: %w", err)
	}
	r, err := run(ctx, &cfg, k, dir)
	if gone := os.RemoveAll(dir); gone != nil {
		err = errors.Join(err, fmt.Errorf("bench: remove the files: %w", gone))
	}
	return r, err
}

// run measures in a directory.
func run(ctx context.Context, cfg *Config, k *conditions, dir string) (r *Result, err error) {
	cfg.phase("probing the disk and the generator")
	if k.fsync, err = probe.Disk(ctx, dir, cfg.probeTime); err != nil {
		return nil, err
	}
	k.ceiling = load.Ceiling(cfg.load())
	cfg.phase("opening " + cfg.shownTarget())
	t, err := cfg.open(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("bench: open %s: %w", cfg.shownTarget(), err)
	}
	defer func() {
		cfg.phase("closing")
		err = errors.Join(err, t.Close())
	}()
	k.about = t.About()
	s, err := cfg.scene(ctx, t)
	if err != nil {
		return nil, err
	}
	cfg.phase("preparing " + s.Name())
	if err := s.Prepare(ctx, t); err != nil {
		return nil, fmt.Errorf("bench: prepare %s: %w", s.Name(), err)
	}
	k.skus = len(s.SKUs())
	r = newResult(cfg, k)
	if err := play(ctx, cfg, s, t, r); err != nil {
		return nil, err
	}
	return r, nil
}

// play asks, and audits what was answered. From here on an interruption ends the asking only.
func play(ctx context.Context, cfg *Config, s Scene, t sale.Target, r *Result) error {
	cfg.phase("asking")
	m, err := load.Run(ctx, cfg.load(), s.Call())
	if err != nil {
		return err
	}
	cfg.phase("auditing")
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.AuditTime)
	defer cancel()
	if err := s.Finish(after); err != nil {
		return fmt.Errorf("bench: finish %s: %w", s.Name(), err)
	}
	addLoad(r, m)
	if o, ok := s.(outages); ok {
		r.Gaps = o.Gaps()
	}
	f, err := audit.Check(after, s.Ledger(), t)
	if err != nil {
		return fmt.Errorf("bench: the audit could not be finished, so there is no result: %w", err)
	}
	addAudit(r, &f)
	if m.Window <= 0 && !f.Broken() {
		return fmt.Errorf("%w: the run was interrupted in its warm-up; the audit of it is sound", ErrNothingMeasured)
	}
	for _, limit := range cfg.Thresholds {
		r.Thresholds = append(r.Thresholds, limit.Hold(r))
	}
	return nil
}
