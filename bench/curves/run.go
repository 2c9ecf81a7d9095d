package curves

import (
	"context"

	"holdfast/bench"
	"holdfast/bench/result"
)

// InProcess returns the runner of the page: a cluster in this process whose files are below dir, without storage behind it, in a closed loop.
func InProcess(dir string) Runner {
	return func(ctx context.Context, p Point) (result.Result, error) {
		cfg := bench.DefaultConfig()
		cfg.Dir, cfg.Sink = dir, "none"
		cfg.Scenario, cfg.Nodes, cfg.Shards, cfg.SKUs = p.Scenario, p.Nodes, p.Shards, p.SKUs
		cfg.Clients, cfg.Batch, cfg.Preload, cfg.PayloadBytes = p.Clients, p.Batch, p.Preload, p.PayloadBytes
		cfg.Warmup, cfg.Duration, cfg.Seed = p.Warmup, p.Duration, p.Seed
		if p.Skew > 0 {
			cfg.Skew = p.Skew
		}
		r, err := bench.Run(ctx, cfg)
		if err != nil {
			return result.Result{}, err
		}
		return *r, nil
	}
}
