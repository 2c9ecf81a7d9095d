package curves_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/bench/curves"
	"holdfast/bench/result"
	"holdfast/internal/pagetest"
)

// invented is a runner whose figures follow from the conditions, so that each is known wherever it turns up.
func invented(_ context.Context, p curves.Point) (result.Result, error) {
	r := result.Result{Scenario: p.Scenario, Target: "in-process", Nodes: p.Nodes, Loop: "closed", Clients: p.Clients, Batch: p.Batch, Seed: p.Seed,
		DurationS: p.Duration.Seconds(), Machine: result.Machine{CPU: "a processor", Cores: 2, OS: "linux", Go: "go1"}, Commit: "abcdef0"}
	r.AcceptedPerS = float64(1000*p.Clients+10*p.SKUs) + float64(p.Seed*100)
	r.Latency = result.Latency{P50: 1, P99: float64(p.Nodes) * 2.5}
	r.Accepted, r.Audited = 1, 1
	r.Fsync = result.Fsync{P50: 0.125, P99: 0.25}
	r.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return r, nil
}

func measured(t *testing.T, run curves.Runner, sweeps []curves.Sweep, there curves.Measured) (curves.Measured, error) {
	t.Helper()
	saved := 0
	plan := curves.Plan{Sweeps: sweeps, Run: run, Rounds: 3, Warmup: time.Second, Duration: 2 * time.Second, Seed: 1, Save: func(curves.Measured) error { saved++; return nil }}
	m, err := curves.Measure(t.Context(), plan, there)
	if saved != 3*len(sweeps) {
		t.Errorf("saved %d times", saved)
	}
	return m, err
}

func TestEveryPointIsRunAsItsSweepSays(t *testing.T) {
	asked := map[curves.Point]bool{}
	_, err := measured(t, func(ctx context.Context, p curves.Point) (result.Result, error) {
		asked[p] = true
		return invented(ctx, p)
	}, curves.Sweeps, curves.Measured{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []curves.Point{
		{Scenario: "hot", Nodes: 1, Clients: 1024, Batch: 1}, {Scenario: "hot", Nodes: 3, Clients: 16, Batch: 1000},
		{Scenario: "zipf", Nodes: 3, Clients: 16, Batch: 100, SKUs: 100_000, Skew: 1.1}, {Scenario: "zipf", Nodes: 1, Clients: 16, Batch: 100, SKUs: 1000, Skew: 1.1, Shards: 16},
		{Scenario: "hot", Nodes: 3, Clients: 16, Batch: 100}, {Scenario: "hot", Nodes: 1, Clients: 16, Batch: 100, Preload: 10_000_000},
		{Scenario: "hot", Nodes: 1, Clients: 16, Batch: 100, PayloadBytes: 256},
	} {
		want.Warmup, want.Duration = time.Second, 2*time.Second
		for want.Seed = 1; want.Seed <= 3; want.Seed++ {
			if !asked[want] {
				t.Errorf("%+v was not asked", want)
			}
		}
	}
}

func TestMediansAndSpreadsAreShown(t *testing.T) {
	m, err := measured(t, invented, curves.Sweeps[:1], curves.Measured{})
	if err != nil {
		t.Fatal(err)
	}
	page := curves.Page(m, curves.Sweeps, "plots")
	for _, want := range []string{
		"| 64 | 64.2 k | 64.1 k to 64.3 k | 1 / 2.5 | 0.125 / 0.25 | 64.2 k | 64.1 k to 64.3 k | 1 / 7.5 | 0.125 / 0.25 |\n",
		"a processor, 2 cores, linux, go1; 2026-01-02, abcdef0. Medians of each point's runs, 36 runs in all",
		"![Orders a second against callers](plots/clients-rate.svg)", "Closed loop, in process: one hot SKU, one order a call.", "Not measured yet.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
	plots := curves.Plots(m, curves.Sweeps)
	if len(plots) != 2 {
		t.Fatalf("%d plots", len(plots))
	}
	for name, want := range map[string]string{"clients-rate.svg": "3 nodes: 1024 callers, 1.02 M orders/s", "clients-p99.svg": "3 nodes: 4 callers, 7.5 ms"} {
		if text := textOf(t, plots[name]); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q but\n%s", name, want, text)
		}
	}
}

func textOf(t *testing.T, svg []byte) string {
	t.Helper()
	var b strings.Builder
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			b.Write(text)
		}
	}
}

func TestNothingMeasuredIsSaid(t *testing.T) {
	m, err := curves.Read(filepath.Join(t.TempDir(), "none.json"))
	if err != nil {
		t.Fatal(err)
	}
	page := curves.Page(m, curves.Sweeps, "plots")
	if got := strings.Count(page, "Not measured yet."); got != len(curves.Sweeps)+1 || strings.Contains(page, ".svg") || strings.Contains(page, "|") {
		t.Error(page)
	}
	if plots := curves.Plots(m, curves.Sweeps); len(plots) != 0 {
		t.Errorf("%d plots of nothing", len(plots))
	}
}

func TestUnsoundRunsAreLeftOut(t *testing.T) {
	broken := errors.New("no room on the disk")
	for name, spoil := range map[string]func(*result.Result) error{
		"oversold":    func(r *result.Result) error { r.Audit.Oversold = 1; return nil },
		"lost":        func(r *result.Result) error { r.Audit.Lost = 1; return nil },
		"no audit":    func(r *result.Result) error { r.Audited = 0; return nil },
		"unresolved":  func(r *result.Result) error { r.Unresolved = 1; return nil },
		"interrupted": func(r *result.Result) error { r.Interrupted = true; return nil },
		"no probe":    func(r *result.Result) error { r.Fsync = result.Fsync{}; return nil },
		"no loop":     func(r *result.Result) error { r.Loop = ""; return nil },
		"not run":     func(*result.Result) error { return broken },
		"no accident": nil,
	} {
		t.Run(name, func(t *testing.T) {
			m, err := measured(t, func(ctx context.Context, p curves.Point) (result.Result, error) {
				r, err := invented(ctx, p)
				if spoil != nil && p.Clients == 16 && p.Nodes == 3 {
					err = spoil(&r)
				}
				return r, err
			}, curves.Sweeps[:1], curves.Measured{})
			page := curves.Page(m, curves.Sweeps[:1], "plots")
			left := strings.Contains(page, "| 16 | 16.2 k | 16.1 k to 16.3 k | 1 / 2.5 | 0.125 / 0.25 | - | - | - | - |") && strings.Contains(page, "1 of the points are not measured yet.")
			if spoil == nil {
				if err != nil || left {
					t.Errorf("%v\n%s", err, page)
				}
				return
			}
			if !left || !errors.Is(err, result.ErrUnsound) && !errors.Is(err, broken) {
				t.Errorf("%v\n%s", err, page)
			}
		})
	}
}

func TestOneSweepIsMeasuredAnew(t *testing.T) {
	before, err := measured(t, invented, curves.Sweeps[:3], curves.Measured{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := measured(t, func(ctx context.Context, p curves.Point) (result.Result, error) {
		p.Seed += 1000
		return invented(ctx, p)
	}, curves.Sweeps[1:2], curves.Measured{Curves: slices.Clone(before.Curves)})
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Curves) != 3 {
		t.Fatalf("%d curves", len(after.Curves))
	}
	for i, c := range after.Curves {
		if same := reflect.DeepEqual(c, before.Curves[i]); c.Name != curves.Sweeps[i].Name || same != (i != 1) {
			t.Errorf("curve %d is %s, the same as before: %v", i, c.Name, same)
		}
	}
}

func TestStoredIsReadAgain(t *testing.T) {
	m, err := measured(t, invented, curves.Sweeps[:2], curves.Measured{})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "curves.json")
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pagetest.Write(t, name, text)
	if again, err := curves.Read(name); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("read again: %v", err)
	}
	m.Curves[0].Points[0].Runs[0].Audit.Duplicated = 1
	if text, err = m.Encode(); err != nil {
		t.Fatal(err)
	}
	pagetest.Write(t, name, text)
	if _, err := curves.Read(name); !errors.Is(err, result.ErrUnsound) {
		t.Errorf("a run that failed its audit is read: %v", err)
	}
}
