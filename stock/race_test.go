//go:build race

package stock_test

// The race detector slows the oracle down tenfold and finds nothing in code without goroutines: a few sequences do.
func init() { *sequences = 3_000 }
