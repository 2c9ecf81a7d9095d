package wal

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

var _ Observer = (*Metrics)(nil)

// Metrics is an Observer that keeps all metrics of the log. docs/monitoring.md explains them.
type Metrics struct {
	fsync, write, bytes, groups prometheus.Histogram
	segments, size, used        prometheus.Gauge
	live, dead, reclaimable     prometheus.Gauge
	prepared                    prometheus.Gauge
	recovery, recovered         prometheus.Gauge
	appended, rewritten         prometheus.Counter
	made, recycled, removed     prometheus.Counter
}

// NewMetrics registers the metrics; nil registers none. A registry that has them already, of a log closed before, goes
// on with those.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{}
	seconds := prometheus.ExponentialBuckets(50e-6, 2, 17)
	for _, h := range []struct {
		to         *prometheus.Histogram
		name, help string
		buckets    []float64
	}{
		{&m.fsync, "fsync_seconds", "Duration of one fsync.", seconds},
		{&m.write, "write_seconds", "Duration of one write.", seconds},
		{&m.bytes, "batch_bytes", "Bytes of one batch.", prometheus.ExponentialBuckets(256, 4, 9)},
		{&m.groups, "batch_groups", "Raft groups that shared a batch.", prometheus.LinearBuckets(1, 1, 8)},
	} {
		*h.to = once(reg, prometheus.NewHistogram(prometheus.HistogramOpts{Name: metricsPrefix + h.name, Help: h.help, Buckets: h.buckets}))
	}
	m.gauges(reg)
	m.counters(reg)
	return m
}

const metricsPrefix = "holdfast_wal_"

func (m *Metrics) gauges(reg prometheus.Registerer) {
	for _, g := range []struct {
		to         *prometheus.Gauge
		name, help string
	}{
		{&m.segments, "segments", "Segment files."},
		{&m.size, "disk_bytes", "Length of all segment files."},
		{&m.used, "used_bytes", "Length of the segment files in use: what the soft and the hard bound count."},
		{&m.live, "live_bytes", "Length of the entries that a group still has."},
		{&m.dead, "dead_bytes", "Bytes of the sealed segments that hold no live entry."},
		{&m.reclaimable, "reclaimable_bytes", "Dead bytes that rewriting live entries forward would give back."},
		{&m.prepared, "prepared_segments", "Segments ready for use."},
		{&m.recovery, "recovery_seconds", "Time the last start took to read the log."},
		{&m.recovered, "recovery_bytes", "Bytes of log the last start read."},
	} {
		*g.to = once(reg, prometheus.NewGauge(prometheus.GaugeOpts{Name: metricsPrefix + g.name, Help: g.help}))
	}
}

func (m *Metrics) counters(reg prometheus.Registerer) {
	for _, c := range []struct {
		to         *prometheus.Counter
		name, help string
	}{
		{&m.appended, "appended_bytes_total", "Bytes written in batches, rewritten entries included."},
		{&m.rewritten, "rewritten_bytes_total", "Bytes of live entries rewritten forward to free old segments."},
		{&m.made, "segments_prepared_total", "New segment files."},
		{&m.recycled, "segments_recycled_total", "Old segment files given a new header to be used again."},
		{&m.removed, "segments_removed_total", "Old segment files deleted."},
	} {
		*c.to = once(reg, prometheus.NewCounter(prometheus.CounterOpts{Name: metricsPrefix + c.name, Help: c.help}))
	}
}

// once registers a metric, or returns the one that is there under its name.
func once[M prometheus.Collector](reg prometheus.Registerer, metric M) M {
	if reg == nil {
		return metric
	}
	if err := reg.Register(metric); err != nil {
		there := prometheus.AlreadyRegisteredError{}
		known := errors.As(err, &there)
		assert(known, "a metric of the log cannot be registered")
		return there.ExistingCollector.(M)
	}
	return metric
}

// ObserveBatch implements Observer.
func (m *Metrics) ObserveBatch(b BatchStats) {
	m.fsync.Observe(b.Sync.Seconds())
	m.write.Observe(b.Write.Seconds())
	m.bytes.Observe(float64(b.Bytes))
	m.groups.Observe(float64(b.Groups))
	m.appended.Add(float64(b.Bytes))
	m.rewritten.Add(float64(b.Moved))
}

// ObserveSegments implements Observer.
func (m *Metrics) ObserveSegments(count int, bytes int64) {
	m.segments.Set(float64(count))
	m.size.Set(float64(bytes))
}

// ObserveSegment implements Observer.
func (m *Metrics) ObserveSegment(e SegmentEvent) {
	switch e {
	case SegmentPrepared:
		m.made.Inc()
	case SegmentRecycled:
		m.recycled.Inc()
	case SegmentRemoved:
		m.removed.Inc()
	}
}

// ObserveSpace implements Observer.
func (m *Metrics) ObserveSpace(s Space) {
	m.used.Set(float64(s.UsedBytes))
	m.live.Set(float64(s.LiveBytes))
	m.dead.Set(float64(s.DeadBytes))
	m.reclaimable.Set(float64(s.Reclaimable))
	m.prepared.Set(float64(s.Prepared))
}

// ObserveRecovery implements Observer.
func (m *Metrics) ObserveRecovery(p Progress) {
	m.recovery.Set(p.Elapsed.Seconds())
	m.recovered.Set(float64(p.Bytes))
}
