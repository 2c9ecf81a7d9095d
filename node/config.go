package node

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast/api"
	"holdfast/api/tracing"
	"holdfast/cluster"
	"holdfast/cluster/placement"
	"holdfast/stock"
	"holdfast/storage"
	"holdfast/wal"
)

// Config says what a node is and within which bounds it works. Zero values take the defaults of DefaultConfig.
type Config struct {
	// NodeID names the node; DataDir is its directory, made when missing.
	NodeID, DataDir string
	// HTTP, Admin and Peer are the addresses to listen on; port 0 takes a free one.
	HTTP, Admin, Peer string
	// AdvertiseHTTP, AdvertiseAdmin and AdvertisePeer are where others reach the listeners; "": where they are bound.
	AdvertiseHTTP, AdvertiseAdmin, AdvertisePeer string
	// Join holds the peer addresses of nodes of a cluster. A node with an empty data directory joins through one of them, tried in turn for
	// JoinTimeout; without any it creates a cluster. Nobody looks at it when the directory holds a node.
	Join        []string
	JoinTimeout time.Duration
	// Access says who may call. Insecure allows listeners that others can reach although keys and TLS do not both guard them.
	Access   Access
	Insecure bool

	// Shards and Retention count only when the cluster is created.
	Shards    int
	Retention time.Duration
	// Sink is "sqlite", "none" or a postgres:// URL; see storage.Config. storage.RedactSink makes it fit to be shown.
	Sink string
	// AdoptSink takes over a sink that another cluster wrote.
	AdoptSink bool
	// Refusals is "strict": a refusal rests on a leadership check (rule R9); or "fast": it does not, and says so. With one voter it always does.
	Refusals string

	// AcceptClock starts although the machine's clock is more than MaxClockSkew behind the log's time or MaxDowntime ahead of it.
	AcceptClock               bool
	MaxClockSkew, MaxDowntime time.Duration

	// HashEvery is how often the replicas of a shard compare their states while there is work (rule R24).
	HashEvery time.Duration

	// MaxPending bounds the requests of a shard in the actors' hands, MaxParked the parked orders of a SKU, MaxRemembered what a SKU remembers of
	// retried requests until their deadlines, ApplyBacklog the committed entries of a shard that wait in actors.
	MaxPending, MaxParked, MaxRemembered, ApplyBacklog int
	// MaxForwarded and MaxForwardedBytes bound what waits for an answer of one other node, MaxLeaderless the requests that wait for a leader.
	MaxForwarded, MaxLeaderless int
	MaxForwardedBytes           int64
	// The bounds of the front door; see api.Config.
	MaxBodyBytes, MaxBatchBytes, MaxBodyMemoryBytes int64
	MaxConns, MaxAdminConns                         int
	BodyTimeout                                     time.Duration
	// SnapshotBytes and SnapshotAge: a shard's snapshot is made when its log has grown by so much, or is so old and there is something new.
	SnapshotBytes int64
	SnapshotAge   time.Duration
	// WALSegmentBytes is the length of a log segment; above WALSoftBytes of log no command is admitted, at WALHardBytes the node leaves.
	WALSegmentBytes, WALSoftBytes, WALHardBytes int64
	// DiskStallExit: a write or fsync that takes longer ends the node.
	DiskStallExit time.Duration
	// LogFS is the file system under the log; nil is the operating system's. A benchmark makes it slower.
	LogFS wal.FS
	// FlushBacklog is how many changed orders may wait for storage before readyz's detail and a metric say so; selling goes on.
	FlushBacklog int64

	Logger *slog.Logger
	// RequestLog says which requests Logger is told about.
	RequestLog api.RequestLog
	// Tracing exports requests as the OTEL_ variables of the environment say; see tracing.Wanted.
	Tracing bool
	// flip returns, in tests, what a replica is given in place of each entry, nil for nothing else: as if a bit had flipped on the way.
	flip func(shard uint32, number uint64) func(entry []byte) []byte
	// Opening, when set, is told what Open is about to do, and what it waits for, in words; it must return soon.
	Opening func(step string)
	// Build is what /version shows.
	Build api.Build
}

// DefaultConfig returns the defaults of holdfast serve.
func DefaultConfig() Config {
	return Config{
		NodeID: "n1", DataDir: "holdfast-data", HTTP: "127.0.0.1:8080", Admin: "127.0.0.1:8081", Peer: "127.0.0.1:8082",
		Shards: 4, Retention: 24 * time.Hour, Sink: "sqlite", Refusals: "strict", JoinTimeout: time.Minute,
		MaxClockSkew: 500 * time.Millisecond, MaxDowntime: 7 * 24 * time.Hour, HashEvery: 10 * time.Second,
		MaxPending: 65536, MaxParked: stock.DefaultMaxParked, MaxRemembered: stock.DefaultMaxRemembered, ApplyBacklog: 64,
		MaxForwarded: 65536, MaxForwardedBytes: 64 << 20, MaxLeaderless: 65536,
		MaxBodyBytes: api.DefaultMaxBodyBytes, MaxBatchBytes: api.DefaultMaxBatchBytes, MaxBodyMemoryBytes: api.DefaultMaxBodyMemoryBytes,
		MaxConns: api.DefaultMaxConns, MaxAdminConns: api.DefaultMaxAdminConns, BodyTimeout: api.DefaultBodyTimeout,
		SnapshotBytes: 256 << 20, SnapshotAge: 10 * time.Minute,
		WALSegmentBytes: 64 << 20, WALSoftBytes: 8 << 30, WALHardBytes: 10 << 30, DiskStallExit: 3 * time.Second,
		FlushBacklog: 1_000_000, Logger: slog.New(slog.DiscardHandler),
	}
}

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	for _, f := range []struct{ v, to *string }{
		{&c.NodeID, &d.NodeID}, {&c.DataDir, &d.DataDir}, {&c.HTTP, &d.HTTP}, {&c.Admin, &d.Admin}, {&c.Peer, &d.Peer},
		{&c.Sink, &d.Sink}, {&c.Refusals, &d.Refusals},
	} {
		fill(f.v, *f.to)
	}
	for _, f := range []struct{ v, to *time.Duration }{
		{&c.Retention, &d.Retention}, {&c.JoinTimeout, &d.JoinTimeout}, {&c.MaxClockSkew, &d.MaxClockSkew}, {&c.MaxDowntime, &d.MaxDowntime},
		{&c.HashEvery, &d.HashEvery}, {&c.BodyTimeout, &d.BodyTimeout}, {&c.SnapshotAge, &d.SnapshotAge}, {&c.DiskStallExit, &d.DiskStallExit},
	} {
		fill(f.v, *f.to)
	}
	for _, f := range []struct{ v, to *int }{
		{&c.Shards, &d.Shards}, {&c.MaxPending, &d.MaxPending}, {&c.MaxParked, &d.MaxParked}, {&c.MaxRemembered, &d.MaxRemembered},
		{&c.ApplyBacklog, &d.ApplyBacklog}, {&c.MaxForwarded, &d.MaxForwarded}, {&c.MaxLeaderless, &d.MaxLeaderless},
		{&c.MaxConns, &d.MaxConns}, {&c.MaxAdminConns, &d.MaxAdminConns},
	} {
		fill(f.v, *f.to)
	}
	for _, f := range []struct{ v, to *int64 }{
		{&c.MaxForwardedBytes, &d.MaxForwardedBytes}, {&c.MaxBodyBytes, &d.MaxBodyBytes}, {&c.MaxBatchBytes, &d.MaxBatchBytes},
		{&c.MaxBodyMemoryBytes, &d.MaxBodyMemoryBytes}, {&c.SnapshotBytes, &d.SnapshotBytes}, {&c.WALSegmentBytes, &d.WALSegmentBytes},
		{&c.WALSoftBytes, &d.WALSoftBytes}, {&c.WALHardBytes, &d.WALHardBytes}, {&c.FlushBacklog, &d.FlushBacklog},
	} {
		fill(f.v, *f.to)
	}
	if c.Logger == nil {
		c.Logger = d.Logger
	}
	return c
}

func fill[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Check returns the error for which Open would refuse c before it touches anything. The files of keys and certificate are read for it, nothing else.
func (c Config) Check() error {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return err
	}
	return (&Node{cfg: c}).openAccess()
}

// logConfig is what of the configuration is the log's.
func (c *Config) logConfig() wal.Config {
	return wal.Config{
		Dir: filepath.Join(c.DataDir, "wal"), SegmentBytes: c.WALSegmentBytes, SoftBytes: c.WALSoftBytes, HardBytes: c.WALHardBytes,
		StallExit: c.DiskStallExit, FS: c.LogFS, Logger: c.Logger,
	}
}

// minRetention is above the longest deadline of a request and what clocks may differ by: no copy of a request outlives the memory of what became
// of it (rule R5).
const minRetention = time.Minute + time.Second

// check refuses what cannot work before anything is touched.
func (c *Config) check() error {
	switch {
	case c.Refusals != "strict" && c.Refusals != "fast":
		return fmt.Errorf("%w: --refusals %q: must be strict or fast", ErrConfig, c.Refusals)
	case c.JoinTimeout < 0:
		return fmt.Errorf("%w: --join-timeout %v: must be positive", ErrConfig, c.JoinTimeout)
	case c.Retention < 0 || c.MaxPending < 0 || c.MaxParked < 0 || c.MaxRemembered < 0 || c.ApplyBacklog < 0 || c.Shards < 0 ||
		c.MaxForwarded < 0 || c.MaxForwardedBytes < 0 || c.MaxLeaderless < 0:
		return fmt.Errorf("%w: a bound is negative", ErrConfig)
	case c.Retention < minRetention || c.Retention.Milliseconds() > stock.MaxRetentionMS:
		return fmt.Errorf("%w: --retention %v: must be %v to %d hours; a copy of a request may be under way for a minute, and a key that is forgotten "+
			"before takes stock again", ErrConfig, c.Retention, minRetention, stock.MaxRetentionMS/3_600_000)
	case c.Shards > placement.MaxShards:
		return fmt.Errorf("%w: --shards %d: at most %d", ErrConfig, c.Shards, placement.MaxShards)
	}
	if err := cluster.CheckNodeID(c.NodeID); err != nil {
		return fmt.Errorf("--node-id: %w", err)
	}
	if err := c.checkReached(); err != nil {
		return err
	}
	if err := c.logConfig().Check(); err != nil {
		return err
	}
	if c.Tracing {
		if err := tracing.Check(os.Getenv); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if err := storage.CheckSink(c.Sink); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c.Access.check(c)
}
