package control

import (
	"context"

	"holdfast/cluster"
)

// Of makes Groups of a node's cluster layer.
func Of(c *cluster.Cluster) Groups { return clusterGroups{c} }

// clusterGroups is a *cluster.Cluster as Control needs it.
type clusterGroups struct{ of *cluster.Cluster }

var (
	_ Groups = clusterGroups{}
	_ Shard  = (*cluster.Shard)(nil)
	_ Peers  = (*cluster.Peers)(nil)
)

// Shard returns the replica here; an interface without a value when there is none.
func (g clusterGroups) Shard(id uint32) Shard {
	if s := g.of.Shard(id); s != nil {
		return s
	}
	return nil
}

// Held returns the ids of the replicas here.
func (g clusterGroups) Held() []uint32 {
	var ids []uint32
	if g.of.Shard(0) != nil {
		ids = append(ids, 0)
	}
	for _, s := range g.of.Shards() {
		ids = append(ids, s.ID())
	}
	return ids
}

// Peers returns what asks other nodes.
func (g clusterGroups) Peers() Peers { return g.of.Peers() }

// ServeJoin answers nodes that are not members yet.
func (g clusterGroups) ServeJoin(h func(ctx context.Context, node string, body []byte) ([]byte, error)) {
	g.of.ServeJoin(h)
}
