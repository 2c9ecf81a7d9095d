package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// ErrConfig is returned by Open when an OTEL_ variable cannot be meant.
var ErrConfig = errors.New("tracing: configuration")

// Config is what an Exporter needs beside the environment.
type Config struct {
	// NodeID and Version are attributes of the resource (service.instance.id, service.version); OTEL_RESOURCE_ATTRIBUTES comes before them.
	NodeID, Version string
	// Secure: requests come over TLS.
	Secure bool
	// Registerer takes this package's metrics; nil: none.
	Registerer prometheus.Registerer
	// Logger takes what is wrong with the export; nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock of the log's pace; nil: time.Now.
	Now func() time.Time
}

// Exporter exports requests. Its methods may be called concurrently.
type Exporter struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	scheme   string
	// giveUp ends what is being sent.
	giveUp context.CancelFunc
}

// Open starts to export as the environment says. The error wraps ErrConfig, or is the registerer's or the library's.
func Open(cfg Config) (*Exporter, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := checkEndpoints(os.Getenv); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("tracing: register metrics: %w", err)
	}
	hear(cfg.Logger)
	client, err := otlptracehttp.New(context.Background())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	over, giveUp := context.WithCancel(context.Background())
	size, options := batching(os.Getenv)
	q := &queue{size: int64(size), metrics: m, losses: &losses{logger: cfg.Logger, now: cfg.Now}}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(&sender{SpanExporter: client, queue: q, over: over}, options...)
	e := &Exporter{scheme: "http", giveUp: giveUp}
	if cfg.Secure {
		e.scheme = "https"
	}
	e.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(q), sdktrace.WithIDGenerator(ids{}), sdktrace.WithResource(describe(cfg)))
	e.tracer = e.provider.Tracer("holdfast/api", trace.WithInstrumentationVersion(cfg.Version), trace.WithSchemaURL(semconv.SchemaURL))
	return e, nil
}

// describe says who sends the spans. What the environment says comes before what we know; what is wrong with it the provider finds too, and says.
func describe(cfg Config) *resource.Resource {
	r, _ := resource.New(context.Background(), resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName("holdfast"), semconv.ServiceVersion(cfg.Version), semconv.ServiceInstanceID(cfg.NodeID)),
		resource.WithFromEnv())
	return r
}

// Close sends what waits and ends, at the latest when the context does: what is left then is lost, and counted. The error is the context's or the
// library's. When it returns, nothing of the Exporter runs any more; an idle connection of the library's is closed by itself later.
func (e *Exporter) Close(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- e.provider.Shutdown(context.Background()) }()
	defer e.giveUp()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	e.giveUp()
	return errors.Join(fmt.Errorf("tracing: not all spans were sent: %w", ctx.Err()), <-done)
}
