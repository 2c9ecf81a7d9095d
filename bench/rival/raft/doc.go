// Package raft sells with hashicorp/raft as it is usually embedded, as a rival: one Raft entry an order, which the state machine of every node decodes and
// decides, and whose future answers the caller. Refusals go through the log, too.
//
// It promises a state machine that is correct: stock never below zero, limits kept, one order for each key. The log is ours (package wal), so that the
// design is compared and not the log; the nodes are in this process, on loopback sockets and files of their own. Raft batches what waits into one append.
//
// It assumes that its directory is new. It makes no snapshots and keeps everything in memory.
//
// Files: target.go what a target must be able to do; place.go orders; node.go one node; machine.go the state machine; entry.go what is in an entry.
package raft
