// Package targets holds the figures that were measured to the figures that were wanted.
//
// It promises: a figure is taken from a stored result and from nowhere else; one that was not measured is called that; one whose run failed its
// audit, was measured under other conditions than its target names, or stands without an fsync probe where the disk matters is an error and
// not a figure. It judges by the bound alone, not by how near it is. It assumes that results were stored by the commands of the table.
//
// Files: target.go what a target is, table.go all of them, source.go where figures come from, comparison.go from ours beside
// rivals, gobench.go from Go's own benchmarks, log.go from those of the log, page.go the page's table.
package targets
