package inprocess

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"holdfast/node"
	"holdfast/storage"
)

// Config says what is opened. Zero values take the defaults.
type Config struct {
	// Nodes is 1 or 3. Default 3.
	Nodes int
	// Sink is sqlite, none or a postgres:// URL. Default sqlite. AdoptSink takes over a database that another cluster wrote, such as the last run's.
	Sink      string
	AdoptSink bool
	// Shards is that of the cluster. Default: as holdfast serve.
	Shards int
	// FsyncDelay makes every fsync of the logs take so much longer.
	FsyncDelay time.Duration
	// Dir is where the temporary directories are made. Default: the system's.
	Dir string
	// Version is what About says.
	Version string
	// Logger takes the nodes' logs. Default: none.
	Logger *slog.Logger
	// Change changes the configuration of each node before it is opened first; may be nil.
	Change func(*node.Config)
}

func (c Config) withDefaults() (Config, error) {
	c.Nodes, c.Sink = cmp.Or(c.Nodes, 3), cmp.Or(c.Sink, "sqlite")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Nodes != 1 && c.Nodes != 3 {
		return c, fmt.Errorf("%w: %d nodes: must be 1 or 3", ErrConfig, c.Nodes)
	}
	if c.FsyncDelay < 0 {
		return c, fmt.Errorf("%w: a delay of %v", ErrConfig, c.FsyncDelay)
	}
	if err := storage.CheckSink(c.Sink); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, nil
}

// nodeConfig is what a node is opened with first.
func (c *Config) nodeConfig(id, dir string, join []string) node.Config {
	cfg := node.DefaultConfig()
	cfg.NodeID, cfg.DataDir, cfg.Join = id, dir, join
	cfg.HTTP, cfg.Admin, cfg.Peer = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Sink, cfg.AdoptSink, cfg.Logger = c.Sink, c.AdoptSink, c.Logger.With("node", id)
	if c.Shards > 0 {
		cfg.Shards = c.Shards
	}
	if c.FsyncDelay > 0 {
		cfg.LogFS = slowFS{delay: c.FsyncDelay}
	}
	if c.Change != nil {
		c.Change(&cfg)
	}
	return cfg
}
