// Step 3 of an order: Locate(sku). Partition, shard, leader. With one node the leader is here, and nothing is ever forwarded.

package cluster

import "holdfast/stock"

// Locate returns the shard that owns a SKU and the id of the node that leads it as far as this node knows, "" while there is none.
// A request is never hashed against nodes: the shard of a partition is fixed for a cluster's life, so two nodes cannot disagree about it.
func (c *Cluster) Locate(sku string) (shard uint32, leader string) {
	partition := stock.PartitionOf(sku)
	if s := c.ShardOf(partition); s != nil {
		leader = s.Leader()
	}
	return c.table[partition], leader
}

// ShardOf returns the shard that owns a partition, nil when this node has no replica of it.
func (c *Cluster) ShardOf(p stock.Partition) *Shard { return c.Shard(c.table[p%stock.Partitions]) }

// ShardIDOf returns the id of the shard that owns a partition.
func (c *Cluster) ShardIDOf(p stock.Partition) uint32 { return c.table[p%stock.Partitions] }
