// Package rivaltest holds any sale.Target to what a sale must be: exact, limited, idempotent, definite. A rival that sells wrongly would be fast for free.
//
// It assumes a target that knows modes hold and on_order, and limits of none and 1.
//
// Files: sale.go, and bench.go for the rivals' benchmarks.
package rivaltest
