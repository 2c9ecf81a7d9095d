package report_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/bench/report"
	"holdfast/bench/result"
	"holdfast/bench/sale"
)

var keep = flag.String("keep", "", "write the sample's report to this file, to be looked at")

// sample is a run whose every part has something to show.
func sample() result.Result {
	r := result.Result{Scenario: "soldout", Target: "in-process", Nodes: 3, Loop: "open", Rate: 50_000, Clients: 64, Batch: 10, Seed: 7, DurationS: 10, Sink: "sqlite",
		Accepted: 300_000, AcceptedPerS: 30_000, Refused: 190_000, RefusedPerS: 19_000, Errors: 12, Unknown: 3,
		Latency: result.Latency{P50: 1.2, P90: 2, P99: 4.5, P999: 9.25, Max: 31}, Fsync: result.Fsync{P50: 0.1, P99: 0.3},
		Machine: result.Machine{CPU: "a processor", Cores: 2, OS: "linux", Go: "go1"}, Commit: "abcdef0"}
	r.Details = result.Details{Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), WarmupS: 2, SKUs: 1, Shards: 4, Missed: 17, CeilingPerS: 2e6,
		About: sale.About{Name: "in-process", Version: "dev", Durability: "fsync on 2 of 3 nodes", Replicas: 3, Nodes: 3, Sink: "sqlite"},
		Full:  5, MaxOutstanding: 4096, Abandoned: 8, FsyncSlowest: 0.75, Audited: 490_015, Stored: 300_001, Unresolved: 1, Interrupted: true,
		Lag: result.Latency{P50: 0.011}, FailedLatency: result.Latency{P99: 77},
		RefusedLatency: result.Latency{P50: 0.2, P99: 0.9, Max: 3}, Reasons: map[string]int64{"sold_out": 190_000, "overloaded": 12},
		Thresholds: []result.Threshold{{Text: "p99<5ms", Value: 4.5, Passed: true}, {Text: "errors=0", Value: 12}},
		Gaps:       []result.Gap{{AtS: 3, GapMS: 1180}}}
	for i := range 10 {
		accepted := int64(60_000 - 6000*i)
		r.Intervals = append(r.Intervals, result.Interval{StartS: float64(i), DurationS: 1, Accepted: accepted, Refused: 38_000, Errors: int64(i % 3),
			Latency: result.Latency{P50: 1 + float64(i%4)/10, P90: 2, P99: 4 + float64(i%5), P999: 9, Max: 20 + float64(i)}})
	}
	for i, q := range []float64{0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1} {
		r.Percentiles = append(r.Percentiles, result.Quantile{Fraction: q, MS: 0.5 * float64(int(1)<<i)})
	}
	return r
}

func written(t *testing.T, r result.Result, baseline *result.Result) string {
	t.Helper()
	var b strings.Builder
	if err := report.Write(&b, r, baseline); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// shown returns what a page has: its elements, and its text. The page must be well formed, save for HTML's void elements.
func shown(t *testing.T, page string) (elements map[string]int, text string) {
	t.Helper()
	elements = map[string]int{}
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local]++
			for _, a := range token.Attr {
				switch a.Name.Local {
				case "src", "href", "srcset", "data", "action":
					t.Errorf("%s leads out of the page: %s=%q", token.Name.Local, a.Name.Local, a.Value)
				}
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("%s has a script: %s", token.Name.Local, a.Name.Local)
				}
			}
		case xml.CharData:
			b.Write(token)
		}
	}
}

func TestReportShowsEverything(t *testing.T) {
	r := sample()
	page := written(t, r, nil)
	if *keep != "" {
		older := sample()
		older.Clients, older.AcceptedPerS, older.Latency.P99 = 32, 40_000, 3
		if err := os.WriteFile(*keep, []byte(written(t, r, &older)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	elements, text := shown(t, page)
	if elements["svg"] != 3 || elements["script"]+elements["link"]+elements["img"]+elements["iframe"] != 0 || elements["h1"] != 1 || elements["main"] != 1 {
		t.Errorf("elements are %v", elements)
	}
	if elements["table"] != elements["caption"] || elements["desc"] != elements["svg"] {
		t.Errorf("a table without caption or a plot without description: %v", elements)
	}
	for _, want := range []string{"Audit passed", "300000 orders, 30 k orders/s", "sold_out", "190000", "overloaded", "p99<5ms", "met", "errors=0", "missed", "Thresholds missed: 1",
		"open: 50 k orders/s", "17 arrivals", "2 M orders/s of a target", "no order accepted for 1180 ms", "fsync on 2 of 3 nodes", "p50 0.1 ms, p99 0.3 ms, slowest 0.75 ms", "5 arrivals, with 4096 calls", "8 orders that came", "490015", "300001", "0.011", "77", "interrupted", "abcdef0",
		"a processor", "99.99 %", "HTTP: orders enter by function call", "2026-01-02T03:04:05Z", "9.25", "prefers-color-scheme", "this run: 99.9 %, 32 ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "://") {
		t.Error("the page names an address")
	}
	if strings.Index(text, "sold_out") > strings.Index(text, "overloaded") {
		t.Error("the most frequent reason is not the first")
	}
}

func TestReportOfNothing(t *testing.T) {
	_, text := shown(t, written(t, result.Result{}, &result.Result{}))
	for _, want := range []string{"nothing to show", "0 worse"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestFailedAuditIsSaid(t *testing.T) {
	r := sample()
	r.Audit.Lost, r.Findings = 2, []string{"order k-17 was accepted and is not there"}
	_, text := shown(t, written(t, r, nil))
	for _, want := range []string{"AUDIT FAILED", "order k-17 was accepted and is not there"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "Audit passed") {
		t.Error("the page says that the audit passed")
	}
}

// TestEverythingIsEscaped puts markup into every text of a result, whatever it is called.
func TestEverythingIsEscaped(t *testing.T) {
	const hostile = `"'></style></title></svg><script>alert(1)</script><img src=x onerror=alert(1)>`
	r := sample()
	r.Findings = []string{""}
	count := poison(reflect.ValueOf(&r).Elem(), hostile)
	r.Reasons = map[string]int64{hostile: 1}
	if count < 15 {
		t.Fatalf("only %d texts found", count)
	}
	baseline := sample()
	elements, text := shown(t, written(t, r, &baseline))
	if elements["script"]+elements["img"] != 0 || elements["style"] != 1 {
		t.Errorf("elements are %v", elements)
	}
	if strings.Count(text, hostile) < 10 {
		t.Error("the texts are not shown as they are")
	}
}

// poison sets every string below v, and returns how many there are.
func poison(v reflect.Value, text string) int {
	count := 0
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return 1
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return 0
		}
		for i := range v.NumField() {
			count += poison(v.Field(i), text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			count += poison(v.Index(i), text)
		}
	}
	return count
}
