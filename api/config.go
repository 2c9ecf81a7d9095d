package api

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/api/access"
	"holdfast/api/audit"
)

var (
	// ErrConfig is returned by New when Core or Health is missing or a bound is negative.
	ErrConfig = errors.New("api: configuration")
	// ErrNotLoopback is returned when others could reach a listener that keys and TLS do not both protect.
	ErrNotLoopback = errors.New("api: address is not loopback")
	// ErrAddress is returned when an address is not host:port.
	ErrAddress = errors.New("api: malformed address")
)

// Build says which build is running.
type Build struct {
	Version, Commit, Go string
}

// Config is what a Server needs. Zero bounds take their defaults.
type Config struct {
	Core   Core
	Health Health
	// Cluster answers for the cluster; nil: there are no such calls.
	Cluster Cluster
	// Registry takes this package's metrics and is what /metrics shows; nil: one of the server's own.
	Registry *prometheus.Registry
	Build    Build
	// Logger takes what is wrong with the server, and the requests that RequestLog wants, but never what a caller sent; nil: nothing is logged.
	Logger *slog.Logger

	// MaxBodyBytes bounds a body (413 body_too_large), MaxBatchBytes that of a batch, MaxBatchItems its orders (413 batch_too_large).
	MaxBodyBytes, MaxBatchBytes int64
	MaxBatchItems               int
	// MaxBodyMemoryBytes bounds the bodies of all requests under way together, and the answers to batches at 1 KiB an order (503 overloaded,
	// max-body-memory).
	MaxBodyMemoryBytes int64
	// BodyTimeout bounds the arrival of a body (408 body_timeout), HeaderTimeout that of a head.
	BodyTimeout, HeaderTimeout time.Duration
	// DefaultTimeout is the deadline of a request that does not ask for one with Request-Timeout-Ms.
	DefaultTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	IdleTimeout time.Duration
	// MaxConns and MaxAdminConns bound the connections of each listener; one more is answered 503 overloaded and closed.
	MaxConns, MaxAdminConns int

	// RequestLog says which requests Logger is told about.
	RequestLog RequestLog
	// Tracer takes every request that was answered; nil: nobody does.
	Tracer Tracer

	// Now is the wall clock; nil: time.Now.
	Now func() time.Time
	// Keys says who may call; a key's name is part of every idempotency key's scope. Nil: everybody may, and all are anonymous.
	Keys *access.Keys
	// Certificate makes both listeners speak TLS; nil: neither does.
	Certificate *access.Certificate
	// Audit takes what is asked on the admin listener; nil: nothing is kept. Whoever opened it closes it, after Shutdown.
	Audit *audit.Log
}

// The defaults of Config, and the bounds that are not configured.
const (
	DefaultMaxBodyBytes       = 64 << 10
	DefaultMaxBatchBytes      = 8 << 20
	DefaultMaxBatchItems      = 8192
	DefaultMaxBodyMemoryBytes = 256 << 20
	DefaultBodyTimeout        = 5 * time.Second
	DefaultHeaderTimeout      = 5 * time.Second
	DefaultTimeout            = 5 * time.Second
	DefaultIdleTimeout        = 2 * time.Minute
	DefaultMaxConns           = 10_000
	DefaultMaxAdminConns      = 256

	// MaxHeaderBytes bounds a request's head; net/http allows 4 KiB on top and answers 431.
	MaxHeaderBytes = 16 << 10
	// MaxTimeout is the longest deadline a request may ask for.
	MaxTimeout = 60 * time.Second
	// The names of the bounds that a request can run into, which are those of their flags.
	boundMemory     = "max-body-memory"
	boundConns      = "max-conns"
	boundAdminConns = "max-admin-conns"
	boundAudit      = "audit-log"
	boundBackup     = "backup"

	// answerTimeout is how long a caller may take to read its answer.
	answerTimeout = 15 * time.Second
)

func (c Config) withDefaults() (Config, error) {
	if c.Core == nil || c.Health == nil {
		return c, errors.Join(ErrConfig, errors.New("core and health are required"))
	}
	ok := fill(&c.MaxBodyBytes, DefaultMaxBodyBytes) && fill(&c.MaxBatchBytes, DefaultMaxBatchBytes) &&
		fill(&c.MaxBatchItems, DefaultMaxBatchItems) && fill(&c.MaxBodyMemoryBytes, DefaultMaxBodyMemoryBytes) &&
		fill(&c.BodyTimeout, DefaultBodyTimeout) && fill(&c.HeaderTimeout, DefaultHeaderTimeout) &&
		fill(&c.DefaultTimeout, DefaultTimeout) && fill(&c.IdleTimeout, DefaultIdleTimeout) &&
		fill(&c.MaxConns, DefaultMaxConns) && fill(&c.MaxAdminConns, DefaultMaxAdminConns)
	if !ok {
		return c, errors.Join(ErrConfig, errors.New("a bound is negative"))
	}
	if !c.RequestLog.withDefaults() {
		return c, errors.Join(ErrConfig, errors.New("RequestLog is not one"))
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// fill puts the default in place of zero; false for a negative bound.
func fill[T int | int64 | time.Duration](v *T, byDefault T) bool {
	if *v == 0 {
		*v = byDefault
	}
	return *v > 0
}
