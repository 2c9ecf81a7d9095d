package control

import (
	"cmp"
	"slices"
	"time"

	"holdfast/cluster/meta"
	"holdfast/stock"
)

// peerLocked returns what is known of a node; c.mu is held.
func (c *Control) peerLocked(node string) *peer {
	p := c.peers[node]
	if p == nil {
		p = &peer{status: NodeStatus{Node: node}}
		c.peers[node] = p
	}
	return p
}

// Cluster returns the newest table that is known here, from the replica of the meta group or from others; one that is not Created when none is.
func (c *Control) Cluster() *meta.Cluster {
	var own *meta.Cluster
	if m := c.machine.Load(); m != nil {
		own = m.shown.Load()
	}
	fetched := c.fetched.Load()
	switch {
	case own == nil && fetched == nil:
		return &meta.Cluster{}
	case own == nil || fetched != nil && fetched.Version > own.Version:
		return fetched
	}
	return own
}

// Self returns this node's id.
func (c *Control) Self() string { return c.cfg.NodeID }

// ShardOf returns the shard of a partition, 0 while no table is known.
func (c *Control) ShardOf(p stock.Partition) uint32 { return c.Cluster().ShardOf(p) }

// Nodes returns what is known of every node of the cluster, this one included, by id.
func (c *Control) Nodes() []NodeStatus {
	table, now := c.Cluster(), c.cfg.Now()
	var out []NodeStatus
	for i := range table.Nodes {
		n := &table.Nodes[i]
		s := NodeStatus{Node: n.ID, Incarnation: n.Incarnation, Addresses: n.Addresses, Binary: n.Binary}
		if n.ID == c.cfg.NodeID {
			s = c.selfStatus(now)
		} else if heard, ok := c.heard(n.ID); ok {
			s = heard
		}
		s.State = Unreachable
		switch {
		case n.State == meta.Leaving:
			s.State = Leaving
		case s.Reachable:
			s.State = Alive
		}
		out = append(out, s)
	}
	return out
}

func (c *Control) selfStatus(now time.Time) NodeStatus {
	return NodeStatus{
		Node: c.cfg.NodeID, Incarnation: c.cfg.Incarnation, Addresses: c.cfg.Addresses, Binary: c.cfg.Binary, Reachable: true,
		Heard: now, ClockAt: now, TableVersion: c.Cluster().Version, Replicas: c.own(),
	}
}

// heard returns what a node said last; false for nothing.
func (c *Control) heard(node string) (NodeStatus, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[node]
	if p == nil || p.status.Heard.IsZero() {
		return NodeStatus{}, false
	}
	return p.status, true
}

// routes is what is read with every order and every message between replicas.
type routes struct {
	// leads is what the other nodes that answer say of who leads: of each shard the highest term's.
	leads map[uint32]lead
	// addresses are the nodes' peer addresses: what they said last, else what the table says.
	addresses map[string]string
}

// rerouteLocked makes routes of what is known; c.mu is held.
func (c *Control) rerouteLocked() {
	table := c.Cluster()
	r := &routes{leads: make(map[uint32]lead), addresses: make(map[string]string)}
	for i := range table.Nodes {
		r.addresses[table.Nodes[i].ID] = table.Nodes[i].Peer
	}
	for id, p := range c.peers {
		if !p.status.Reachable {
			continue
		}
		if p.status.Peer != "" {
			r.addresses[id] = p.status.Peer
		}
		for i := range p.status.Replicas {
			if s := &p.status.Replicas[i]; s.Leader != "" && s.Term > r.leads[s.Shard].term {
				r.leads[s.Shard] = lead{node: s.Leader, term: s.Term}
			}
		}
	}
	r.addresses[c.cfg.NodeID] = c.cfg.Addresses.Peer
	c.known.Store(r)
}

// AddressOf returns a node's peer address: what it said last, else what the table says; "" when nothing is known of it. It takes no lock: it is
// asked with every message between replicas.
func (c *Control) AddressOf(node string) string { return c.known.Load().addresses[node] }

// Leader returns the node that leads a shard, 0 for the meta group, its peer address and the term: of all that replicas say, the highest term's.
// "" while nobody knows any.
func (c *Control) Leader(shard uint32) (node, address string, term uint64) {
	if g := c.groups(); g != nil {
		if s := g.Shard(shard); s != nil {
			at := s.Term() // first: a leader of before with the term of now would be believed for all of it
			if node = s.Leader(); node != "" {
				term = at
			}
		}
	}
	known := c.known.Load()
	if said := known.leads[shard]; said.term > term {
		node, term = said.node, said.term
	}
	return node, known.addresses[node], term
}

// fade notes which nodes do not answer any more, and forgets those that left.
func (c *Control) fade() {
	table, now, changed := c.Cluster(), c.cfg.Now(), false
	var left []*peer
	c.mu.Lock()
	c.forgetFillingsLocked(table)
	for id, p := range c.peers {
		fresh := now.Sub(p.status.Heard) <= c.cfg.NodeTimeout && !now.Before(p.status.Heard)
		if p.status.Reachable && !fresh {
			p.status.Reachable, changed = false, true
			c.activeUntil = now.Add(activeFor)
		}
		if table.Created() && table.Node(id) == nil && !fresh && !p.asking {
			left = append(left, p)
			delete(c.peers, id)
		}
	}
	c.mu.Unlock()
	if g := c.groups(); g != nil {
		for _, p := range left {
			g.Peers().Forget(p.status.Node, p.status.Peer)
		}
	}
	if changed {
		c.moved()
	}
}

// view is what the nodes that answer say of the groups.
type view struct {
	meta.View
	groups map[uint32]*groupView
	// newest is the version of the newest table that a node which answers knows.
	newest uint64
}

// groupView is a group as the replica that knows best sees it.
type groupView struct {
	meta.Group
	term uint64
	// committed says that the members are not about to change back.
	committed bool
}

// view returns what this node sees: each group as its leader in the newest term sees it, or else as the replica with the newest configuration.
func (c *Control) view() *view {
	nodes := c.Nodes()
	v := &view{groups: make(map[uint32]*groupView)}
	for i := range nodes {
		if !nodes[i].Reachable {
			continue
		}
		v.Reachable = append(v.Reachable, nodes[i].Node)
		v.newest = max(v.newest, nodes[i].TableVersion)
		for j := range nodes[i].Replicas {
			v.consider(nodes[i].Node, &nodes[i].Replicas[j])
		}
	}
	for _, g := range v.groups {
		c.judge(g, nodes)
		v.Groups = append(v.Groups, g.Group)
	}
	slices.SortFunc(v.Groups, func(a, b meta.Group) int { return cmp.Compare(a.Shard, b.Shard) })
	return v
}

// consider takes a replica's view of its group if it is better than what is known.
func (v *view) consider(node string, r *ReplicaStatus) {
	if r.Config == 0 || len(r.Members) == 0 || r.Fault != "" {
		return
	}
	leader := ""
	if r.Leader == node {
		leader = node
	}
	was := v.groups[r.Shard]
	better := was == nil
	if was != nil {
		switch {
		case (leader != "") != (was.Leader != ""):
			better = leader != ""
		case leader != "":
			better = r.Term > was.term
		default:
			better = r.Config > was.Index
		}
	}
	if better {
		v.groups[r.Shard] = &groupView{
			Group: meta.Group{Shard: r.Shard, Index: r.Config, Leader: leader, Members: slices.Clone(r.Members)},
			term:  r.Term, committed: r.committed(),
		}
	}
}

// judge says which members have caught up: they follow that leader in that term, their actors trail the leader's by little (rule R13), and their
// storage has what it should have (rule R27).
func (c *Control) judge(g *groupView, nodes []NodeStatus) {
	at := func(node string) *ReplicaStatus {
		for i := range nodes {
			if nodes[i].Node == node && nodes[i].Reachable {
				return nodes[i].Replica(g.Shard)
			}
		}
		return nil
	}
	leads := at(g.Leader)
	for i := range g.Members {
		m := &g.Members[i]
		r := at(m.Node)
		m.CaughtUp = leads != nil && r != nil && r.Number == m.Number && r.Fault == "" && r.Down == "" && r.Term == leads.Term &&
			r.Leader == g.Leader && r.Applied > 0 && r.Applied+c.cfg.CatchUpEntries >= leads.Applied &&
			(m.Role == meta.Voter || c.seeded(g.Shard, m, r))
	}
}
