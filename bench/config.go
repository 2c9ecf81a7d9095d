package bench

import (
	"context"
	"crypto/x509"
	"time"

	"holdfast/bench/load"
	"holdfast/bench/sale"
)

// Targets that have names; others are addresses.
const (
	InProcess = "in-process"
)

// Scenarios, by their names.
const (
	Hot       = "hot"
	Soldout   = "soldout"
	Zipf      = "zipf"
	Lifecycle = "lifecycle"
	Flash     = "flash"
	Failover  = "failover"
)

// Scenarios are all there are, in the order in which they are explained.
var Scenarios = []string{Hot, Soldout, Zipf, Lifecycle, Flash, Failover}

// MaxBatch is how many orders one call may carry, as the interface has it.
const MaxBatch = 8192

// DefaultAuditTime bounds what comes after the load: what a scenario has still to do, and the audit.
const DefaultAuditTime = 10 * time.Minute

// rushTime is how long the crowd of a flash sale takes to arrive when it arrives at a rate.
const rushTime = time.Second

// Config says what is measured and how. DefaultConfig has what it is when nobody says otherwise.
type Config struct {
	// Target is in-process, or the addresses of a cluster's public listeners with commas between them, or a rival's URL. AdminAddr is the admin listener
	// of a cluster that is measured by address.
	Target, AdminAddr string
	// Scenario is one of Scenarios.
	Scenario string
	// Nodes and Shards are of an in-process cluster: 1 or 3 nodes; 0 shards: as many as a cluster has by default.
	Nodes, Shards int
	// Rate is in orders a second; 0: a closed loop of Clients callers.
	Rate    float64
	Clients int
	// MaxOutstanding bounds the calls under way in an open loop; 0: load.DefaultOutstanding.
	MaxOutstanding int
	// Batch is how many orders a call carries.
	Batch            int
	Duration, Warmup time.Duration
	// SKUs is how many there are, 0: as many as the scenario wants. Skew is the exponent of their popularity.
	SKUs int
	Skew float64
	Seed uint64
	// Sink is what an in-process cluster stores into. Storage is where an http target stores, to be audited, too; "": it is not.
	Sink, Storage string
	// AdoptSink takes over a PostgreSQL database that another cluster wrote, such as that of an earlier run.
	AdoptSink bool
	// FsyncDelay is added to every flush of an in-process cluster's logs.
	FsyncDelay time.Duration
	// Preload is how many orders are stored before the warm-up, PayloadBytes how long an order's user and key are together; 0: the scenario's own.
	Preload      int64
	PayloadBytes int
	// Dir is where an in-process cluster has its files, in a directory of its own that is removed in the end; "": the system's directory for such.
	Dir string
	// Version is what an in-process cluster says it is.
	Version string
	// APIKey and RootCAs are for http targets.
	APIKey  string
	RootCAs *x509.CertPool
	// Thresholds are limits that the result must keep.
	Thresholds []Threshold
	// AuditTime bounds what comes after the load; 0: DefaultAuditTime.
	AuditTime time.Duration

	// Open opens the target; nil: Target says which.
	Open func(ctx context.Context) (sale.Target, error)
	// Scene makes the scenario; nil: Scenario says which.
	Scene func(ctx context.Context, t sale.Target) (Scene, error)
	// OnPhase is told what a run does next, in words; OnInterval of each interval when it is over. Both may be nil.
	OnPhase    func(phase string)
	OnInterval func(load.Interval)

	// probeTime is how long the disk is probed; 0: probe.DefaultTime.
	probeTime time.Duration
}

// DefaultConfig returns what a run is when nobody says otherwise.
func DefaultConfig() Config {
	return Config{
		Target: InProcess, Scenario: Hot, Nodes: 3, Clients: 64, MaxOutstanding: load.DefaultOutstanding, Batch: 1, Duration: 10 * time.Second,
		Warmup: 2 * time.Second, Skew: 1.1, Seed: 1, Sink: "sqlite", AuditTime: DefaultAuditTime,
	}
}

// load is the part of a configuration that the loops are made of.
func (c *Config) load() load.Config {
	l := load.Config{
		Rate: c.Rate, Batch: c.Batch, Clients: c.Clients, MaxOutstanding: c.MaxOutstanding, Warmup: c.Warmup, Duration: c.Duration, Seed: c.Seed,
		OnInterval: c.OnInterval,
	}
	switch {
	case c.Scenario == Flash && c.Rate > 0:
		l.Rush = min(rushTime, c.Duration)
	case c.Scenario == Flash:
		l.Warmup = 0 // a warm-up would sell the stock
	}
	return l
}

func (c *Config) phase(text string) {
	if c.OnPhase != nil {
		c.OnPhase(text)
	}
}
