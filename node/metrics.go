package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// observe registers what only the whole node knows: its build, whether it is ready, and where its bounds are, for use beside limit.
func (n *Node) observe() error {
	b := n.cfg.Build
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_build_info", Help: "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "goversion": b.Go},
	})
	build.Set(1)
	ready := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_ready", Help: "1 while /readyz answers 200.",
	}, n.readiness)
	for _, c := range append(n.limits(), build, ready) {
		if err := n.registry.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) readiness() float64 {
	for _, c := range n.Ready() {
		if !c.OK && !c.Advisory {
			return 0
		}
	}
	return 1
}

// limits are the bounds as configured, each by the name of its flag, in the unit that its use is counted in.
func (n *Node) limits() []prometheus.Collector {
	c := &n.cfg
	vector := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "holdfast_limit_" + name, Help: help}, []string{"bound"})
	}
	items := vector("items", "Bounds on a number of things, by flag.")
	bytes := vector("bytes", "Bounds on bytes, by flag.")
	seconds := vector("seconds", "Bounds on time, by flag.")
	for bound, most := range map[string]int{
		"max-pending": c.MaxPending, "max-parked": c.MaxParked, "max-remembered": c.MaxRemembered,
		"apply-backlog": c.ApplyBacklog, "max-conns": c.MaxConns, "max-admin-conns": c.MaxAdminConns,
		"flush-backlog": int(c.FlushBacklog), "max-forwarded": c.MaxForwarded, "max-leaderless": c.MaxLeaderless,
	} {
		items.WithLabelValues(bound).Set(float64(most))
	}
	for bound, most := range map[string]int64{
		"max-body-bytes": c.MaxBodyBytes, "max-batch-bytes": c.MaxBatchBytes, "max-body-memory": c.MaxBodyMemoryBytes,
		"max-forwarded-bytes": c.MaxForwardedBytes, "snapshot-bytes": c.SnapshotBytes,
		"wal-segment-bytes": c.WALSegmentBytes, "wal-soft-bytes": c.WALSoftBytes, "wal-hard-bytes": c.WALHardBytes,
	} {
		bytes.WithLabelValues(bound).Set(float64(most))
	}
	for bound, most := range map[string]time.Duration{
		"body-timeout": c.BodyTimeout, "snapshot-age": c.SnapshotAge, "disk-stall-exit": c.DiskStallExit, "max-clock-skew": c.MaxClockSkew,
	} {
		seconds.WithLabelValues(bound).Set(most.Seconds())
	}
	return []prometheus.Collector{items, bytes, seconds}
}
