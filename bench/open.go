package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"holdfast/bench/rival/postgres"
	"holdfast/bench/rival/raft"
	"holdfast/bench/rival/redis"
	"holdfast/bench/sale"
	"holdfast/bench/scenario"
	"holdfast/bench/target/http"
	"holdfast/bench/target/inprocess"
)

// open opens the target; an in-process one has its files in dir. A server that is started has them beside it: its user may
// not be ours.
func (c *Config) open(ctx context.Context, dir string) (sale.Target, error) {
	if c.Open != nil {
		return c.Open(ctx)
	}
	url := c.Target
	if url == c.kind() {
		url = "" // one is started
	}
	switch callers := c.load().Callers(); c.kind() {
	case kindInProcess:
		return opened(inprocess.Open(ctx, inprocess.Config{
			Nodes: c.Nodes, Shards: c.Shards, Sink: c.Sink, AdoptSink: c.AdoptSink, FsyncDelay: c.FsyncDelay, Dir: dir, Version: c.Version,
		}))
	case kindHTTP:
		return opened(http.Open(ctx, http.Config{
			Addrs: c.addresses(), AdminAddrs: strings.Split(c.AdminAddr, ","), Storage: c.Storage, APIKey: c.APIKey, RootCAs: c.RootCAs, Clients: callers,
		}))
	case kindRedis:
		return opened(redis.Open(ctx, redis.Config{URL: url, Parent: c.Dir, Connections: callers}))
	case kindPostgres:
		return opened(postgres.Open(ctx, postgres.Config{URL: url, Parent: c.Dir, Connections: min(callers, postgresConnections)}))
	case kindRaft:
		return opened(raft.Open(ctx, raft.Config{Nodes: c.Nodes, Parent: dir}))
	}
	return nil, fmt.Errorf("%w: %s cannot be opened", ErrConfig, c.shownTarget())
}

// scene makes the scenario.
func (c *Config) scene(ctx context.Context, t sale.Target) (Scene, error) {
	if c.Scene != nil {
		return c.Scene(ctx, t)
	}
	l := c.load()
	s, err := scenario.New(c.Scenario, scenario.Params{
		Callers: l.Callers(), Batch: c.Batch, SKUs: c.SKUs, Skew: c.Skew, Seed: c.Seed, Warmup: l.Warmup, Duration: c.Duration, Preload: c.Preload,
		PayloadBytes: c.PayloadBytes,
	}, t)
	if errors.Is(err, scenario.ErrUnknown) || errors.Is(err, scenario.ErrTarget) {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return s, err
}
