// Package apitest serves the tests of api and of its client: a core that keeps the promises of api.Core on one book in memory, and a
// cluster that carries its plans out by being looked at.
//
// It promises: commands are decided by package stock, so an answer is the one a node gives. It assumes: one process, no crash.
//
// Files: core.go (orders and SKUs), cluster.go and clusterchange.go (a cluster).
package apitest
