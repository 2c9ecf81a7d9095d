package meta

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Shard is a Raft group and where its replicas should be. Number 0 is the meta group itself, which has a replica on every node.
type Shard struct {
	ID uint32
	// Invariant: sorted by Node, at most one a node, at least one Voter.
	Replicas []Replica
}

// Replica is one copy of a shard.
type Replica struct {
	Node string
	// Number comes from a counter of the cluster and is never used again (rule R22): a copy that lost its disk must not vote as the one before.
	Number uint64
	Role   Role
}

// Role says whether a replica votes.
type Role uint8

const (
	// Voter counts for the quorum.
	Voter Role = iota + 1
	// Learner follows without a vote.
	Learner
)

var roleNames = [...]string{Voter: "voter", Learner: "learner"}

// String returns the role's name in the API.
func (r Role) String() string { return nameOf(roleNames[:], int(r), "Role") }

// RaftID returns the id under which a replica is known to its group: node#number.
func RaftID(node string, number uint64) string {
	return node + string(replicaMark) + strconv.FormatUint(number, 10)
}

// ParseRaftID returns what RaftID put together; ok is false for any other text.
func ParseRaftID(id string) (node string, number uint64, ok bool) {
	node, digits, _ := strings.Cut(id, string(replicaMark))
	number, err := strconv.ParseUint(digits, 10, 64)
	ok = err == nil && number != 0 && checkNodeID(node) == "" && strconv.FormatUint(number, 10) == digits
	if !ok {
		return "", 0, false
	}
	return node, number, true
}

// RaftID returns the id under which the replica is known to its group.
func (r Replica) RaftID() string { return RaftID(r.Node, r.Number) }

// On returns the replica on a node, nil for none.
func (s *Shard) On(node string) *Replica {
	for i := range s.Replicas {
		if s.Replicas[i].Node == node {
			return &s.Replicas[i]
		}
	}
	return nil
}

// Nodes returns the nodes with a replica of that role; role 0 stands for any.
func (s *Shard) Nodes(role Role) []string {
	var nodes []string
	for _, r := range s.Replicas {
		if role == 0 || r.Role == role {
			nodes = append(nodes, r.Node)
		}
	}
	return nodes
}

// has reports whether a raft id is among the replicas.
func (s *Shard) has(node string, number uint64) bool {
	r := s.On(node)
	return r != nil && r.Number == number
}

func sortReplicas(rs []Replica) {
	slices.SortFunc(rs, func(a, b Replica) int { return cmp.Compare(a.Node, b.Node) })
}

func cloneShards(shards []Shard) []Shard {
	out := slices.Clone(shards)
	for i := range out {
		out[i].Replicas = slices.Clone(out[i].Replicas)
	}
	return out
}
