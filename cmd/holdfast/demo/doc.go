// Package demo is a whole sale in one command: a node as a process of its own, a crowd over real HTTP, a power cut in the middle, and a proof.
//
// It promises: everything is sold, or it says why not; the three counts it compares share nothing (the clients' notes never leave this process, the
// log is replayed into an empty state, SQLite is read through a connection of its own); the node is gone and its files are removed after Close.
// It assumes a POSIX system, on which a process can be killed without a chance to do anything more.
//
//	demo.go       the sale from the first start to the proof
//	config.go     how large it is
//	power.go      the node's process, cut and restarted
//	crowd.go      who comes when
//	buyer.go      what one buyer does
//	transport.go  the connections, and counting what had to be asked again
//	told.go       the first count: what the clients were told
//	replayed.go   the second: what the log replays to
//	stored.go     the third: what SQLite holds
//	proof.go      the comparison
//	progress.go   the live line
package demo
