package storage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are all the metrics of this package. What describes a shard's state is read from its status when it is asked for, so that it goes on
// moving while a write hangs.
type metrics struct {
	status func() []Status

	index, lagOrders, lagSeconds, failing, backlogFull, sessions, failed, missing, counts *prometheus.Desc

	orders, skus, connects, seeded prometheus.Counter
	failures                       *prometheus.CounterVec
	seconds, rows                  prometheus.Histogram
}

var _ prometheus.Collector = (*metrics)(nil)

func newMetrics(status func() []Status) *metrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("holdfast_storage_"+name, help, []string{"shard", "sink"}, nil)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_storage_" + name, Help: help})
	}
	m := &metrics{
		status:      status,
		index:       desc("index", "Log index up to which the sink has everything."),
		lagOrders:   desc("lag_orders", "Changed orders that wait to be flushed, counted up to the bound."),
		lagSeconds:  desc("lag_seconds", "How long the oldest change has waited to be flushed."),
		failing:     desc("failing", "1 while the last attempt to flush failed."),
		backlogFull: desc("backlog_full", "1 while more waits to be flushed than the bounds allow (flush-backlog, or a minute); selling goes on."),
		sessions:    desc("sessions", "1 while the shard has a session with the sink."),
		failed:      desc("failures_in_a_row", "Attempts that failed since the last one that did not; the pause between them doubles up to 2 s."),
		missing: desc("missing_below_index", "Log index up to which orders that had left memory may be missing in the sink, as found since the start; "+
			"0: none known."),
		counts:   desc("counts", "1 while the sink is known to have all rows that ever left memory; 0 as well while another node flushes the shard."),
		orders:   counter("orders_total", "Order rows written, or found newer in the sink."),
		skus:     counter("skus_total", "SKU rows written, or found newer in the sink."),
		connects: counter("connects_total", "Sessions opened."),
		seeded:   counter("seeded_rows_total", "Rows of peers that were written, or found newer, to fill a database that lacked them."),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_storage_failures_total", Help: "Attempts to flush that failed, by reason.",
		}, []string{"reason"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_storage_write_seconds", Help: "Time one transaction took.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		rows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_storage_batch_rows", Help: "Rows one transaction wrote.", Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}),
	}
	// All are there from the start, so that an alert sees the first time one moves.
	m.failures.WithLabelValues(otherReason)
	for _, r := range reasons {
		m.failures.WithLabelValues(r.name)
	}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(m); err != nil {
		return fmt.Errorf("storage: metrics: %w", err)
	}
	return nil
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r != nil {
		r.Unregister(m)
	}
}

func (m *metrics) wrote(orders, skus int, took time.Duration) {
	m.orders.Add(float64(orders))
	m.skus.Add(float64(skus))
	m.rows.Observe(float64(orders + skus))
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) failure(err error) { m.failures.WithLabelValues(reason(err)).Inc() }

// reasons are why an attempt may fail, in the order they are looked for.
var reasons = []struct {
	is   error
	name string
}{
	{ErrStaleTerm, "stale_term"}, {ErrTermOver, "term_over"}, {ErrCursorMoved, "cursor_moved"}, {ErrSinkGone, "sink_gone"}, {ErrForeignFile, "foreign_file"},
	{ErrNewerSchema, "newer_schema"}, {ErrOtherCluster, "other_cluster"}, {context.Canceled, "stopped"},
}

const otherReason = "other"

func reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return r.name
		}
	}
	return otherReason
}

func (m *metrics) parts() []prometheus.Collector {
	return []prometheus.Collector{m.orders, m.skus, m.connects, m.seeded, m.failures, m.seconds, m.rows}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.index, m.lagOrders, m.lagSeconds, m.failing, m.backlogFull, m.sessions, m.failed, m.missing, m.counts} {
		to <- d
	}
	for _, p := range m.parts() {
		p.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range m.status() {
		shard := strconv.FormatUint(uint64(s.Shard), 10)
		gauge := func(d *prometheus.Desc, value float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, shard, s.Sink)
		}
		gauge(m.index, float64(s.Index))
		gauge(m.lagOrders, float64(s.LagOrders))
		gauge(m.lagSeconds, float64(s.LagMS)/1000)
		gauge(m.failing, float64(flag(s.Err != nil)))
		gauge(m.backlogFull, float64(flag(errors.Is(s.Err, ErrBacklog))))
		gauge(m.sessions, float64(flag(s.connected)))
		gauge(m.failed, float64(s.inARow))
		missing := uint64(0)
		if s.Gap.Missing() {
			missing = s.Gap.Mark
		}
		gauge(m.missing, float64(missing))
		gauge(m.counts, float64(flag(s.Counts)))
	}
	for _, p := range m.parts() {
		p.Collect(to)
	}
}
