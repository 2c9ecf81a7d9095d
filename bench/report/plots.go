package report

import (
	"fmt"
	"html/template"
	"math"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// figure is a plot with what it says in numbers.
type figure struct {
	SVG   template.HTML
	Table table
}

// table is rows of text under headings.
type table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// pointed makes a plot a part of the page; the plot has escaped what is in it.
func pointed(p plot.Plot, t table) figure { return figure{SVG: template.HTML(p.Fragment()), Table: t} }

// throughput is orders a second over time.
func throughput(r result.Result) figure {
	lines := []plot.Line{{Name: "accepted"}, {Name: "refused"}, {Name: "errors, unknown"}}
	t := table{Caption: "Orders a second, by interval", Head: []string{"from s", "accepted/s", "refused/s", "errors", "unknown"}}
	for _, i := range r.Intervals {
		if i.DurationS <= 0 {
			continue
		}
		middle := i.StartS + i.DurationS/2
		for n, count := range []int64{i.Accepted, i.Refused, i.Errors + i.Unknown} {
			lines[n].Points = append(lines[n].Points, plot.Point{X: middle, Y: float64(count) / i.DurationS})
		}
		t.Rows = append(t.Rows, []string{plot.Number(i.StartS), plot.Number(float64(i.Accepted) / i.DurationS), plot.Number(float64(i.Refused) / i.DurationS),
			fmt.Sprint(i.Errors), fmt.Sprint(i.Unknown)})
	}
	about := fmt.Sprintf("Accepted, refused and failed orders a second in %d intervals; the table below has the numbers.", len(t.Rows))
	return pointed(plot.Plot{Title: "Throughput over time", About: about, X: plot.Axis{Label: "s", FromZero: true}, Y: plot.Axis{Label: "orders/s", FromZero: true},
		Lines: seen(lines)}, t)
}

// latency is percentiles over time.
func latency(r result.Result) figure {
	lines := []plot.Line{{Name: "p50"}, {Name: "p90"}, {Name: "p99"}, {Name: "max"}}
	t := table{Caption: "Latency in ms, by interval", Head: []string{"from s", "p50", "p90", "p99", "p99.9", "max"}}
	for _, i := range r.Intervals {
		middle := i.StartS + i.DurationS/2
		for n, ms := range []float64{i.Latency.P50, i.Latency.P90, i.Latency.P99, i.Latency.Max} {
			lines[n].Points = append(lines[n].Points, plot.Point{X: middle, Y: ms})
		}
		t.Rows = append(t.Rows, append([]string{plot.Number(i.StartS)}, numbers(i.Latency)...))
	}
	about := fmt.Sprintf("Percentiles of latency on a logarithmic scale in %d intervals; the table below has the numbers.", len(t.Rows))
	return pointed(plot.Plot{Title: "Latency over time", About: about, X: plot.Axis{Label: "s", FromZero: true}, Y: plot.Axis{Label: "ms", Log: true}, Lines: lines}, t)
}

// distribution is latency against percentile, the rare ones spread out: x is 1/(1-q), on a logarithmic scale.
func distribution(r result.Result, baseline *result.Result) figure {
	lines := []plot.Line{{Name: "this run", Points: spread(r)}}
	if baseline != nil {
		lines = append(lines, plot.Line{Name: "baseline", Points: spread(*baseline)})
	}
	t := table{Caption: "Latency by percentile", Head: []string{"percentile", "ms"}}
	for _, q := range r.Percentiles {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("%.6g %%", 100*q.Fraction), plot.Number(q.MS)})
	}
	x := plot.Axis{Label: "percentile", Log: true, Say: func(rare float64) string { return fmt.Sprintf("%.6g %%", 100*(1-1/rare)) }}
	for i, text := range []string{"0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"} {
		x.Marks = append(x.Marks, plot.Mark{At: math.Pow10(i), Text: text + " %"})
	}
	about := "How long the slowest calls took, by percentile, both scales logarithmic; the table below has the numbers."
	return pointed(plot.Plot{Title: "Percentiles", About: about, X: x, Y: plot.Axis{Label: "ms", Log: true}, Lines: lines}, t)
}

func spread(r result.Result) []plot.Point {
	var points []plot.Point
	for _, q := range r.Percentiles {
		if rare := 1 / (1 - q.Fraction); q.Fraction < 1 && !math.IsInf(rare, 0) {
			points = append(points, plot.Point{X: rare, Y: q.MS})
		}
	}
	return points
}

// seen are the lines that are not 0 everywhere, and the first.
func seen(lines []plot.Line) []plot.Line {
	kept := lines[:1:1]
	for _, l := range lines[1:] {
		for _, at := range l.Points {
			if at.Y != 0 {
				kept = append(kept, l)
				break
			}
		}
	}
	return kept
}

func numbers(l result.Latency) []string {
	return []string{plot.Number(l.P50), plot.Number(l.P90), plot.Number(l.P99), plot.Number(l.P999), plot.Number(l.Max)}
}
