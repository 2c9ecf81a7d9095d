// Package badinputtest reads the table of docs/bad-input.md for the tests that hold it, so that what a bad input is answered stands in one place.
//
// It promises: Run fails when a row has no case, a case no row, or an id stands twice. It assumes that each package runs the rows that name it in
// the column "tested in", all of them in one call.
//
// Files: table.go.
package badinputtest
