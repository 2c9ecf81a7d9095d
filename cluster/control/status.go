package control

import (
	"slices"
	"time"

	"holdfast/cluster/meta"
)

// NodeState says whether a node answers.
type NodeState uint8

const (
	// Alive is a node that answered lately.
	Alive NodeState = iota + 1
	// Unreachable is one that did not.
	Unreachable
	// Leaving is one whose replicas go elsewhere, whether it answers or not.
	Leaving
)

var nodeStateNames = [...]string{Alive: "alive", Unreachable: "unreachable", Leaving: "leaving"}

// String returns the state's name in the API.
func (s NodeState) String() string {
	if s < Alive || s > Leaving {
		return "unknown"
	}
	return nodeStateNames[s]
}

// NodeStatus is what is known of a node.
type NodeStatus struct {
	Node        string
	Incarnation uint64
	meta.Addresses
	meta.Binary
	State NodeState
	// Reachable says that it answered lately, also while it is leaving.
	Reachable bool
	// Heard is when it last said something, by this node's clock; zero: never.
	Heard time.Time
	// TableVersion is the version of the newest table it knows.
	TableVersion uint64
	// Clock says how far its clock is ahead of this node's, ClockError by how much that may be wrong, and ClockAt when it was measured; zero:
	// never.
	Clock, ClockError time.Duration
	ClockAt           time.Time
	// Replicas is sorted by shard. It stays as it was last heard when a node does not answer.
	Replicas []ReplicaStatus
}

// Replica returns the node's replica of a shard, nil for none.
func (n *NodeStatus) Replica(shard uint32) *ReplicaStatus {
	for i := range n.Replicas {
		if n.Replicas[i].Shard == shard {
			return &n.Replicas[i]
		}
	}
	return nil
}

// ReplicaStatus is what a node says of one of its replicas.
type ReplicaStatus struct {
	Replica
	Number, Term uint64
	// Leader is the node that leads as the replica knows, "" for none.
	Leader string
	Commit uint64
	// Config is the index of the newest configuration that the replica knows, Members what it says.
	Config  uint64
	Members []meta.GroupMember
	// Fault says why the replica is out of its group, "" when it is not.
	Fault string
}

// committed reports whether the configuration is one that stays.
func (r *ReplicaStatus) committed() bool { return r.Config > 0 && r.Config <= r.Commit }

// report is a status as it travels. Another form is another version.
type report struct {
	Version      uint64
	Node         string
	Incarnation  uint64
	Addresses    meta.Addresses
	Binary       meta.Binary
	WallNS       int64
	TableVersion uint64
	Replicas     []ReplicaStatus
}

const reportVersion = 1

// report returns this node's status.
func (c *Control) report() *report {
	return &report{
		Version: reportVersion, Node: c.cfg.NodeID, Incarnation: c.cfg.Incarnation, Addresses: c.cfg.Addresses, Binary: c.cfg.Binary,
		WallNS: c.cfg.Now().UnixNano(), TableVersion: c.Cluster().Version, Replicas: c.own(),
	}
}

// own returns what there is to say of the replicas here.
func (c *Control) own() []ReplicaStatus {
	g := c.groups()
	if g == nil {
		return nil
	}
	var told []Replica
	if c.cfg.Report != nil {
		told = c.cfg.Report()
	}
	var out []ReplicaStatus
	for _, id := range g.Held() {
		s := g.Shard(id)
		if s == nil {
			continue
		}
		r := ReplicaStatus{Replica: Replica{Shard: id}, Number: s.Number(), Term: s.Term(), Leader: s.Leader(), Commit: s.CommitIndex()}
		if i := slices.IndexFunc(told, func(t Replica) bool { return t.Shard == id }); i >= 0 {
			r.Replica = told[i]
		}
		if group, ok := s.Group(); ok {
			r.Config, r.Members = group.Index, group.Members
		}
		if err := s.Fault(); err != nil {
			r.Fault = shortened(err.Error())
		}
		if m := c.machine.Load(); id == 0 && m != nil {
			r.Applied, _, _ = m.position()
		}
		out = append(out, r)
	}
	return out
}

// shortened keeps a text from growing without bound.
func shortened(s string) string {
	const most = 200
	return s[:min(len(s), most)]
}
