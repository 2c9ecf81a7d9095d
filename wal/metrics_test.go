package wal_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// TestMetrics runs a log with metrics and holds them against what the log says of itself. A second log, as after a restart
// in one process, goes on with the same registry.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.DeadBytes = 2 * cfg.SegmentBytes
	var s wal.Space
	for range 2 {
		cfg.Observer = wal.NewMetrics(reg)
		l := open(t, cfg)
		must(t, l.Group(2).Drop())
		must(t, l.Group(2).StoreLogs(entries(2, 1, 5, 0, 300)))
		must(t, l.Group(1).Drop())
		churn(t, l, 1, 600, func() {})
		s = l.Space()
		closeLog(t, l)
	}
	families, err := reg.Gather()
	must(t, err)
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	for name, want := range map[string]float64{
		"used_bytes": float64(s.UsedBytes), "live_bytes": float64(s.LiveBytes), "dead_bytes": float64(s.DeadBytes), "reclaimable_bytes": float64(s.Reclaimable),
	} {
		if got["holdfast_wal_"+name] != want {
			t.Errorf("%s is %v, want %v", name, got["holdfast_wal_"+name], want)
		}
	}
	for _, name := range []string{
		"fsync_seconds", "write_seconds", "batch_bytes", "batch_groups", "segments", "disk_bytes", "recovery_seconds", "recovery_bytes",
		"appended_bytes_total", "rewritten_bytes_total", "segments_prepared_total", "segments_recycled_total",
	} {
		if got["holdfast_wal_"+name] <= 0 {
			t.Errorf("%s is %v", name, got["holdfast_wal_"+name])
		}
	}
	if _, ok := got["holdfast_wal_segments_removed_total"]; !ok || len(got) != 18 {
		t.Errorf("%d metrics: %v", len(got), got)
	}
	wal.NewMetrics(nil).ObserveSpace(s) // none are registered
}
