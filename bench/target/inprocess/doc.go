// Package inprocess measures Holdfast without HTTP: one or three nodes in this process, whose orders enter by function call at the gateway of the node
// that leads their SKU. Everything below the gateway is as it is served: the replicas talk over loopback sockets, the logs are real files with real
// fsyncs, storage is filled behind. The load shares the process, its cores and its garbage collector with the nodes.
//
// It promises that nothing is left on disk after Close, and that an answer is Failed only when nothing happened.
//
// A leader is killed as nearly as its process can outlive it (node.Node.Kill): from one moment on it is asked nothing any more, its replicas and its peer
// port go, leadership is not handed over, nothing is flushed. Unlike kill -9 its replicas wait up to a quarter of a second for proposals under way,
// which can make a gap longer, not shorter.
//
// It assumes that a PostgreSQL sink is empty or was written by the same kind of run (Config.AdoptSink).
//
// Files: config.go what is opened; fleet.go the nodes, killed and healed; settle.go when they have; place.go orders; ask.go all other requests; patience.go
// how long they may take; orders.go what is kept; addresses.go where they listen; slowfs.go a slower fsync; errors.go.
package inprocess
