package forward

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/cluster"
	"holdfast/stock"
)

// Local answers what this node leads: actors.Gateway.
type Local interface {
	// Do and DoAll answer requests, each by itself, until ctx ends. A request whose shard is not led here is answered NoLeader at once. A
	// command whose Deadline or Key is set keeps it; else they are set in the command.
	Do(ctx context.Context, r stock.Request) stock.Outcome
	DoAll(ctx context.Context, rs []stock.Request) []stock.Outcome
	// Leads reports whether admission is open here for a partition's shard.
	Leads(p stock.Partition) bool
	// Clock returns the clock of a partition's leader; false when that is not here.
	Clock(p stock.Partition) (stock.Time, bool)
	// List returns up to limit SKUs of shards that are all led here, in byte order of their names, beginning after one; an error when it would
	// not be complete.
	List(ctx context.Context, shards []uint32, after string, limit int) ([]stock.SKU, error)
}

// Routes says who leads a shard.
type Routes interface {
	// ShardOf returns the shard of a partition; it never changes in a cluster's life.
	ShardOf(p stock.Partition) uint32
	// Leader returns the node that leads a shard, where it is asked, and the term it leads in, as far as is known here; node "" for none.
	Leader(shard uint32) (node, address string, term uint64)
	// Self returns this node's id.
	Self() string
	// Changed returns a channel that is closed when a leader changes after the call.
	Changed() <-chan struct{}
}

// Peers asks other nodes.
type Peers interface {
	Call(ctx context.Context, node, address string, r cluster.Request) ([]byte, error)
}

var _ Peers = (*cluster.Peers)(nil)

// Config is what a Forwarder works with. Zero values stand for the defaults named at the fields.
type Config struct {
	Local  Local
	Routes Routes
	Peers  Peers
	// Incarnation is drawn at each start of a process: it makes the keys given out here unlike all others (rule R5).
	Incarnation uint64
	// Now is the wall clock. Default: time.Now.
	Now func() time.Time
	// MaxClockSkew is how far the clocks of nodes may lie apart (rule R2). Default 500 ms.
	MaxClockSkew time.Duration
	// Logger takes the log. Default: none.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer

	Timing
	Bounds
}

// Timing holds the durations of a Config.
type Timing struct {
	// MaxPatience is the time of a request that comes without a deadline, and bounds how far ahead a deadline may lie. Default 60 s.
	MaxPatience time.Duration
	// Pause is how long a request rests before it goes again to a leader that did not take it; it doubles up to MaxPause. Default 10 ms and 200 ms.
	Pause, MaxPause time.Duration
}

// Bounds holds the limits of a Config. The names in brackets are those that a refusal gives.
type Bounds struct {
	// MaxForwarded bounds the requests that wait for an answer of one other node ("max-forwarded"). Default 65536.
	MaxForwarded int
	// MaxForwardedBytes bounds their bytes ("max-forwarded-bytes"). Default 64 MiB.
	MaxForwardedBytes int64
	// MaxLeaderless bounds the requests that wait for a shard to have a leader ("max-leaderless"). Default 65536.
	MaxLeaderless int
	// MaxFrameRequests and MaxFrameBytes bound a frame. Default 2048, at most 8192, and 512 KiB.
	MaxFrameRequests, MaxFrameBytes int
	// MaxFrames is how many frames of a caller for a shard are under way at once; what comes meanwhile goes together with the next. Default 4.
	MaxFrames int
}

// leastFrameBytes holds the longest request, with room to spare.
const leastFrameBytes = 2048

// withDefaults returns c with every zero field filled in, or why c cannot work.
func (c Config) withDefaults() (Config, error) {
	orDefault(&c.MaxClockSkew, 500*time.Millisecond)
	orDefault(&c.MaxPatience, time.Minute)
	orDefault(&c.Pause, 10*time.Millisecond)
	orDefault(&c.MaxPause, 200*time.Millisecond)
	orDefault(&c.MaxForwarded, 65536)
	orDefault(&c.MaxForwardedBytes, 64<<20)
	orDefault(&c.MaxLeaderless, 65536)
	orDefault(&c.MaxFrameRequests, 2048)
	orDefault(&c.MaxFrameBytes, 512<<10)
	orDefault(&c.MaxFrames, 4)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Local == nil || c.Routes == nil || c.Peers == nil:
		return c, fmt.Errorf("%w: Local, Routes and Peers are needed", ErrConfig)
	case c.MaxForwarded < 1 || c.MaxForwardedBytes < leastFrameBytes || c.MaxLeaderless < 1 || c.MaxFrames < 1:
		return c, fmt.Errorf("%w: a bound is not positive", ErrConfig)
	case c.MaxFrameRequests < 1 || c.MaxFrameRequests > maxFrameItems || c.MaxFrameBytes < leastFrameBytes:
		return c, fmt.Errorf("%w: a frame holds 1 to %d requests and at least %d bytes", ErrConfig, maxFrameItems, leastFrameBytes)
	case c.MaxPatience < time.Millisecond || c.Pause < 0 || c.MaxPause < c.Pause || c.MaxClockSkew < 0:
		return c, fmt.Errorf("%w: a duration is out of range", ErrConfig)
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
