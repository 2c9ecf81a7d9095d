// Package report shows a measured run to people: as one HTML file that needs nothing else, and as the difference to an earlier run.
//
// It promises: a report is a single file without scripts and without anything from a network; all text in it is escaped; it is readable
// without colour, without sight of the plots and in light and dark; whatever was measured under other conditions than the baseline is said
// before any ratio. It assumes a result whose audit has run: it repeats what the audit found and judges nothing itself.
//
// Files: report.go the page, facts.go its tables, plots.go its plots, included.go what a run contains, compare.go the difference of two runs,
// page.tmpl.html and style.css the look.
package report
