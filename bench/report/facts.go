package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// summary are the figures that a reader looks for first.
func summary(r result.Result) table {
	rows := [][]string{{"accepted", fmt.Sprintf("%d orders, %s orders/s", r.Accepted, plot.Number(r.AcceptedPerS))},
		{"refused", fmt.Sprintf("%d orders, %s orders/s", r.Refused, plot.Number(r.RefusedPerS))},
		{"errors", fmt.Sprintf("%d orders", r.Errors)}, {"unknown", fmt.Sprintf("%d orders, by their first answer; the audit made them definite", r.Unknown)}}
	if r.Loop == "open" {
		rows = append(rows, []string{"started late", fmt.Sprintf("%d arrivals; their wait is part of their latency", r.Missed)})
		rows = append(rows, []string{"found no room", fmt.Sprintf("%d arrivals, with %d calls under way; their wait is part of the latency, too", r.Full, r.MaxOutstanding)})
	}
	if r.Abandoned > 0 {
		rows = append(rows, []string{"never asked for", fmt.Sprintf("%d orders that came before the end; their wait until then is part of the latency", r.Abandoned)})
	}
	if r.CeilingPerS > 0 {
		rows = append(rows, []string{"the load's own ceiling", plot.Number(r.CeilingPerS) + " orders/s of a target that does nothing"})
	}
	for _, g := range r.Gaps {
		rows = append(rows, []string{"leader lost", fmt.Sprintf("at %s s; no order accepted for %s ms", plot.Number(g.AtS), plot.Number(g.GapMS))})
	}
	return table{Caption: "What was answered", Rows: rows}
}

// latencies are the percentiles of successes and refusals.
func latencies(r result.Result) table {
	t := table{Caption: "Latency of a call in ms", Head: []string{"", "p50", "p90", "p99", "p99.9", "max"}}
	t.Rows = append(t.Rows, append([]string{"accepted"}, numbers(r.Latency)...))
	for _, l := range []struct {
		name string
		of   result.Latency
	}{{"refused", r.RefusedLatency}, {"not decided", r.FailedLatency}, {"begun late by", r.Lag}} {
		if l.of != (result.Latency{}) {
			t.Rows = append(t.Rows, append([]string{l.name}, numbers(l.of)...))
		}
	}
	return t
}

// reasons are refusals and failures by the target's code, the most frequent first.
func reasons(r result.Result) table {
	t := table{Caption: "Refusals and failures by reason", Head: []string{"reason", "orders"}}
	names := slices.SortedFunc(maps.Keys(r.Reasons), func(a, b string) int {
		if n := r.Reasons[b] - r.Reasons[a]; n != 0 {
			return int(max(-1, min(1, n)))
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		t.Rows = append(t.Rows, []string{name, fmt.Sprint(r.Reasons[name])})
	}
	return t
}

// audit is what answers, target and storage disagree about, and how much was looked at.
func audit(r result.Result) table {
	a := r.Audit
	t := table{Caption: "Audit", Head: []string{"", "orders"}}
	for _, f := range []struct {
		name  string
		count int64
	}{{"oversold", a.Oversold}, {"undersold", a.Undersold}, {"lost", a.Lost}, {"duplicated", a.Duplicated}, {"limit broken", a.LimitBroken}} {
		t.Rows = append(t.Rows, []string{f.name, fmt.Sprint(f.count)})
	}
	t.Rows = append(t.Rows, []string{"orders looked at", fmt.Sprint(r.Audited)}, []string{"rows in storage looked at", fmt.Sprint(r.Stored)},
		[]string{"outcomes that stayed unknown", fmt.Sprint(r.Unresolved)})
	return t
}

func thresholds(r result.Result) table {
	t := table{Caption: "Thresholds", Head: []string{"asked", "measured", "verdict"}}
	for _, h := range r.Thresholds {
		verdict := "missed"
		if h.Passed {
			verdict = "met"
		}
		t.Rows = append(t.Rows, []string{h.Text, plot.Number(h.Value), verdict})
	}
	return t
}

// conditions are what was asked of the run, and what it ran on.
func conditions(r result.Result) table {
	loop := "closed: a caller waits for its answer before it asks again"
	if r.Loop == "open" {
		loop = fmt.Sprintf("open: %s orders/s on a schedule, latency from the intended start", plot.Number(r.Rate))
	}
	started := "not recorded"
	if !r.Started.IsZero() {
		started = r.Started.UTC().Format(time.RFC3339)
	}
	rows := [][]string{{"scenario", r.Scenario}, {"target", r.Target}, {"version", r.About.Version}, {"nodes", fmt.Sprint(r.Nodes)},
		{"replicas", fmt.Sprint(r.About.Replicas)}, {"durability", r.About.Durability}, {"storage behind", r.Sink}, {"loop", loop},
		{"callers", fmt.Sprint(r.Clients)}, {"orders a call", fmt.Sprint(r.Batch)}, {"SKUs", fmt.Sprint(r.SKUs)}, {"skew", plot.Number(r.Skew)},
		{"shards", fmt.Sprint(r.Shards)}, {"bytes of user and key", payload(r)}, {"orders stored before", fmt.Sprint(r.Preloaded)},
		{"seed", fmt.Sprint(r.Seed)}, {"warm-up", plot.Number(r.WarmupS) + " s"}, {"duration", plot.Number(r.DurationS) + " s"}, {"started", started},
		{"fsync of 4 KiB on this disk", fmt.Sprintf("p50 %s ms, p99 %s ms, slowest %s ms", plot.Number(r.Fsync.P50), plot.Number(r.Fsync.P99), plot.Number(r.FsyncSlowest))},
		{"fsync delay added", plot.Number(r.FsyncDelayMS) + " ms"}, {"CPU", r.Machine.CPU}, {"cores", fmt.Sprint(r.Machine.Cores)},
		{"system", r.Machine.OS}, {"Go", r.Machine.Go}, {"commit", r.Commit}}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
	return table{Caption: "Conditions", Rows: rows}
}

// payload is "" where it is the scenario's own.
func payload(r result.Result) string {
	if r.PayloadBytes == 0 {
		return ""
	}
	return fmt.Sprint(r.PayloadBytes)
}

// changes is the difference to the baseline.
func changes(d *Difference) table {
	t := table{Caption: "Difference to the baseline", Head: []string{"figure", "unit", "baseline", "this run", "ratio", ""}}
	for _, c := range d.Changes {
		t.Rows = append(t.Rows, []string{c.Name, c.Unit, plot.Number(c.Baseline), plot.Number(c.Now), plot.Number(c.Ratio), c.Verdict})
	}
	return t
}
