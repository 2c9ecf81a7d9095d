package meta

import (
	"slices"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// create makes the cluster of one node.
func (s *State) create(c *Create) Outcome {
	if s.cluster.Created() {
		return refuse(AlreadyCreated)
	}
	if out := checkCreate(c); out.Code != OK {
		return out
	}
	const first = 1
	shards := make([]Shard, c.Shards+1)
	for i := range shards {
		shards[i] = Shard{ID: uint32(i), Replicas: []Replica{{Node: c.Node, Number: first, Role: Voter}}}
	}
	s.cluster = Cluster{
		ID: c.ClusterID, Epoch: c.Epoch, Level: c.Level, Partitions: slices.Clone(c.Partitions), Shards: shards,
		Nodes:       []Node{{ID: c.Node, Incarnation: c.Incarnation, Addresses: c.Addresses, Binary: c.Binary, State: Member}},
		NextReplica: first + 1, NextChange: 1, Settings: c.Settings,
	}
	return Outcome{Code: OK}
}

func checkCreate(c *Create) Outcome {
	switch {
	case c.ClusterID == [16]byte{}:
		return invalid("cluster_id", "must not be zero")
	case c.Level == 0 || c.Level > c.Binary.Level:
		return invalid("level", "must be at least 1, and known to the node")
	case c.Shards < 1 || c.Shards > placement.MaxShards:
		return invalid("shards", between(1, placement.MaxShards))
	case len(c.Partitions) != stock.Partitions:
		return invalid("partitions", "must name the shard of every partition")
	}
	for _, shard := range c.Partitions {
		if shard < 1 || shard > c.Shards {
			return invalid("partitions", "must name shards that there are")
		}
	}
	if field, reason := c.Settings.Check(); field != "" {
		return invalid(field, reason)
	}
	return checkNode(c.Node, c.Incarnation, &c.Addresses, &c.Binary)
}

func checkNode(id string, incarnation uint64, a *Addresses, b *Binary) Outcome {
	if why := checkNodeID(id); why != "" {
		return invalid("node", why)
	}
	if incarnation == 0 {
		return invalid("incarnation", "must not be 0")
	}
	if field, reason := a.check(); field != "" {
		return invalid(field, reason)
	}
	if field, reason := b.check(); field != "" {
		return invalid(field, reason)
	}
	return Outcome{Code: OK}
}

// Admits returns what the cluster would answer to an AddNode now. Replayed says that the node is in it already, with that data directory.
func (c *Cluster) Admits(a *AddNode) Outcome {
	if !c.Created() {
		return refuse(NotCreated)
	}
	if out := checkNode(a.Node, a.Incarnation, &a.Addresses, &a.Binary); out.Code != OK {
		return out
	}
	known := c.Node(a.Node)
	switch {
	case a.ClusterID != [16]byte{} && a.ClusterID != c.ID:
		return refuse(OtherCluster)
	case slices.Contains(c.Retired, a.Node):
		return refuseWith(NodeRemoved, Detail{Node: a.Node})
	case known != nil && known.Incarnation != a.Incarnation:
		return refuseWith(NodeExists, Detail{Node: a.Node})
	case known != nil:
		return Outcome{Code: OK, Replayed: true}
	case a.Binary.Level < c.Level:
		return refuseWith(LevelTooLow, Detail{Node: a.Node, Limit: int64(a.Binary.Level)})
	case int64(len(c.Nodes)) >= c.Settings.MaxNodes:
		return refuseWith(TooManyNodes, Detail{Limit: c.Settings.MaxNodes})
	}
	return c.addressFree(a.Node, a.Peer)
}

func (c *Cluster) addressFree(id, peer string) Outcome {
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.ID != id && n.Peer == peer {
			return refuseWith(DuplicateAddress, Detail{Node: n.ID})
		}
	}
	return Outcome{Code: OK}
}

func (s *State) addNode(c *AddNode) Outcome {
	out := s.cluster.Admits(c)
	if out.Code != OK || out.Replayed {
		return out
	}
	at, _ := s.cluster.nodeIndex(c.Node)
	s.cluster.Nodes = slices.Insert(s.cluster.Nodes, at, Node{
		ID: c.Node, Incarnation: c.Incarnation, Addresses: c.Addresses, Binary: c.Binary, State: Joining,
	})
	return out
}

// known returns the node with that data directory, or the refusal.
func (c *Cluster) known(id string, incarnation uint64) (*Node, Outcome) {
	n := c.Node(id)
	switch {
	case n != nil && n.Incarnation == incarnation:
		return n, Outcome{Code: OK}
	case n != nil:
		return nil, refuseWith(NodeExists, Detail{Node: id})
	case slices.Contains(c.Retired, id):
		return nil, refuseWith(NodeRemoved, Detail{Node: id})
	}
	return nil, refuseWith(UnknownNode, Detail{Node: id})
}

func (s *State) updateNode(c *UpdateNode) Outcome {
	n, out := s.cluster.known(c.Node, c.Incarnation)
	if n == nil {
		return out
	}
	if field, reason := c.Addresses.check(); field != "" {
		return invalid(field, reason)
	}
	if out := s.cluster.addressFree(c.Node, c.Peer); out.Code != OK {
		return out
	}
	out.Replayed = n.Addresses == c.Addresses
	n.Addresses = c.Addresses
	return out
}

func (s *State) adopt(c *Adopt) Outcome {
	n, out := s.cluster.known(c.Node, c.Incarnation)
	if n == nil {
		return out
	}
	if field, reason := c.Binary.check(); field != "" {
		return invalid(field, reason)
	}
	if c.Binary.Level < s.cluster.Level {
		return refuseWith(LevelTooLow, Detail{Node: c.Node, Limit: int64(c.Binary.Level)})
	}
	out.Replayed = n.Binary == c.Binary
	n.Binary = c.Binary
	return out
}

func (s *State) setSettings(c *SetSettings) Outcome {
	next := c.Patch.Over(s.cluster.Settings)
	if field, reason := next.Check(); field != "" {
		return invalid(field, reason)
	}
	if next.MaxNodes < int64(len(s.cluster.Nodes)) {
		return refuseWith(TooManyNodes, Detail{Limit: int64(len(s.cluster.Nodes))})
	}
	out := Outcome{Code: OK, Replayed: next == s.cluster.Settings}
	s.cluster.Settings = next
	return out
}

// raiseLevel switches features on once every member knows them; down is not a direction.
func (s *State) raiseLevel(c *RaiseLevel) Outcome {
	if c.Level < s.cluster.Level {
		return invalid("level", "must not go back")
	}
	for i := range s.cluster.Nodes {
		if n := &s.cluster.Nodes[i]; n.Level < c.Level {
			return refuseWith(LevelTooLow, Detail{Node: n.ID, Limit: int64(n.Level)})
		}
	}
	out := Outcome{Code: OK, Replayed: c.Level == s.cluster.Level}
	s.cluster.Level = c.Level
	return out
}

func (s *State) raiseEpoch(c *RaiseEpoch) Outcome {
	if c.Epoch < s.cluster.Epoch {
		return invalid("epoch", "must not go back")
	}
	out := Outcome{Code: OK, Replayed: c.Epoch == s.cluster.Epoch}
	s.cluster.Epoch = c.Epoch
	return out
}
