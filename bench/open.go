package bench

import (
	"context"
	"fmt"
	"strings"

	"holdfast/bench/rival/postgres"
	"holdfast/bench/rival/raft"
	"holdfast/bench/rival/redis"
	"holdfast/bench/sale"
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
	return nil, fmt.Errorf("%w: there is no scenario %s", ErrConfig, c.Scenario)
}
