package control

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/cluster/meta"
)

// Config says what Control works with. Zero values stand for the defaults named at the fields.
type Config struct {
	// NodeID and Incarnation are this node's name and what was drawn with its data directory; not 0.
	NodeID      string
	Incarnation uint64
	// ClusterID is the cluster's; tables of another are not looked at.
	ClusterID [16]byte
	// Addresses are where this node is reached now, Binary what it runs: the meta group is told when it knows otherwise.
	Addresses meta.Addresses
	Binary    meta.Binary
	// Create is proposed as soon as this node leads a meta group that knows of no cluster. Nil: never. Key and deadline are filled in.
	Create *meta.Create
	// Table is what was known of the cluster when this node joined it, or when it ran last; nil for nothing.
	Table *meta.Cluster
	// Seeds are peer addresses that are asked while there is no table.
	Seeds []string
	// Replicas opens and removes replicas. Nil: nobody does, and what is here stays.
	Replicas Replicas
	// Report returns what is known of this node's replicas' actors. It is called some times a second and must not block. Nil: nothing.
	Report func() []Replica
	// Now is the wall clock. Default: time.Now.
	Now func() time.Time
	// Entropy makes keys unique. Default: crypto/rand.
	Entropy io.Reader
	// Logger takes the log. Default: none.
	Logger *slog.Logger
	// Registerer takes the metrics; nil means none.
	Registerer prometheus.Registerer

	Timing
	Bounds
}

// Timing holds the durations of a Config.
type Timing struct {
	// Poll is how often leadership of the replicas here, and the table, are looked at. Default 100 ms.
	Poll time.Duration
	// Exchange is how often every other node is asked for its status while something is happening: a change, a node that does not answer, a shard
	// without a leader. Default 250 ms.
	Exchange time.Duration
	// IdleExchange is how often otherwise. Default 1 s.
	IdleExchange time.Duration
	// ExchangeTimeout bounds one such question. Default 1 s.
	ExchangeTimeout time.Duration
	// NodeTimeout is how long ago a node that counts as reachable answered at most. Default 3 s.
	NodeTimeout time.Duration
	// CommandTimeout bounds a command whose context has no deadline. Default 10 s.
	CommandTimeout time.Duration
	// Attempt bounds one copy of a command; then it is sent again under the same key. Default 2 s.
	Attempt time.Duration
	// StepTimeout bounds one step of a change. Default 10 s.
	StepTimeout time.Duration
	// Retry is the pause before something that failed is tried again; it doubles for steps of a change, up to 32 times. Default 250 ms.
	Retry time.Duration
	// JoinWait is how long a node that joins waits for others that join too, so that one change takes all of them. Default 1 s.
	JoinWait time.Duration
	// StuckAfter is how long a change may stand still that cannot go on because a replica was lost, before it is aborted. Default 30 s.
	StuckAfter time.Duration
	// SeedPatience is how long a change waits for the storage of a new replica to be filled from a peer's. Default 2 min.
	SeedPatience time.Duration
	// ClockAge is how old a measurement of another node's clock may be. Default 5 s.
	ClockAge time.Duration
	// MaxClockSkew is how far the clock of a leader of the meta group may be from those of a majority (rule R2). Default 500 ms.
	MaxClockSkew time.Duration
}

// Bounds holds the limits of a Config.
type Bounds struct {
	// MaxCommands bounds the commands that wait for their outcome at this node. Default 256.
	MaxCommands int
	// MaxStepsAtOnce bounds the steps of a change that are under way, each of another shard. Default 8.
	MaxStepsAtOnce int
	// CatchUpEntries is by how many entries the actors of a replica that has caught up may trail the leader's. Default 64.
	CatchUpEntries uint64
}

// withDefaults returns c with every zero field filled in, or why c cannot work.
func (c Config) withDefaults() (Config, error) {
	orDefault(&c.Poll, 100*time.Millisecond)
	orDefault(&c.Exchange, 250*time.Millisecond)
	orDefault(&c.IdleExchange, time.Second)
	orDefault(&c.ExchangeTimeout, time.Second)
	orDefault(&c.NodeTimeout, 3*time.Second)
	orDefault(&c.CommandTimeout, 10*time.Second)
	orDefault(&c.Attempt, 2*time.Second)
	orDefault(&c.StepTimeout, 10*time.Second)
	orDefault(&c.Retry, 250*time.Millisecond)
	orDefault(&c.JoinWait, time.Second)
	orDefault(&c.StuckAfter, 30*time.Second)
	orDefault(&c.SeedPatience, 2*time.Minute)
	orDefault(&c.ClockAge, 5*time.Second)
	orDefault(&c.MaxClockSkew, 500*time.Millisecond)
	orDefault(&c.MaxCommands, 256)
	orDefault(&c.MaxStepsAtOnce, 8)
	orDefault(&c.CatchUpEntries, 64)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Entropy == nil {
		c.Entropy = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	reason := ""
	switch {
	case c.NodeID == "" || len(c.NodeID) > meta.MaxNodeIDBytes:
		reason = fmt.Sprintf("NodeID must have 1 to %d bytes", meta.MaxNodeIDBytes)
	case c.Incarnation == 0:
		reason = "Incarnation must not be 0"
	case c.ClusterID == [16]byte{}:
		reason = "ClusterID must not be zero"
	case c.MaxCommands < 1 || c.MaxStepsAtOnce < 1:
		reason = "a bound is not positive"
	case c.Poll < 0 || c.Exchange < c.Poll || c.IdleExchange < c.Exchange || c.NodeTimeout <= c.IdleExchange:
		reason = "the intervals must ascend: Poll, Exchange, IdleExchange, NodeTimeout"
	}
	if reason != "" {
		return fmt.Errorf("%w: %s", ErrConfig, reason)
	}
	return nil
}
