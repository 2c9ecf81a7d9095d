package cluster

import (
	"strings"

	"github.com/hashicorp/raft"

	"holdfast/cluster/meta"
)

// firstReplica is the number of a replica that a new cluster begins with, and the only one that is ever bootstrapped. Later numbers come from the
// meta group and are never used again (rule R22): a node that lost its disk must not come back under an id that has voted.
const firstReplica = 1

// raftID returns the raft id of a node's replica of that number.
func raftID(node string, number uint64) raft.ServerID {
	return raft.ServerID(meta.RaftID(node, number))
}

// nodeOf returns the node of a raft id, "" for none.
func nodeOf(id raft.ServerID) string {
	node, _, _ := meta.ParseRaftID(string(id))
	return node
}

// memberAddress returns the address of a replica as it stands in raft's configuration: with its raft id before it. Raft refuses a configuration in
// which an address stands twice; the bare one may, when a node has moved and another one has the address now.
func memberAddress(id raft.ServerID, address string) raft.ServerAddress {
	return raft.ServerAddress(string(id) + " " + address)
}

// bareAddress returns the address without the id before it; groups made by older versions have none.
func bareAddress(at raft.ServerAddress) string {
	s := string(at)
	return s[strings.LastIndexByte(s, ' ')+1:]
}
