package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"holdfast/wal"
)

// logMetrics are the metrics of the log, which itself knows no metrics library.
type logMetrics struct {
	fsync, write, bytes, groups prometheus.Histogram
	segments, size              prometheus.Gauge
}

var _ wal.Observer = (*logMetrics)(nil)

func newLogMetrics(reg prometheus.Registerer) *logMetrics {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_wal_" + name, Help: help, Buckets: buckets})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_wal_" + name, Help: help})
	}
	seconds := prometheus.ExponentialBuckets(50e-6, 2, 17)
	m := &logMetrics{
		fsync:    histogram("fsync_seconds", "Duration of one fsync.", seconds),
		write:    histogram("write_seconds", "Duration of one write.", seconds),
		bytes:    histogram("batch_bytes", "Bytes of one batch.", prometheus.ExponentialBuckets(256, 4, 9)),
		groups:   histogram("batch_groups", "Raft groups that shared a batch.", prometheus.LinearBuckets(1, 1, 8)),
		segments: gauge("segments", "Segment files."),
		size:     gauge("disk_bytes", "Length of all segment files."),
	}
	reg.MustRegister(m.fsync, m.write, m.bytes, m.groups, m.segments, m.size)
	return m
}

// ObserveBatch is called after each durable batch.
func (m *logMetrics) ObserveBatch(b wal.BatchStats) {
	m.fsync.Observe(b.Sync.Seconds())
	m.write.Observe(b.Write.Seconds())
	m.bytes.Observe(float64(b.Bytes))
	m.groups.Observe(float64(b.Groups))
}

// ObserveSegments is called when a segment came or went.
func (m *logMetrics) ObserveSegments(count int, bytes int64) {
	m.segments.Set(float64(count))
	m.size.Set(float64(bytes))
}

func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}
