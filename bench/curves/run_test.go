package curves_test

import (
	"testing"
	"time"

	"holdfast/bench/curves"
)

// TestPointsAreRunInProcess makes one real run with every condition that a sweep sets, and looks for it in the result.
func TestPointsAreRunInProcess(t *testing.T) {
	p := curves.Point{Scenario: "zipf", Nodes: 1, Clients: 3, Batch: 7, SKUs: 5, Skew: 0.9, Shards: 2, Preload: 100, PayloadBytes: 200, Seed: 11,
		Warmup: 50 * time.Millisecond, Duration: 200 * time.Millisecond}
	r, err := curves.InProcess(t.TempDir())(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Sound(); err != nil {
		t.Errorf("%v: %q", err, r.Findings)
	}
	got := curves.Point{Scenario: r.Scenario, Nodes: r.Nodes, Clients: r.Clients, Batch: r.Batch, SKUs: r.SKUs, Skew: r.Skew, Shards: r.Shards, Preload: r.Preloaded,
		PayloadBytes: r.PayloadBytes, Seed: r.Seed, Warmup: time.Duration(r.WarmupS * float64(time.Second)), Duration: p.Duration}
	if got != p || r.Loop != "closed" || r.Sink != "none" {
		t.Errorf("ran %+v, asked for %+v", got, p)
	}
	if r.Accepted == 0 || r.AcceptedPerS == 0 || r.Latency.P99 == 0 || r.Audited < r.Accepted+p.Preload {
		t.Errorf("accepted %d, %v/s, p99 %v, audited %d", r.Accepted, r.AcceptedPerS, r.Latency.P99, r.Audited)
	}
}
