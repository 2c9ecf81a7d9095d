// Package curves measures how a figure changes with one condition at a time: orders a second and p99 against callers, batch, SKUs, shards,
// replicas, stored orders and payload.
//
// It promises: every point on a page or in a plot is the median of whole runs, each of which passed its audit and is kept, raw, beside it; a
// condition that was not measured is left out and said to be. It assumes that nothing else runs on the machine meanwhile.
//
//	go test ./bench/curves -run TestCurves -timeout 2h -args -measure            all of them
//	go test ./bench/curves -run TestCurves -timeout 2h -args -measure -only skus one of them
//	go test ./bench/curves -run TestCurves -args -refresh                        page and plots from what was measured
//
// Files: sweep.go the table of what is varied, point.go one run's conditions, measure.go the rounds,
// run.go the run in a cluster in this process, curve.go what was measured, store.go its
// file, table.go its tables, plots.go its plots.
package curves
