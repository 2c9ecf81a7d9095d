// Package demo is a whole sale in one command: a cluster of nodes, each a process of its own, a crowd over real HTTP, a power cut at the node that
// leads in the middle of it, and a proof.
//
// It promises: everything is sold, or it says why not; the three counts it compares share nothing (the clients' notes never leave this process, each
// node's log is replayed into an empty state, each node's SQLite is read through a connection of its own); the nodes are gone and their files are
// removed after Close. It assumes a POSIX system, on which a process can be killed without a chance to do anything more.
//
//	demo.go       from the first start to the proof
//	config.go     how large it is
//
//	fleet.go      the nodes together
//	power.go      one node's process, cut and restarted
//	label.go      whose log a line is of
//	settled.go    waiting until replicas are where they should be
//
//	sale.go       the sale, with somebody who looks after the nodes
//	outage.go     the power cut
//	crowd.go      who comes when
//	buyer.go      what one buyer does
//	spread.go     which node a request goes to
//	transport.go  the connections, and counting what had to be asked again
//	progress.go   the live line
//
//	told.go       the first count: what the clients were told
//	replayed.go   the second: what a log replays to
//	stored.go     the third: what SQLite holds
//	proof.go      the comparison
//	views.go      the orders of one source, and figures of several
//	orders.go     the rows about orders
//	units.go      the rows about units, buyers and payments
//	replicas.go   the rows that a cluster adds
package demo
