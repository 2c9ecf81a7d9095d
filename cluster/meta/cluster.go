package meta

import (
	"slices"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// Cluster is what the meta group knows of the cluster. Callers get one that does not change any more.
type Cluster struct {
	// ID was drawn when the cluster was created; zero before.
	ID    [16]byte
	Epoch uint16
	// Level is that of the features in use. Invariant: at most the Level of each node.
	Level uint16
	// Version is raised by every accepted command but reports of steps; a node that knows a higher one knows better.
	Version uint64
	// Partitions is the shard of every partition, for good.
	Partitions []uint32
	// Nodes is sorted by id.
	Nodes []Node
	// Retired holds the ids that were removed, the oldest first.
	Retired []string
	// Shards is where replicas should be, by id from 0, the meta group.
	Shards []Shard
	// NextReplica is the number of the next replica. Invariant: above every number ever given.
	NextReplica uint64
	NextChange  ChangeID
	Settings    Settings
	// Changes holds the last changes that ended, the oldest first, and then the one under way, if any.
	Changes []Change
}

// Created reports whether there is a cluster.
func (c *Cluster) Created() bool { return c.ID != [16]byte{} }

// Node returns the node of that id, nil for none.
func (c *Cluster) Node(id string) *Node {
	if i, ok := c.nodeIndex(id); ok {
		return &c.Nodes[i]
	}
	return nil
}

func (c *Cluster) nodeIndex(id string) (int, bool) {
	return slices.BinarySearchFunc(c.Nodes, id, func(n Node, id string) int {
		switch {
		case n.ID < id:
			return -1
		case n.ID > id:
			return 1
		}
		return 0
	})
}

// Shard returns the shard of that id, 0 for the meta group; nil for none.
func (c *Cluster) Shard(id uint32) *Shard {
	if uint64(id) >= uint64(len(c.Shards)) {
		return nil
	}
	return &c.Shards[id]
}

// ShardOf returns the id of the shard that owns a partition, 0 before there is a cluster.
func (c *Cluster) ShardOf(p stock.Partition) uint32 {
	if int(p) >= len(c.Partitions) {
		return 0
	}
	return c.Partitions[p]
}

// Owned returns the partitions of a shard, ascending.
func (c *Cluster) Owned(shard uint32) []stock.Partition {
	var owned []stock.Partition
	for p, s := range c.Partitions {
		if s == shard {
			owned = append(owned, stock.Partition(p))
		}
	}
	return owned
}

// UnderWay returns the change that has not ended, nil for none.
func (c *Cluster) UnderWay() *Change {
	if n := len(c.Changes); n > 0 && c.Changes[n-1].State == Running {
		return &c.Changes[n-1]
	}
	return nil
}

// Change returns the change of that id, nil for none, or one that ended long ago.
func (c *Cluster) Change(id ChangeID) *Change {
	for i := range c.Changes {
		if c.Changes[i].ID == id {
			return &c.Changes[i]
		}
	}
	return nil
}

// Joining returns the ids of the nodes that wait for their replicas.
func (c *Cluster) Joining() []string {
	var ids []string
	for i := range c.Nodes {
		if c.Nodes[i].State == Joining {
			ids = append(ids, c.Nodes[i].ID)
		}
	}
	return ids
}

// table returns the nodes of every data shard.
func (c *Cluster) table() placement.Table {
	t := make(placement.Table, len(c.Shards))
	for i := range c.Shards {
		if c.Shards[i].ID != 0 {
			t[c.Shards[i].ID] = c.Shards[i].Nodes(0)
		}
	}
	return t
}

// clone returns a copy that shares nothing which is changed in place.
func (c *Cluster) clone() *Cluster {
	out := *c
	out.Nodes = slices.Clone(c.Nodes)
	out.Retired = slices.Clone(c.Retired)
	out.Shards = cloneShards(c.Shards)
	out.Changes = slices.Clone(c.Changes)
	for i := range out.Changes {
		out.Changes[i].Steps = slices.Clone(out.Changes[i].Steps)
	}
	return &out
}
