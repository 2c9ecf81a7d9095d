package cluster

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	gometrics "github.com/hashicorp/go-metrics"
	"github.com/prometheus/client_golang/prometheus"
)

func familiesOf(t *testing.T, r *prometheus.Registry) []string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	return names
}

func TestMetricsOfANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, registry := newRig(t), prometheus.NewRegistry()
		c := g.open(func(c *Config) { c.Registerer = registry })
		s := c.Shard(1)
		g.mustPropose(s, "a", "b")
		_ = g.propose(s, big(1<<20))
		if _, _, err := s.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := s.metrics
		for what, ok := range map[string]bool{
			"committed":      value(m.committed) == 2,
			"not executed":   value(m.notExecuted) == 1,
			"bound":          value(m.entryBound) == 1,
			"snapshot index": value(m.snapshotIndex) == float64(s.CommitIndex()),
			"leads":          value(m.leads) == 1,
			"outstanding":    value(m.outstanding) == 0,
			"one leader":     value(m.leaders) == 1,
			"snapshot time":  value(m.snapshotAt) > 0,
			"snapshot bytes": value(m.snapBytes) > 0,
			"behind":         value(m.snapBehind) == 0,
		} {
			if !ok {
				t.Errorf("wrong: %s", what)
			}
		}
		for _, name := range familiesOf(t, registry) {
			if !strings.HasPrefix(name, "holdfast_cluster_") {
				t.Errorf("metric %s", name)
			}
		}
		g.close()
		if left := familiesOf(t, registry); len(left) != 0 {
			t.Errorf("after Close: %v", left)
		}
		c = g.open(func(c *Config) { c.Registerer = registry }) // The same registry takes the next life.
		if m = c.Shard(1).metrics; value(m.snapshotIndex) == 0 || value(m.snapBytes) == 0 {
			t.Error("after the start the newest snapshot is not shown")
		}
		g.close()
	})
}

// Raft counts into one sink per process, whatever the number of nodes in it. In real time: what is counted in virtual time first would look 26
// years old to a later test.
func TestRaftsOwnMetrics(t *testing.T) {
	defer func() { _, _ = gometrics.NewGlobal(quietMetrics(), &gometrics.BlackholeSink{}) }()
	for range 2 {
		g, registry := newRig(t), prometheus.NewRegistry()
		c := g.open(func(c *Config) { c.Registerer, c.RaftMetrics = registry, true })
		g.mustPropose(c.Shard(1), "a")
		if names := familiesOf(t, registry); !slices.Contains(names, "raft_apply") {
			t.Errorf("raft's metrics are missing: %v", names)
		}
		g.close()
	}
}

func quietMetrics() *gometrics.Config {
	conf := gometrics.DefaultConfig("")
	conf.EnableRuntimeMetrics = false // It would leave a goroutine.
	return conf
}
