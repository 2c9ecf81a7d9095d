package bench

import (
	"context"
	"fmt"

	"holdfast/bench/sale"
	"holdfast/bench/target/inprocess"
)

// open opens the target; an in-process one has its files in dir.
func (c *Config) open(ctx context.Context, dir string) (sale.Target, error) {
	if c.Open != nil {
		return c.Open(ctx)
	}
	switch c.kind() {
	case kindInProcess:
		return asTarget(inprocess.Open(ctx, inprocess.Config{
			Nodes: c.Nodes, Shards: c.Shards, Sink: c.Sink, AdoptSink: c.AdoptSink, FsyncDelay: c.FsyncDelay, Dir: dir, Version: c.Version,
		}))
	}
	return nil, fmt.Errorf("%w: %s cannot be opened", ErrConfig, c.shownTarget())
}

// asTarget makes no target of a pointer that is none.
func asTarget[T sale.Target](t T, err error) (sale.Target, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// scene makes the scenario.
func (c *Config) scene(ctx context.Context, t sale.Target) (Scene, error) {
	if c.Scene != nil {
		return c.Scene(ctx, t)
	}
	return nil, fmt.Errorf("%w: there is no scenario %s", ErrConfig, c.Scenario)
}
