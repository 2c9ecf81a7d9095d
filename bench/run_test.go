package bench

import (
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/probe"
	"holdfast/bench/sale"
)

var refresh = flag.Bool("refresh", false, "write the golden files anew")

// quick is a short run against a shop.
func quick(t *testing.T, s *shop) (Config, *rush) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Clients, cfg.Warmup, cfg.Duration, cfg.Dir = 2, 50*time.Millisecond, 100*time.Millisecond, t.TempDir()
	cfg.probeTime = time.Millisecond
	scene := newRush(s, 10, 1024)
	cfg.Open = func(context.Context) (sale.Target, error) { return s, nil }
	cfg.Scene = func(context.Context, sale.Target) (Scene, error) { return scene, nil }
	return cfg, scene
}

// A sound sale passes: exactly the stock is sold, warm-up included, and all that a result has to say is said.
func TestRun(t *testing.T) {
	for _, rate := range []float64{0, 2000} {
		s := new(shop)
		cfg, _ := quick(t, s)
		cfg.Rate = rate
		r, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verdict(r); err != nil {
			t.Error(err)
		}
		if len(s.orders) != 10 || r.Accepted > 10 || r.Refused == 0 || r.Reasons["sold_out"] < r.Refused || !s.closed {
			t.Errorf("%d sold, %+v", len(s.orders), r)
		}
		if want := map[bool]string{false: "closed", true: "open"}[rate > 0]; r.Loop != want || r.Rate != rate {
			t.Errorf("the loop is %s, not %s", r.Loop, want)
		}
		if r.Fsync.P50 <= 0 || r.CeilingPerS <= 0 || r.Machine.Cores < 1 || r.Commit == "" || r.About.Durability == "" || r.DurationS != 0.1 || len(r.Intervals) == 0 {
			t.Errorf("%+v", r)
		}
		if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) > 0 {
			t.Errorf("%v is left, %v", left, err)
		}
	}
}

// Each broken promise is found by the audit of a run, however fast it was.
func TestBrokenPromisesAreFound(t *testing.T) {
	for name, test := range map[string]struct {
		shop  *shop
		found func(r *Result) int64
	}{
		"oversold":   {&shop{oversell: true}, func(r *Result) int64 { return r.Audit.Oversold }},
		"lost":       {&shop{lose: true}, func(r *Result) int64 { return r.Audit.Lost }},
		"duplicated": {&shop{duplicate: true}, func(r *Result) int64 { return r.Audit.Duplicated }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := quick(t, test.shop)
			cfg.Thresholds = []Threshold{threshold(t, "accepted_per_s>1e9")}
			r, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := Verdict(r); test.found(r) == 0 || !errors.Is(err, ErrBroken) {
				t.Errorf("%v: %+v", err, r.Audit)
			}
			if !strings.Contains(strings.Join(r.Findings, "\n"), "thing") {
				t.Errorf("no finding names the SKU: %q", r.Findings)
			}
		})
	}
}

// An interrupted run audits what was done and says that it was interrupted; what it found wrong is not forgiven.
func TestInterrupt(t *testing.T) {
	for _, lose := range []bool{false, true} {
		s := &shop{lose: lose}
		cfg, scene := quick(t, s)
		cfg.Warmup, cfg.Duration = 0, time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-scene.asked
			cancel()
		}()
		r, err := Run(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Interrupted || r.DurationS > 3000 || r.Audited == 0 || errors.Is(Verdict(r), ErrBroken) != lose {
			t.Errorf("%+v, %v", r, Verdict(r))
		}
	}
	s := new(shop)
	cfg, scene := quick(t, s)
	cfg.Warmup = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-scene.asked
		cancel()
	}()
	if _, err := Run(ctx, cfg); !errors.Is(err, ErrNothingMeasured) {
		t.Errorf("interrupted in the warm-up: %v", err)
	}
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted before: %v", err)
	}
}

// A threshold that is missed is told with what was measured.
func TestThresholdsOfARun(t *testing.T) {
	cfg, _ := quick(t, new(shop))
	cfg.Thresholds = []Threshold{threshold(t, "accepted_per_s>1e9"), threshold(t, "errors<=0")}
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verdict(r); !errors.Is(err, ErrThreshold) || !strings.Contains(err.Error(), "accepted_per_s>1e9: it is ") || strings.Contains(err.Error(), "errors") {
		t.Error(err)
	}
}

// The JSON of a result is what the golden file says: names, order, units and roundings.
func TestResultIsStable(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Scenario, cfg.Target, cfg.Rate, cfg.Batch = Zipf, "http://127.0.0.1:8080", 1000, 10
	h := load.NewHistogram()
	for i := range int64(1000) {
		if err := h.RecordValue((i + 1) * int64(time.Millisecond) / 100); err != nil {
			t.Fatal(err)
		}
	}
	k := &conditions{
		started: time.Date(2026, 11, 11, 0, 0, 0, 123456789, time.UTC), skus: 1, ceiling: 1234567.89, commit: "abc",
		about:   sale.About{Name: "http", Version: "0.1.0", Durability: "fsync on 2 of 3 nodes", Replicas: 3, Nodes: 3, Sink: "sqlite"},
		fsync:   probe.Fsync{Count: 9, P50: 98765 * time.Nanosecond, P99: time.Millisecond, Max: 2 * time.Millisecond},
		machine: probe.Machine{CPU: "Chip", Cores: 2, OS: "linux 6", Go: "go1.26"},
	}
	r := newResult(&cfg, k)
	addLoad(r, &load.Report{
		Loop: load.Open, Totals: load.Counts{Calls: 100, Accepted: 900, Refused: 90, Failed: 9, Unknown: 1}, Within: load.Counts{Accepted: 899, Refused: 90},
		Window: 10 * time.Second, Latency: h, Refusals: h, Failures: load.NewHistogram(), Lag: load.NewHistogram(), Missed: 3, Full: 2, Abandoned: 1,
		Reasons:   map[string]int64{"sold_out": 90, "overloaded": 9},
		Intervals: []load.Interval{{Phase: load.Warming, At: -2 * time.Second}, {Phase: load.Measuring, Length: 10 * time.Second, Counts: load.Counts{Accepted: 899}}},
	})
	addAudit(r, &audit.Findings{Lost: 1, Checked: 900, Stored: 900, Texts: []string{"order 1 of thing is lost"}})
	r.Thresholds = append(r.Thresholds, threshold(t, "p99 < 5 ms").Hold(r))
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "result.golden.json")
	if *refresh {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != string(text) {
		t.Errorf("%v: it is\n%s", err, text)
	}
}

func threshold(t *testing.T, text string) Threshold {
	t.Helper()
	limit, err := ParseThreshold(text)
	if err != nil {
		t.Fatal(err)
	}
	return limit
}

func TestThresholds(t *testing.T) {
	r := &Result{Accepted: 100, AcceptedPerS: 1000, Errors: 2}
	r.Latency.P50, r.Latency.P99, r.Latency.P999, r.Latency.Max = 0.5, 5, 7, 9
	for text, want := range map[string]struct {
		passed bool
		value  float64
	}{
		"p99<5ms": {false, 5}, "p99<=5ms": {true, 5}, " p99 < 5.1ms ": {true, 5}, "p99<5100us": {true, 5000}, "p99<1s": {true, 0.005}, "p99_9<7.5ms": {true, 7},
		"p99.9<7ms": {false, 7}, "max>8ms": {true, 9}, "p50<500us": {false, 500}, "accepted_per_s>999": {true, 1000}, "accepted_per_s>1e3": {false, 1000},
		"accepted>=100": {true, 100}, "errors<3": {true, 2}, "errors<=0": {false, 2}, "unknown<1": {true, 0}, "refused_per_s<=0": {true, 0},
		// Nobody was refused: no refusal was fast.
		"refused_p99<1s": {false, 0},
	} {
		t.Run(text, func(t *testing.T) {
			got := threshold(t, text).Hold(r)
			if got.Passed != want.passed || math.Abs(got.Value-want.value) > 1e-9 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestThresholdsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"": "not a name", "p99": "not a name", "p99<": "not a name", "p99=5ms": "not a name", "p99<5": "needs a unit", "p99<5h": "needs a unit", "p98<5ms": "there is no figure \"p98\"; there are p50, p90",
		"accepted_per_s>100ms": "has no unit", "<5ms": "not a name", "p99<-1ms": "not a name", "p99<5ms p50<1ms": "not a name",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := ParseThreshold(text); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--threshold") {
				t.Errorf("%v", err)
			}
		})
	}
}

// What cannot be meant is refused before anything is opened, in words that name the flag.
func TestConfigsThatAreRefused(t *testing.T) {
	const addr = "http://127.0.0.1:8080"
	for name, test := range map[string]struct {
		change func(c *Config)
		want   string
	}{
		"scenario":             {func(c *Config) { c.Scenario = "hott" }, "--scenario is one of hot, soldout"},
		"target":               {func(c *Config) { c.Target = "mysql://x:secret@y" }, "--target is in-process"},
		"target's path":        {func(c *Config) { c.Target = addr + "/v1" }, "--target: \"" + addr + "/v1\""},
		"one of the addresses": {func(c *Config) { c.Target, c.AdminAddr = addr+",127.0.0.1:1", addr }, "\"127.0.0.1:1\" is not the address"},
		"no admin":             {func(c *Config) { c.Target = addr }, "--admin-addr is missing"},
		"admin for nobody":     {func(c *Config) { c.AdminAddr = addr }, "--admin-addr is for http targets"},
		"rate":                 {func(c *Config) { c.Rate = -1 }, "--rate"},
		"rate without end":     {func(c *Config) { c.Rate = math.Inf(1) }, "--rate"},
		"storage in-process":   {func(c *Config) { c.Storage = "orders.db" }, "--storage is for http targets"},
		"sink":                 {func(c *Config) { c.Sink = "mysql" }, "--sink"},
		"nodes":                {func(c *Config) { c.Nodes = 2 }, "--nodes is 1 or 3"},
		"batch 0":              {func(c *Config) { c.Batch = 0 }, "--batch is 1 to 8192"},
		"batch":                {func(c *Config) { c.Batch = 8193 }, "--batch is 1 to 8192"},
		"clients":              {func(c *Config) { c.Clients = 0 }, "--clients"},
		"outstanding":          {func(c *Config) { c.MaxOutstanding = -1 }, "--max-outstanding"},
		"duration":             {func(c *Config) { c.Duration = 0 }, "--duration"},
		"warm-up":              {func(c *Config) { c.Warmup = -1 }, "--warmup"},
		"SKUs":                 {func(c *Config) { c.SKUs = -1 }, "--skus"},
		"skew":                 {func(c *Config) { c.Skew = math.NaN() }, "--skew"},
		"delay":                {func(c *Config) { c.FsyncDelay = -1 }, "--fsync-delay"},
		"delay elsewhere":      {func(c *Config) { c.Target, c.AdminAddr, c.FsyncDelay = addr, addr, 1 }, "--fsync-delay is for --target in-process"},
		"failover of one":      {func(c *Config) { c.Scenario, c.Nodes = Failover, 1 }, "needs --nodes 3"},
		"failover by address":  {func(c *Config) { c.Scenario, c.Target, c.AdminAddr = Failover, addr, addr }, "failover needs --target in-process"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			test.change(&cfg)
			_, err := Run(t.Context(), cfg)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
}
