package tracing

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// queue stands before and behind the library's batching, which drops spans in silence: before it spans are counted in, and dropped when there are
// already as many as the library's own queue holds; behind it they are counted out. So the library never finds its queue full.
type queue struct {
	sdktrace.SpanProcessor
	// Invariant: waiting is what was counted in and not yet out, at most size.
	waiting atomic.Int64
	size    int64
	metrics *metrics
	losses  *losses
}

var _ sdktrace.SpanProcessor = (*queue)(nil)

// OnEnd takes a span that ended.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.waiting.Add(1) > q.size {
		q.waiting.Add(-1)
		q.metrics.dropped.Inc()
		q.losses.add(1, nil)
		return
	}
	q.metrics.queued.Inc()
	q.SpanProcessor.OnEnd(s)
}

// sender is the exporter behind the batching.
type sender struct {
	sdktrace.SpanExporter
	queue *queue
	// over ends when nobody waits for spans any more.
	over context.Context
}

var _ sdktrace.SpanExporter = (*sender)(nil)

// ExportSpans sends a batch. A failure is counted and logged here and goes no further, since the library would write it to standard error.
func (s *sender) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.over, cancel)()
	q, n := s.queue, len(spans)
	err := s.SpanExporter.ExportSpans(ctx, spans)
	q.waiting.Add(-int64(n))
	q.metrics.queued.Sub(float64(n))
	if err == nil {
		q.metrics.exported.Add(float64(n))
		return nil
	}
	q.metrics.failed.Add(float64(n))
	q.losses.add(n, err)
	return nil
}

// lossInterval is how often lost spans are logged at most.
const lossInterval = time.Minute

// maxErrorBytes bounds what is repeated of an error: a collector's own words are in it.
const maxErrorBytes = 300

// losses logs that spans were lost, once an interval however many.
type losses struct {
	logger *slog.Logger
	now    func() time.Time

	mu    sync.Mutex // guards what follows
	since int        // spans lost since the last record
	last  time.Time
}

// add counts lost spans. err is why, nil when the queue was full.
func (l *losses) add(n int, err error) {
	l.mu.Lock()
	l.since += n
	now := l.now()
	if !l.last.IsZero() && now.Sub(l.last) < lossInterval {
		l.mu.Unlock()
		return
	}
	lost := l.since
	l.since, l.last = 0, now
	l.mu.Unlock()
	why := "the queue is full"
	if err != nil {
		why = clip(err.Error())
	}
	l.logger.Warn("spans were lost; orders are not affected", "spans", lost, "error", why)
}

func clip(s string) string {
	if len(s) > maxErrorBytes {
		return s[:maxErrorBytes] + "..."
	}
	return s
}
