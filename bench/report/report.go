package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

//go:embed page.tmpl.html
var pageText string

//go:embed style.css
var style string

var page = template.Must(template.New("page").Parse(pageText))

// view is what the page shows.
type view struct {
	Title       string
	Style       template.CSS
	Passed      bool
	Interrupted bool
	Findings    []string
	Missed      int
	Summary     table
	Latencies   table
	Audit       table
	Thresholds  table
	Reasons     table
	Conditions  table
	Figures     []figure
	In, Out     []string
	Difference  *Difference
	Changes     table
	Worse       int
	Tolerance   string
}

// Write writes the report of a run. With a baseline it shows the difference, too.
func Write(w io.Writer, r result.Result, baseline *result.Result) error {
	v := view{Title: fmt.Sprintf("%s on %s, %d nodes, %s loop", r.Scenario, r.Target, r.Nodes, r.Loop), Style: template.CSS(style + plot.Style),
		Passed: r.Audit.Passed(), Interrupted: r.Interrupted, Findings: r.Findings, Summary: summary(r), Latencies: latencies(r), Audit: audit(r), Thresholds: thresholds(r),
		Reasons: reasons(r), Conditions: conditions(r), Figures: []figure{throughput(r), latency(r), distribution(r, baseline)}}
	v.In, v.Out = included(r)
	for _, h := range r.Thresholds {
		if !h.Passed {
			v.Missed++
		}
	}
	if baseline != nil {
		d := Compare(r, *baseline)
		v.Difference, v.Changes, v.Worse, v.Tolerance = &d, changes(&d), len(d.Worse()), fmt.Sprintf("%.0f %%", 100*tolerance)
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("writing a report: %w", err)
	}
	return nil
}
