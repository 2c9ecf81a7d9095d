// Package topology is what the API says of a cluster, in plain values: its nodes, its shards and their replicas, what is being changed, and why
// something was refused. The server writes them, package client reads them, and whoever runs a cluster fills them in.
//
// It promises: the JSON of these types is the contract of docs/api.md; a list is never null. It assumes nothing and asks nobody.
//
// Files: overview.go (the cluster and its nodes), shard.go (shards, replicas, flushing), change.go (plans, changes, settings), refusal.go (why not),
// moment.go (times as the API writes them).
package topology
