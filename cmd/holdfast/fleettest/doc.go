// Package fleettest runs a cluster of real processes for tests: nodes that are killed, stopped and woken, a crowd that orders through all
// of them, and a ledger of what the crowd was told, against which cluster and storage are held at the end.
//
// It promises: a request counts as seen by a live node only when that node was left alone from its beginning to its end; whatever a caller
// was not told stands in the ledger as unknown until Audit makes it definite; an audit that finds anything other than the ledger fails the
// test. Processes end with the test.
//
// It assumes that the program named holdfast is in the path, as tests of cmd/holdfast put it there; else it is built.
//
// Files: options.go what can be set; fleet.go starting nodes; node.go one of them: kill, pause, restart; topology.go who leads, and when a
// cluster has settled; load.go the crowd; ledger.go what it was told; underway.go who waits where; gaps.go how long nothing was sold; resolve.go
// unknown outcomes made definite; audit.go cluster and storage against the ledger; await.go the one polling function.
package fleettest
