package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/bench/load"
	"holdfast/bench/report"
	"holdfast/bench/result"
)

// showMeasured prints a result, what its audit found, and the difference to the baseline.
func (a *app) showMeasured(b *benchmark, r *result.Result) error {
	if err := a.print(r, table{head: []string{"MEASURED", ""}, rows: measuredRows(r)}); err != nil {
		return err
	}
	for _, text := range r.Findings {
		if r.Audit.Passed() {
			a.note("audit: %s", text)
		} else {
			a.note("broken: %s", text)
		}
	}
	if r.Loop == load.Closed {
		a.note("closed loop: latency is what callers saw who waited for each other; --rate measures what a crowd sees")
	}
	if b.before != nil && a.output == "table" {
		d := report.Compare(*r, *b.before)
		fmt.Fprintf(a.Out, "\nagainst %s:\n%s", b.baseline, d.String())
	}
	return nil
}

// measuredRows are a result for people: each row says one thing, and what it rests on.
func measuredRows(r *result.Result) [][]string {
	rows := [][]string{
		{"scenario", fmt.Sprintf("%s, %s, %s a call, seed %d", r.Scenario, several(r.SKUs, "SKU"), several(r.Batch, "order"), r.Seed)},
		{"loop", loopText(r.Rate, r.Clients, r.MaxOutstanding)},
		{"target", targetText(r)},
		{"measured", measuredText(r)},
		{"accepted", fmt.Sprintf("%s orders/s (%s)", perSecond(r.AcceptedPerS), count(r.Accepted))},
		{"  latency", latencyText(r.Latency)},
		{"refused", fmt.Sprintf("%s orders/s (%s)%s", perSecond(r.RefusedPerS), count(r.Refused), reasonsText(r.Reasons))},
	}
	if r.Refused > 0 {
		rows = append(rows, []string{"  latency", latencyText(r.RefusedLatency)})
	}
	rows = append(rows, []string{"errors", fmt.Sprintf("%s, and %s of which nothing is known by their answer", count(r.Errors), count(r.Unknown))})
	for _, g := range r.Gaps {
		rows = append(rows, []string{"leader lost", fmt.Sprintf("at %.1f s; nothing accepted for %.0f ms", g.AtS, g.GapMS)})
	}
	if r.Loop == load.Open {
		rows = append(rows, []string{"begun late", fmt.Sprintf("%s calls by more than 1ms, %s came while all were under way; %s orders never asked; lag %s",
			count(int64(r.Missed)), count(int64(r.Full)), count(int64(r.Abandoned)), latencyText(r.Lag))})
	}
	rows = append(rows,
		[]string{"generator", fmt.Sprintf("could ask %s orders/s of a target that does nothing", perSecond(r.CeilingPerS))},
		[]string{"fsync", fmt.Sprintf("4 KiB, before the run: p50 %s, p99 %s%s", milli(r.Fsync.P50), milli(r.Fsync.P99), delayText(r.FsyncDelayMS))},
		[]string{"machine", fmt.Sprintf("%s, %d cores, %s, %s, commit %s", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, shortCommit(r.Commit))},
		[]string{"audit", auditText(r)},
	)
	for _, t := range r.Thresholds {
		rows = append(rows, []string{"threshold", fmt.Sprintf("%s %s (%.6g)", verdictWord(t.Passed), t.Text, t.Value)})
	}
	return rows
}

func targetText(r *result.Result) string {
	text := fmt.Sprintf("%s, %s, %s, %s", r.Target, several(r.Nodes, "node"), several(r.About.Replicas, "replica"), r.About.Durability)
	if r.About.Version != "" {
		text += ", version " + r.About.Version
	}
	if r.Sink != "" {
		text += ", stored in " + r.Sink
	}
	return text
}

func measuredText(r *result.Result) string {
	text := fmt.Sprintf("%.1f s after %.1f s of warm-up", r.DurationS, r.WarmupS)
	if r.Interrupted {
		text += "; INTERRUPTED"
	}
	return text
}

func latencyText(l result.Latency) string {
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", milli(l.P50), milli(l.P90), milli(l.P99), milli(l.P999), milli(l.Max))
}

func auditText(r *result.Result) string {
	a := r.Audit
	text := fmt.Sprintf("%s: oversold %d, undersold %d, lost %d, duplicated %d, limit broken %d; %s orders looked at", verdictWord(a.Passed()),
		a.Oversold, a.Undersold, a.Lost, a.Duplicated, a.LimitBroken, count(r.Audited))
	if r.Stored > 0 {
		text += fmt.Sprintf(", %s in storage", count(r.Stored))
	}
	return text
}

// reasonsText lists refusals and failures by reason, the most frequent first.
func reasonsText(reasons map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(reasons), func(x, y string) int {
		if reasons[x] != reasons[y] {
			return int(min(max(reasons[y]-reasons[x], -1), 1))
		}
		return strings.Compare(x, y)
	})
	var texts []string
	for _, name := range names {
		texts = append(texts, fmt.Sprintf("%s %s", name, count(reasons[name])))
	}
	if len(texts) == 0 {
		return ""
	}
	return "; with warm-up, refused or failed: " + strings.Join(texts, ", ")
}

func milli(ms float64) string { return short(time.Duration(ms * float64(time.Millisecond))) }

func delayText(ms float64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s added to each flush", milli(ms))
}

// several is a number of things.
func several(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(int64(n)) + " " + thing + "s"
}

// perSecond shows a rate: a slow one with a decimal.
func perSecond(rate float64) string {
	if rate < 100 {
		return fmt.Sprintf("%.1f", rate)
	}
	return count(int64(rate + 0.5))
}

// shortCommit is as much of a commit as people read.
func shortCommit(commit string) string {
	hash, dirty, changed := strings.Cut(commit, "-")
	if changed {
		dirty = "-" + dirty
	}
	return hash[:min(len(hash), 12)] + dirty
}
