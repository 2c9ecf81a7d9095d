package tracing

import "github.com/prometheus/client_golang/prometheus"

// metrics are all this package counts.
type metrics struct {
	// exported, dropped and failed are the ends a span can come to.
	exported, dropped, failed prometheus.Counter
	queued                    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	named := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "holdfast", Subsystem: "tracing", Name: name, Help: help}
	}
	spans := prometheus.NewCounterVec(prometheus.CounterOpts(named("spans_total",
		"Spans of requests by result: exported, dropped because the queue was full (OTEL_BSP_MAX_QUEUE_SIZE), failed to be exported.")),
		[]string{"result"})
	m := &metrics{
		exported: spans.WithLabelValues("exported"), dropped: spans.WithLabelValues("dropped"), failed: spans.WithLabelValues("failed"),
		queued: prometheus.NewGauge(prometheus.GaugeOpts(named("queued_spans", "Spans that wait to be exported."))),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{spans, m.queued} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
