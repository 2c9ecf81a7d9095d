// Package result is what one measured run found, in the shape in which it is printed, stored and compared. Whoever runs writes it; the
// report, the curves and the pages read it, and need not know how it was measured.
//
// The names in JSON are a contract: fields are added, never renamed or removed. A field that a run could not fill is its zero value.
//
// Files: result.go a run, series.go its course over time and its distribution, sound.go
// what may be published, file.go results as files.
package result
