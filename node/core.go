package node

import (
	"holdfast/actors"
	"holdfast/api"
	"holdfast/cluster/forward"
	"holdfast/stock"
)

// core is the node as the front door sees it.
type core struct {
	*forward.Forwarder
	n *Node
}

var _ api.Core = core{}

// Locate returns the shard that owns a SKU and the node that leads it. While this node leads in raft only, with actors that have not opened yet
// (rule R14), nobody does: what they have not applied yet would look as if it did not exist.
func (c core) Locate(sku string) (shard uint32, leader string) {
	shard = c.n.cluster.ShardIDOf(stock.PartitionOf(sku))
	leader, _, _ = c.n.control.Leader(shard)
	if leader == c.n.cfg.NodeID && c.n.Locate(stock.PartitionOf(sku)) == nil {
		leader = ""
	}
	return shard, leader
}

var _ actors.Router = (*Node)(nil)

// Locate returns the replica that leads a partition's shard; nil when none on this node does.
func (n *Node) Locate(p stock.Partition) *actors.Replica {
	r := n.shardOf(p).replica.Load()
	if r == nil || r.Term() == 0 {
		return nil
	}
	return r
}

// Replicas returns the replicas of this node.
func (n *Node) Replicas() []*actors.Replica {
	var rs []*actors.Replica
	for _, s := range n.shards {
		if r := s.replica.Load(); r != nil {
			rs = append(rs, r)
		}
	}
	return rs
}

func (n *Node) shardOf(p stock.Partition) *shard { return n.shards[n.cluster.ShardIDOf(p)-1] }
