// Package rival has what the rivals have in common: what they were told to sell. The rivals themselves are in the packages below it, each a sale.Target.
//
// It promises that a rival is answered for in the same words as we are: an order of a SKU in mode hold is held, and its units count as held; in mode
// on_order it is confirmed. Rivals know neither payments nor the end of a hold.
//
// Files: shelf.go.
package rival
