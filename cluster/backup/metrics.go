package backup

import "github.com/prometheus/client_golang/prometheus"

// metrics are all metrics of the package.
type metrics struct {
	streams  prometheus.Gauge
	results  map[string]prometheus.Counter
	bytes    prometheus.Counter
	last     prometheus.Gauge
	reads    prometheus.Gauge
	overload map[string]prometheus.Counter
}

// How a backup ended.
const (
	resultWhole  = "whole"
	resultBroken = "broken_off"
)

// The bounds, by name.
const (
	boundStreams = "backup-streams"
	boundReads   = "backup-reads"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		streams: gauge("streams", "Backups that are being made on this node (backup-streams)."),
		bytes:   prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_backup_bytes_total", Help: "Bytes of backups that were handed out."}),
		last:    gauge("last_timestamp_seconds", "When this node last made a whole backup; 0: not since it started."),
		reads:   gauge("reads", "Snapshots of this node that are being read for backups (backup-reads)."),
		results: make(map[string]prometheus.Counter), overload: make(map[string]prometheus.Counter),
	}
	results := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_backup_streams_total", Help: "Backups that ended, by how.",
	}, []string{"result"})
	for _, r := range [...]string{resultWhole, resultBroken} {
		m.results[r] = results.WithLabelValues(r)
	}
	overload := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_backup_overloaded_total", Help: "Backups and reads that were refused, by the bound that was reached.",
	}, []string{"bound"})
	for _, b := range [...]string{boundStreams, boundReads} {
		m.overload[b] = overload.WithLabelValues(b)
	}
	if reg != nil {
		reg.MustRegister(m.streams, m.bytes, m.last, m.reads, results, overload)
	}
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_backup_" + name, Help: help})
}

func (m *metrics) ended(err error) {
	result := resultWhole
	if err != nil {
		result = resultBroken
	}
	m.results[result].Inc()
}
