package storage

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// Config says what is flushed, where to, and within which bounds. Zero values take the defaults named here.
type Config struct {
	// Sink is "sqlite" (the default), "none" or the URL of a PostgreSQL database, postgres://USER@HOST:PORT/DATABASE?search_path=SCHEMA.
	Sink string
	// Path is the file of the SQLite sink. Its directory must exist.
	Path string
	// ClusterID is kept beside the cursor; a sink with another one is refused.
	ClusterID string
	// Epoch of the cluster, raised by every restore; at most 32767.
	Epoch uint16
	// AdoptSink takes over a sink that another cluster wrote: everything is written again, over what is there.
	AdoptSink bool
	// Ancestors are the clusters whose backups this one comes from, the nearest and those before it. A sink that one of them wrote has to be adopted
	// like any other's; then its rows keep their versions, and those that are not in the backup are marked.
	Ancestors []string

	// Shards are flushed each by a goroutine of its own.
	Shards []Shard
	// Term returns the raft term in which this node writes a shard's rows: the term it is in, and for a shared sink the term it leads in, 0 while it
	// does not lead. Then the shard is left alone, without a session, until it does. Called by the flushing goroutines.
	Term func(shard uint32) uint64

	// BatchRows is about how many rows one transaction writes. Default 4096.
	BatchRows int
	// PollInterval is the least time between two batches of a shard that is not behind. Default 50 ms.
	PollInterval time.Duration
	// IdleInterval is the longest time between two looks at an idle shard; Kick shortens it. Default 500 ms.
	IdleInterval time.Duration
	// RetryMin and RetryMax bound the pause after a failure, which doubles each time. Defaults 50 ms and 2 s.
	RetryMin, RetryMax time.Duration
	// BusyTimeout is how long one attempt waits for another process's lock. Default 250 ms.
	BusyTimeout time.Duration
	// ConnectTimeout is how long one attempt to reach a PostgreSQL server may take, unless its URL says so. Default 5 s.
	ConnectTimeout time.Duration
	// StatementTimeout is how long one statement in PostgreSQL, and the whole transaction as seen from here, may take. The server is told, so that
	// it gives up what this process left behind. Default 30 s.
	StatementTimeout time.Duration
	// OpenTimeout is how long Open waits to learn whether the sink refuses us. Default 2 s.
	OpenTimeout time.Duration
	// BacklogOrders and BacklogAge bound what waits to be flushed: above either, ErrBacklog and a metric. Defaults 1,000,000 and one minute.
	BacklogOrders int64
	BacklogAge    time.Duration

	// Registerer takes the metrics; nil: none.
	Registerer prometheus.Registerer
	// Logger takes what an operator should know; nil: nothing is logged.
	Logger *slog.Logger
	// Now is the wall clock, for lag only. Default time.Now.
	Now func() time.Time
}

// Shard is a shard to flush.
type Shard struct {
	ID     uint32
	Source Source
	// Partitions are the shard's: they say which rows of a database are its own. Only Rows, Seed and a restore need them.
	Partitions []stock.Partition
}

// withDefaults returns c with every unset field filled in, or why it cannot work.
func (c Config) withDefaults() (Config, error) {
	def(&c.Sink, "sqlite")
	def(&c.BatchRows, 4096)
	def(&c.PollInterval, 50*time.Millisecond)
	def(&c.IdleInterval, 500*time.Millisecond)
	def(&c.RetryMin, 50*time.Millisecond)
	def(&c.RetryMax, 2*time.Second)
	def(&c.BusyTimeout, 250*time.Millisecond)
	def(&c.ConnectTimeout, 5*time.Second)
	def(&c.StatementTimeout, 30*time.Second)
	def(&c.OpenTimeout, 2*time.Second)
	def(&c.BacklogOrders, 1_000_000)
	def(&c.BacklogAge, time.Minute)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, c.check()
}

func (c *Config) check() error {
	seen := make(map[uint32]bool, len(c.Shards))
	for _, s := range c.Shards {
		if s.Source == nil || seen[s.ID] {
			return fmt.Errorf("%w: shard %d has no source, or is named twice", ErrConfig, s.ID)
		}
		seen[s.ID] = true
	}
	switch {
	case c.Epoch > maxEpoch:
		return fmt.Errorf("%w: epoch %d is above %d", ErrConfig, c.Epoch, maxEpoch)
	case c.Term == nil:
		return fmt.Errorf("%w: Term is missing", ErrConfig)
	case c.BatchRows < 1 || c.BacklogOrders < 1:
		return fmt.Errorf("%w: BatchRows and BacklogOrders must be positive", ErrConfig)
	case c.PollInterval < 0 || c.IdleInterval < c.PollInterval || c.RetryMin < 0 || c.RetryMax < c.RetryMin:
		return fmt.Errorf("%w: PollInterval must not exceed IdleInterval, nor RetryMin RetryMax", ErrConfig)
	case c.BusyTimeout < 0 || c.OpenTimeout < 0 || c.BacklogAge < 0 || c.ConnectTimeout < 0 || c.StatementTimeout < time.Millisecond:
		return fmt.Errorf("%w: a duration is negative or too short", ErrConfig)
	}
	return nil
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
