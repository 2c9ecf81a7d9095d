// Package programtest finds the programs besides Go that tests need.
//
// It promises: a test whose program is missing says so and skips; with CI=true in the environment it fails, so that nothing skips in silence where it
// counts. It assumes nothing.
//
// Files: find.go.
package programtest
