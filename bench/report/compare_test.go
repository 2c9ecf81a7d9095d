package report_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"holdfast/bench/report"
	"holdfast/bench/result"
)

func TestCompareSaysWhatGotWorse(t *testing.T) {
	before := sample()
	for name, c := range map[string]struct {
		change func(*result.Result)
		worse  []string
		notes  []string
	}{
		"nothing":       {func(*result.Result) {}, nil, nil},
		"within noise":  {func(r *result.Result) { r.AcceptedPerS *= 0.95; r.Latency.P99 *= 1.05 }, nil, nil},
		"slower":        {func(r *result.Result) { r.AcceptedPerS /= 2; r.Latency.P99 *= 3 }, []string{"accepted", "latency p99"}, nil},
		"faster":        {func(r *result.Result) { r.AcceptedPerS *= 2; r.Latency.P99 /= 3; r.Unknown = 0 }, nil, nil},
		"more refusals": {func(r *result.Result) { r.RefusedLatency.P50 = 5; r.Errors = 120 }, []string{"refusals p50", "errors"}, nil},
		"a longer gap":  {func(r *result.Result) { r.Gaps = []result.Gap{{GapMS: 100}, {GapMS: 9000}} }, []string{"longest gap"}, nil},
		"another shape": {func(r *result.Result) { r.Batch, r.SKUs = 100, 1000 }, nil, []string{"batch: 10 in the baseline, 100 in this run", "SKUs: 1 in the baseline, 1000 in this run"}},
		"another scenario and target": {func(r *result.Result) { r.Scenario, r.Target = "hot", "redis" }, nil,
			[]string{"scenario: soldout in the baseline, hot in this run", "target: in-process in the baseline, redis in this run"}},
		"no sink":      {func(r *result.Result) { r.Sink = "" }, nil, []string{"sink: sqlite in the baseline, nothing in this run"}},
		"another disk": {func(r *result.Result) { r.Fsync.P50 = 1 }, nil, []string{"the disk: an fsync took 0.1 ms in the baseline, 1 ms in this run"}},
		"went wrong":   {func(r *result.Result) { r.Audit.Oversold = 1 }, nil, []string{"this run failed its audit: its figures are of orders that went wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			now := sample()
			c.change(&now)
			d := report.Compare(now, before)
			var worse []string
			for _, change := range d.Worse() {
				worse = append(worse, change.Name)
			}
			if !slices.Equal(worse, c.worse) || !slices.Equal(d.Notes, c.notes) {
				t.Errorf("worse is %q, notes are %q", worse, d.Notes)
			}
			text := d.String()
			if strings.Contains(text, "NOT THE SAME WORK") != (len(c.notes) > 0) {
				t.Errorf("the text is\n%s", text)
			}
			_, page := shown(t, written(t, now, &before))
			for _, note := range c.notes {
				if !strings.Contains(text, note) || !strings.Contains(page, note) {
					t.Errorf("%q is not said", note)
				}
			}
		})
	}
}

func TestRatioToNothing(t *testing.T) {
	before, now := sample(), sample()
	before.Errors = 0
	for _, c := range report.Compare(now, before).Changes {
		if c.Name == "errors" && (!math.IsNaN(c.Ratio) || c.Verdict != "worse") {
			t.Errorf("errors where there were none: %+v", c)
		}
	}
	if text := report.Compare(now, before).String(); strings.Contains(text, "NaN") {
		t.Error(text)
	}
}
