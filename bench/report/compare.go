package report

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// tolerance is how far two runs may lie apart and still be called the same: a shared machine gives no better.
const tolerance = 0.10

// Difference is what changed from an earlier run to a later one.
type Difference struct {
	// Notes say what the two do not have in common: with any of them the ratios do not compare the same work on the same machine.
	Notes   []string
	Changes []Change
}

// Change is one figure in both runs.
type Change struct {
	Name, Unit    string
	Baseline, Now float64
	// Ratio is Now to Baseline; NaN when Baseline is 0.
	Ratio float64
	// Verdict is better, worse or same; "" where more is neither.
	Verdict string
}

// sense is which way a figure gets better.
type sense int

const (
	neither sense = iota
	moreIsBetter
	lessIsBetter
)

// Compare sets a run beside an earlier one.
func Compare(now, baseline result.Result) Difference {
	d := Difference{Notes: differentWork(now, baseline)}
	d.add("accepted", "orders/s", baseline.AcceptedPerS, now.AcceptedPerS, moreIsBetter)
	d.add("refused", "orders/s", baseline.RefusedPerS, now.RefusedPerS, moreIsBetter)
	d.latency("latency", baseline.Latency, now.Latency)
	d.latency("refusals", baseline.RefusedLatency, now.RefusedLatency)
	d.add("errors", "orders/s", perSecond(baseline.Errors, baseline), perSecond(now.Errors, now), lessIsBetter)
	d.add("unknown", "orders/s", perSecond(baseline.Unknown, baseline), perSecond(now.Unknown, now), lessIsBetter)
	d.add("longest gap", "ms", longest(baseline.Gaps), longest(now.Gaps), lessIsBetter)
	d.add("fsync p50", "ms", baseline.Fsync.P50, now.Fsync.P50, neither)
	d.add("fsync p99", "ms", baseline.Fsync.P99, now.Fsync.P99, neither)
	return d
}

func (d *Difference) latency(name string, baseline, now result.Latency) {
	d.add(name+" p50", "ms", baseline.P50, now.P50, lessIsBetter)
	d.add(name+" p90", "ms", baseline.P90, now.P90, lessIsBetter)
	d.add(name+" p99", "ms", baseline.P99, now.P99, lessIsBetter)
	d.add(name+" p99.9", "ms", baseline.P999, now.P999, lessIsBetter)
	d.add(name+" max", "ms", baseline.Max, now.Max, lessIsBetter)
}

// add adds a figure, unless it is 0 in both runs.
func (d *Difference) add(name, unit string, baseline, now float64, way sense) {
	if baseline == 0 && now == 0 {
		return
	}
	c := Change{Name: name, Unit: unit, Baseline: baseline, Now: now, Ratio: math.NaN()}
	if baseline != 0 {
		c.Ratio = now / baseline
	}
	if way != neither {
		c.Verdict = verdict(baseline, now, way)
	}
	d.Changes = append(d.Changes, c)
}

func verdict(baseline, now float64, way sense) string {
	switch {
	case math.Abs(now-baseline) <= tolerance*baseline:
		return "same"
	case (now > baseline) == (way == moreIsBetter):
		return "better"
	}
	return "worse"
}

func perSecond(count int64, r result.Result) float64 {
	if r.DurationS <= 0 {
		return 0
	}
	return float64(count) / r.DurationS
}

func longest(gaps []result.Gap) float64 {
	var most float64
	for _, g := range gaps {
		most = max(most, g.GapMS)
	}
	return most
}

// differentWork says what the two runs do not have in common.
func differentWork(now, baseline result.Result) []string {
	var notes []string
	for _, f := range []struct {
		name          string
		baseline, now any
	}{
		{"scenario", baseline.Scenario, now.Scenario}, {"target", baseline.Target, now.Target}, {"nodes", baseline.Nodes, now.Nodes},
		{"loop", baseline.Loop, now.Loop}, {"rate", baseline.Rate, now.Rate}, {"clients", baseline.Clients, now.Clients}, {"batch", baseline.Batch, now.Batch},
		{"SKUs", baseline.SKUs, now.SKUs}, {"skew", baseline.Skew, now.Skew}, {"shards", baseline.Shards, now.Shards},
		{"payload bytes", baseline.PayloadBytes, now.PayloadBytes}, {"orders stored before", baseline.Preloaded, now.Preloaded},
		{"sink", baseline.Sink, now.Sink}, {"fsync delay ms", baseline.FsyncDelayMS, now.FsyncDelayMS}, {"durability", baseline.About.Durability, now.About.Durability},
		{"replicas", baseline.About.Replicas, now.About.Replicas}, {"CPU", baseline.Machine.CPU, now.Machine.CPU}, {"cores", baseline.Machine.Cores, now.Machine.Cores},
		{"system", baseline.Machine.OS, now.Machine.OS}, {"Go", baseline.Machine.Go, now.Machine.Go},
	} {
		if f.baseline != f.now {
			notes = append(notes, fmt.Sprintf("%s: %v in the baseline, %v in this run", f.name, said(f.baseline), said(f.now)))
		}
	}
	if slower := now.Fsync.P50 / baseline.Fsync.P50; baseline.Fsync.P50 > 0 && now.Fsync.P50 > 0 && (slower > 1.5 || slower < 1/1.5) {
		notes = append(notes, fmt.Sprintf("the disk: an fsync took %s ms in the baseline, %s ms in this run", plot.Number(baseline.Fsync.P50), plot.Number(now.Fsync.P50)))
	}
	if !baseline.Audit.Passed() {
		notes = append(notes, "the baseline failed its audit: its figures are of orders that went wrong")
	}
	if !now.Audit.Passed() {
		notes = append(notes, "this run failed its audit: its figures are of orders that went wrong")
	}
	return notes
}

func said(v any) any {
	if v == "" {
		return "nothing"
	}
	return v
}

// Worse are the figures that got worse.
func (d Difference) Worse() []Change {
	var worse []Change
	for _, c := range d.Changes {
		if c.Verdict == "worse" {
			worse = append(worse, c)
		}
	}
	return worse
}

// String is the difference as text for a terminal.
func (d Difference) String() string {
	var b strings.Builder
	if len(d.Notes) > 0 {
		b.WriteString("NOT THE SAME WORK OR MACHINE as the baseline; the ratios say little:\n")
		for _, n := range d.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tunit\tbaseline\tthis run\tratio\t")
	for _, c := range d.Changes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.Unit, plot.Number(c.Baseline), plot.Number(c.Now), plot.Number(c.Ratio), c.Verdict)
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%d worse; within %.0f %% counts as the same\n", len(d.Worse()), 100*tolerance)
	return b.String()
}
