package node

import (
	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/cluster/forward"
	"holdfast/stock"
)

// routes says who leads a shard, as the forwarder wants to know it.
type routes struct {
	*control.Control
	cluster *cluster.Cluster
}

var _ forward.Routes = routes{}

// ShardOf returns the shard of a partition; it needs no table, because it never changes.
func (r routes) ShardOf(p stock.Partition) uint32 { return r.cluster.ShardIDOf(p) }
