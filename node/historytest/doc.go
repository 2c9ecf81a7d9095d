// Package historytest judges what callers of a cluster were told: it records their calls and holds each SKU's history against a model in which every
// call happens at one moment between its beginning and its end, one after the other (linearizability; Herlihy and Wing, 1990). The search is that of
// the library porcupine.
//
// It promises: a history that no such order explains is an error that shows where the longest attempt got stuck, and so is a search that takes too
// long. A call that got no answer may have happened at any later time, or never. It assumes that all calls are made by one process, that a SKU was
// new when the recording began, that nothing of it expires, is returned, adjusted or frozen meanwhile, and that a key which was refused is not used
// again unless an earlier call with it got no answer.
//
//	op.go        a call and its answer
//	recorder.go  a client that notes its calls
//	traders.go   callers that trade until they are told to stop
//	resolve.go   finding out what became of calls without an answer
//	check.go     the search, and what it says when it fails
//	narrow.go    what later answers say about calls without one
//	model.go     the rules of a SKU, as callers know them
//	settle.go    the same for orders that are there
//	moves.go     the order in which units moved, as the log indexes in the answers give it
//	state.go     the state of the model, and arrays that share what is alike
package historytest
