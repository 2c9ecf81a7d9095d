// Package node is the one wiring script: it opens a node bottom-up, from the data directory to the listeners, and closes it top-down. Serve, the
// demo, the benchmark and tests all go through it.
//
// It promises that Open returns a node that serves, or an error that says what to do about it, and that Drain answers what was admitted and flushes
// what can be flushed before anything closes.
//
// It assumes that the data directory belongs to this process alone; the log's lock holds it to that.
//
// Files: config.go and reached.go what can be set; access.go who may call; node.go open; hush_linux.go and
// hush_other.go ports that refuse until then; close.go, handover.go and kill.go drain, close, and end without a word. The data directory: datadir.go, identity.go (whose it is), held.go (which replicas it holds), table.go (what the cluster was), lostlog.go one that lost its log,
// preflight.go what Open would refuse, room.go what of the disk a start needs; backup.go and restore.go all of it into a file and back, free_linux.go
// and free_other.go whether there is room. The cluster: join.go, replicas.go (opened and removed), routes.go (who leads), report.go (what is said of
// this node), upkeep.go, rows.go and nearest.go (what takes several nodes), topology.go (the API's view). shard.go, raftlog.go and core.go join
// actors, cluster, storage and api, which do not know each other; health.go readiness, waiting.go a start that waits for it; tracing.go who is told
// of requests; observe.go and metrics.go metrics of the log, the process and the node; errors.go errors and exit codes.
package node
