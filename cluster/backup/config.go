package backup

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/cluster/meta"
)

// Config says what backups are made of. Zero values stand for the defaults named at the fields.
type Config struct {
	// NodeID is this node's name, Version its build's.
	NodeID, Version string
	// Ancestors are the clusters whose backups this one comes from, in hex, the nearest first.
	Ancestors []string
	// View knows the cluster: a *control.Control.
	View View
	// Groups holds the replicas here, Peers asks other nodes.
	Groups Groups
	Peers  Peers
	// Now is the wall clock. Default: time.Now.
	Now func() time.Time
	// Logger takes the log. Default: none.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer

	Timing
	Bounds
}

// Timing holds the durations of a Config.
type Timing struct {
	// OpenTimeout is how long a leader may take to take a snapshot, and OpenPatience how long a group without one is waited for. Defaults 2 min and
	// 15 s.
	OpenTimeout, OpenPatience time.Duration
	// ChunkTimeout is how long a chunk is asked for before the backup breaks off. Default 15 s.
	ChunkTimeout time.Duration
	// RetryDelay is the pause after a question that failed. Default 100 ms.
	RetryDelay time.Duration
	// IdleTimeout is how long a read that nobody goes on with is kept. Default 1 min.
	IdleTimeout time.Duration
}

// Bounds holds the limits of a Config.
type Bounds struct {
	// MaxStreams bounds the backups that are made here at a time. Default 2.
	MaxStreams int
	// MaxReads bounds the snapshots of this node that are read at a time: each holds a file open, and a chunk. Default 4.
	MaxReads int
	// ChunkBytes bounds a chunk. Default 1 MiB.
	ChunkBytes int
}

// View is what a node knows of its cluster.
type View interface {
	// Cluster returns the newest table.
	Cluster() *meta.Cluster
	// Leader returns the node that leads a group, and where it is; "" for nobody.
	Leader(group uint32) (node, address string, term uint64)
}

// Groups holds the replicas of a node.
type Groups interface {
	// Group returns the replica of a group, 0 for the meta group; nil when there is none here.
	Group(id uint32) Group
}

// Group is a replica here.
type Group interface {
	// Barrier returns when everything acknowledged before is with the machine, on the leader alone.
	Barrier(ctx context.Context) error
	Snapshot(ctx context.Context) (index uint64, bytes int64, err error)
	OpenSnapshot() (*cluster.SnapshotState, error)
}

// Peers asks other nodes.
type Peers interface {
	Call(ctx context.Context, node, address string, r cluster.Request) ([]byte, error)
}

// Of makes Groups of a node's cluster layer.
func Of(c *cluster.Cluster) Groups { return clusterGroups{c} }

type clusterGroups struct{ of *cluster.Cluster }

var (
	_ Groups = clusterGroups{}
	_ Group  = (*cluster.Shard)(nil)
	_ Peers  = (*cluster.Peers)(nil)
	_ View   = (*control.Control)(nil)
)

// Group returns the replica here; an interface without a value when there is none.
func (g clusterGroups) Group(id uint32) Group {
	if s := g.of.Shard(id); s != nil {
		return s
	}
	return nil
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		at *time.Duration
		is time.Duration
	}{
		{&c.OpenTimeout, 2 * time.Minute}, {&c.OpenPatience, 15 * time.Second}, {&c.ChunkTimeout, 15 * time.Second},
		{&c.RetryDelay, 100 * time.Millisecond}, {&c.IdleTimeout, time.Minute},
	} {
		if *d.at == 0 {
			*d.at = d.is
		}
	}
	for _, d := range []struct {
		at *int
		is int
	}{{&c.MaxStreams, 2}, {&c.MaxReads, 4}, {&c.ChunkBytes, 1 << 20}} {
		if *d.at == 0 {
			*d.at = d.is
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
