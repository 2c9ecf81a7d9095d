package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/bench"
	"holdfast/bench/load"
	"holdfast/bench/result"
)

// What was typed wrong is exit code 2, and a line that names the flag and what it wants.
func TestBenchRefuses(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for args, want := range map[string]string{
		"--scenario hott":                          "--scenario is one of hot, soldout, zipf, lifecycle, flash, failover, not \"hott\"",
		"--target nowhere":                         "--target is in-process, http://A[,http://B...], redis://... or postgres://..., not \"nowhere\"",
		"--target http://10.0.0.1:8080":            "--admin-addr is missing",
		"--rate -5":                                "--rate",
		"--rate lots":                              "--rate: \"lots\": a number is wanted",
		"--storage orders.db":                      "--storage is for http targets",
		"--nodes 2":                                "--nodes is 1 or 3",
		"--batch 8193":                             "--batch is 1 to 8192",
		"--batch 0":                                "--batch is 1 to 8192",
		"--clients 0":                              "--clients must be at least 1",
		"--max-outstanding 0":                      "--max-outstanding must be at least 1",
		"--duration 0s":                            "--duration must be positive",
		"--duration 10":                            "--duration",
		"--threshold p99":                          "such as p99<5ms",
		"--threshold p99<5":                        "needs a unit",
		"--threshold p98<5ms":                      "there are p50, p90, p99",
		"--sink mysql":                             "--sink",
		"--baseline " + none:                       "--baseline",
		"--report " + none + "/page.html":          "--report",
		"--report " + filepath.Dir(none):           "is a directory",
		"--target http://127.0.0.1:8080 --nodes 1": "--nodes is for --target in-process",
		"--target redis://localhost:1 --fsync-delay 1ms": "--fsync-delay is for --target in-process",
		"--target http://127.0.0.1:8080 --ca " + none:    "--ca",
		"--scenario failover --nodes 1":                  "needs --nodes 3",
		"hot":                                            "\"hot\" is one argument too many",
	} {
		t.Run(args, func(t *testing.T) {
			code, out, errs := run(nil, append([]string{"bench"}, strings.Split(args, " ")...)...)
			if code != ExitUsage || out != "" || !strings.Contains(errs, want) {
				t.Errorf("exit code %d: %s%s", code, out, errs)
			}
		})
	}
	if code, _, errs := run([]string{"HOLDFAST_SCENARIO=hott"}, "bench"); code != ExitUsage || !strings.Contains(errs, "(--scenario is from environment HOLDFAST_SCENARIO)") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// A variable for a node's storage is none of the business of a target that somebody else runs.
func TestBenchVariables(t *testing.T) {
	env := []string{"HOLDFAST_SINK=none", "HOLDFAST_SHARDS=8"}
	if _, _, errs := run(env, "bench", "--target", "http://10.0.0.1:8080"); !strings.Contains(errs, "--admin-addr is missing") {
		t.Error(errs)
	}
	env = []string{"HOLDFAST_ADMIN_ADDR=http://10.0.0.1:8081", "HOLDFAST_SCENARIO=hott"}
	if _, _, errs := run(env, "bench"); !strings.Contains(errs, "hott") {
		t.Error(errs)
	}
	if _, _, errs := run(nil, "bench", "--admin-addr", "http://10.0.0.1:8081"); !strings.Contains(errs, "--admin-addr is for http targets") {
		t.Error(errs)
	}
	env = []string{"HOLDFAST_THRESHOLD=p99<5ms,errors<nothing"}
	if code, _, errs := run(env, "bench"); code != ExitUsage || !strings.Contains(errs, "from environment HOLDFAST_THRESHOLD") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// Where nodes are when nobody says otherwise, their admin listeners are, too.
func TestUsualTarget(t *testing.T) {
	for target, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://127.0.0.1:9080": false, "http://127.0.0.1:8080,http://127.0.0.1:9080": false,
		"https://127.0.0.1:8080": false, "in-process": false,
	} {
		if usualTarget(target) != want {
			t.Errorf("%s: %v", target, !want)
		}
	}
}

// found is a result of an open loop in which something was refused.
func found() *result.Result {
	r := &result.Result{Scenario: "soldout", Target: "in-process", Nodes: 3, Loop: load.Open, Rate: 20_000, Clients: 64, Batch: 10, Seed: 1, DurationS: 10,
		Sink: "sqlite", FsyncDelayMS: 1, Accepted: 1_000, AcceptedPerS: 99.96, Refused: 199_000, RefusedPerS: 19_900.4, Errors: 3, Unknown: 2,
		Latency: result.Latency{P50: 0.812, P90: 1.5, P99: 4.25, P999: 12.34, Max: 1204}, Fsync: result.Fsync{P50: 0.1, P99: 0.25},
		Machine: result.Machine{CPU: "Chip", Cores: 2, OS: "linux 6", Go: "go1.26"}, Commit: "0123456789abcdef0123-dirty"}
	r.SKUs, r.WarmupS, r.CeilingPerS, r.MaxOutstanding, r.Missed, r.Full, r.Audited, r.Stored = 1, 2, 12_345_678, 1024, 7, 5, 1_000, 1_000
	r.RefusedLatency, r.Reasons = result.Latency{P50: 0.1, P90: 0.2, P99: 0.3, P999: 0.4, Max: 5}, map[string]int64{"sold_out": 199_000, "overloaded": 3}
	r.About.Durability, r.About.Replicas, r.About.Version = "fsync on 2 of 3 nodes", 3, "0.1.0"
	return r
}

const foundText = `MEASURED    
scenario    soldout, 1 SKU, 10 orders a call, seed 1
loop        open loop: 20,000 orders/s on a schedule, latency from the intended start, at most 1024 calls under way
target      in-process, 3 nodes, 3 replicas, fsync on 2 of 3 nodes, version 0.1.0, stored in sqlite
measured    10.0 s after 2.0 s of warm-up
accepted    100.0 orders/s (1,000)
  latency   p50 812us  p90 1.50ms  p99 4.25ms  p99.9 12.3ms  max 1.20s
refused     19,900 orders/s (199,000); with warm-up, refused or failed: sold_out 199,000, overloaded 3
  latency   p50 100us  p90 200us  p99 300us  p99.9 400us  max 5.00ms
errors      3, and 2 of which nothing is known by their answer
begun late  7 calls by more than 1ms, 5 came while all were under way; 0 orders never asked; lag p50 -  p90 -  p99 -  p99.9 -  max -
generator   could ask 12,345,678 orders/s of a target that does nothing
fsync       4 KiB, before the run: p50 100us, p99 250us, and 1.00ms added to each flush
machine     Chip, 2 cores, linux 6, go1.26, commit 0123456789ab-dirty
audit       PASS: oversold 0, undersold 0, lost 0, duplicated 0, limit broken 0; 1,000 orders looked at, 1,000 in storage
`

// concluded shows a result and returns the exit code.
func concluded(t *testing.T, b *benchmark, page string, r *result.Result) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	a := &app{Process: Process{Out: &o, Err: &e}, output: "table"}
	p, err := newPageFile(page)
	if err != nil {
		t.Fatal(err)
	}
	defer p.discard()
	code = codeOf(a.judge(b, p, r), true)
	return code, o.String(), e.String()
}

// A result for people says which loop it was, and all that its figures rest on.
func TestBenchShows(t *testing.T) {
	code, out, errs := concluded(t, &benchmark{}, "", found())
	if code != ExitOK || out != foundText || errs != "" {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	r := found()
	r.Loop, r.Rate, r.Interrupted = load.Closed, 0, true
	_, out, errs = concluded(t, &benchmark{}, "", r)
	for _, want := range []string{"closed loop: 64 callers, each waits for its answer", "INTERRUPTED"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if !strings.Contains(errs, "closed loop") {
		t.Error(errs)
	}
}

// A broken promise is exit code 98 and names what was broken; a threshold that was missed is 99, and the promise comes first.
func TestBenchExitCodes(t *testing.T) {
	slow := result.Threshold{Text: "p99<1ms", Value: 4.25}
	broken := result.Audit{Lost: 1}
	for name, test := range map[string]struct {
		audit      result.Audit
		thresholds []result.Threshold
		want       int
	}{
		"sound": {want: ExitOK}, "broken": {audit: broken, want: ExitBroken}, "slow": {thresholds: []result.Threshold{slow}, want: ExitThreshold},
		"broken and slow": {broken, []result.Threshold{slow}, ExitBroken},
		"fast":            {thresholds: []result.Threshold{{Text: "p99<5ms", Value: 4.25, Passed: true}}, want: ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			r := found()
			r.Audit, r.Thresholds = test.audit, test.thresholds
			if !test.audit.Passed() {
				r.Findings = []string{"order 17 of sneaker is lost"}
			}
			code, out, errs := concluded(t, &benchmark{}, "", r)
			if code != test.want {
				t.Errorf("exit code %d, not %d", code, test.want)
			}
			if !test.audit.Passed() && (!strings.Contains(errs, "broken: order 17 of sneaker is lost") || !strings.Contains(out, "FAIL: oversold 0, undersold 0, lost 1")) {
				t.Errorf("%s%s", out, errs)
			}
			if len(test.thresholds) > 0 && !strings.Contains(out, verdictWord(test.thresholds[0].Passed)+" "+test.thresholds[0].Text+" (4.25)") {
				t.Error(out)
			}
		})
	}
}

// The page comes into being complete, and only then; what stood there before stays until then.
func TestBenchPage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sale.html")
	before := found()
	before.AcceptedPerS = 50
	code, out, errs := concluded(t, &benchmark{baseline: "old.json", before: before}, path, found())
	text, err := os.ReadFile(path)
	if err != nil || code != ExitOK || !bytes.Contains(text, []byte("<html")) || !strings.Contains(out, "against old.json") || !strings.Contains(out, "better") {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	p, err := newPageFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p.discard()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// One node, a moment, all of it: JSON that reads as a result, a page, and a threshold that nobody could keep.
func TestBenchMeasures(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "sale.html")
	args := []string{"bench", "--nodes", "1", "--sink", "none", "--batch", "10", "--clients", "4", "--warmup", "50ms", "--duration", "200ms", "--dir", dir}
	code, out, errs := run(nil, append(args, "-o", "json", "--report", page, "--threshold", "accepted>0")...)
	r, err := result.Parse("standard output", []byte(out))
	if code != ExitOK || err != nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	if r.Accepted == 0 || r.Loop != load.Closed || r.Audited < r.Accepted || r.Fsync.P50 <= 0 || !r.Audit.Passed() || len(r.Thresholds) != 1 {
		t.Errorf("%+v", r)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("<html")) || !strings.Contains(errs, "closed loop") {
		t.Errorf("%v: %s", err, errs)
	}
	code, out, errs = run(nil, append(args, "--rate", "1000", "--threshold", "p99<1ns", "--threshold", "errors<1")...)
	if code != ExitThreshold || !strings.Contains(out, "open loop: 1,000 orders/s") || !strings.Contains(errs, "p99<1ns: it is") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// On a terminal an interval is a bar in one line, written again and again; elsewhere each is a line. Both say which loop it is.
func TestMeter(t *testing.T) {
	i := load.Interval{Phase: load.Measuring, Length: time.Second, Left: 6 * time.Second, Counts: load.Counts{Accepted: 12_345, Refused: 10, Failed: 2, Unknown: 1}}
	i.Latency = load.Percentiles{P50: 812 * time.Microsecond, P99: 4250 * time.Microsecond, Max: 1204 * time.Millisecond}
	i.Refusals = load.Percentiles{P99: 99 * time.Microsecond}
	const line = "measured    12,345 accepted/s  p50 812us    p99 4.25ms   max 1.20s     10 refused/s p99 99us  2 errors  1 unknown"
	for columns, want := range map[int]string{0: "s  " + line + "\n", 200: "s  [##########..........] " + line + "\r\x1b[K", 40: "s  [##########..........] measure\r\x1b[K"} {
		var to bytes.Buffer
		c := bench.DefaultConfig()
		m := newMeter(&to, columns, &c)
		m.phase("asking")
		m.interval(i)
		m.finish()
		said, shown, _ := strings.Cut(to.String(), "\n")
		if !strings.HasSuffix(said, "asking, closed loop: 64 callers, each waits for its answer") || !strings.HasSuffix(shown, want) {
			t.Errorf("%d columns: %q", columns, to.String())
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "-", 999: "1us", 1234 * time.Microsecond: "1.23ms", 12_345 * time.Microsecond: "12.3ms", 123_456 * time.Microsecond: "123ms", 61 * time.Second: "61.00s",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1_234_567: "1,234,567", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
