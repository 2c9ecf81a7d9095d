// Package stocktest is a second reading of the rules of package stock, to test the first one with: an oracle that is obvious rather than fast,
// random command sequences that make the rules collide, and comparisons that name the first difference.
//
// It promises that Oracle answers every command as rules R1 to R8, R22 and R27 ask, from loops over plain slices: no index is kept
// that could disagree with the rows. What is counted per user, which key is taken and what is due are looked up anew each time.
//
// It assumes what the API checks before anything enters the log: quantities of at least 1, deltas that are not 0, texts and specs in range.
// Positions never go back, neither in index nor in time.
//
//	oracle.go    the shard: settings, SKUs, who answers which command
//	row.go       one order or fence, and the SKU that owns it: lookups, counting, release of what is due
//	place.go     Place and Fence
//	order.go     Confirm, Cancel, Return
//	admin.go     Create, Update, Adjust, Freeze, SetSettings
//	mark.go      FlushMark, FlushSpan: what leaves memory
//	read.go      queries, all orders, counters
//	compare.go   the first difference between two answers or states
//	step.go      positions and steps of a sequence, and the two sources of chance
//	sequence.go  the writer of sequences: when and what comes next
//	draw.go      the commands it writes
package stocktest
