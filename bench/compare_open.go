package bench

import (
	"context"
	"fmt"

	"holdfast/bench/load"
	"holdfast/bench/rival/postgres"
	"holdfast/bench/rival/raft"
	"holdfast/bench/rival/redis"
	"holdfast/bench/sale"
	"holdfast/bench/target/inprocess"
)

// opener opens a contestant for one run under a work: empty, with a connection for each caller where it has connections.
type opener func(ctx context.Context, w work) (sale.Target, error)

// openers are all contestants.
func (cfg *CompareConfig) openers() map[string]opener {
	return map[string]opener{
		oursHTTP: cfg.openOverHTTP, oursThree: cfg.ours(3), oursOne: cfg.ours(1), nothingRival: openNothing,
		redisRival: func(ctx context.Context, w work) (sale.Target, error) {
			return opened(redis.Open(ctx, redis.Config{URL: cfg.Redis, Parent: cfg.Dir, Connections: w.clients}))
		},
		postgresRival:    cfg.postgres(postgres.Steps),
		postgresOneRival: cfg.postgres(postgres.OneStatement),
		raftThreeRival:   cfg.raft(3),
		raftOneRival:     cfg.raft(1),
	}
}

func (cfg *CompareConfig) ours(nodes int) opener {
	return func(ctx context.Context, _ work) (sale.Target, error) {
		return opened(inprocess.Open(ctx, inprocess.Config{Nodes: nodes, Sink: cfg.Sink, AdoptSink: true, Dir: cfg.Dir, Version: cfg.Version}))
	}
}

// postgresConnections is how many transactions run at a time, however many callers there are: more of them only wait for the hot row.
const postgresConnections = 32

func (cfg *CompareConfig) postgres(style postgres.Style) opener {
	return func(ctx context.Context, w work) (sale.Target, error) {
		return opened(postgres.Open(ctx, postgres.Config{URL: cfg.Postgres, Parent: cfg.Dir, Connections: min(w.clients, postgresConnections), Style: style}))
	}
}

func (cfg *CompareConfig) raft(nodes int) opener {
	return func(ctx context.Context, _ work) (sale.Target, error) {
		return opened(raft.Open(ctx, raft.Config{Nodes: nodes, Parent: cfg.Dir}))
	}
}

// opened makes no target of a pointer that is none.
func opened[T sale.Target](t T, err error) (sale.Target, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// measure runs a contestant once.
func measure(ctx context.Context, t trial) (*Result, error) {
	cfg := DefaultConfig()
	cfg.Target, cfg.Scenario, cfg.Batch, cfg.Clients = t.contestant, t.scenario, t.batch, t.clients
	cfg.Duration, cfg.Warmup, cfg.Seed, cfg.Dir = t.duration, t.warmup, t.seed, t.dir
	cfg.Open = func(ctx context.Context) (sale.Target, error) { return t.open(ctx, t.work) }
	r, err := Run(ctx, cfg)
	switch {
	case err != nil:
		return nil, err
	case r.Loop != load.Closed:
		return nil, fmt.Errorf("%w: a run in an %s loop", ErrCompare, r.Loop)
	case r.Interrupted:
		return nil, fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	return r, nil
}
