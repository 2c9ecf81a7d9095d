package meta

import (
	"strconv"
	"strings"

	"holdfast/stock"
)

// NodeState says where a node stands in the cluster. It does not say whether the node answers: that is seen, not recorded.
type NodeState uint8

const (
	// Joining is a node that was added and has no replica yet; a change of kind AddingNode gives it some.
	Joining NodeState = iota + 1
	// Member is a node that replicas are placed on.
	Member
	// Leaving is a node whose replicas go elsewhere; at the end of the change it is forgotten.
	Leaving
)

var nodeStateNames = [...]string{Joining: "joining", Member: "member", Leaving: "leaving"}

// String returns the state's name in plans and answers.
func (s NodeState) String() string { return nameOf(nodeStateNames[:], int(s), "NodeState") }

// Node is a process with a data directory of its own.
type Node struct {
	// ID is its name, 1 to MaxNodeIDBytes bytes; after a removal it is not used again.
	ID string
	// Incarnation is drawn with the data directory and never 0: a node that lost its disk has another.
	Incarnation uint64
	Addresses
	Binary
	State NodeState
}

// Addresses are where a node is reached. Peer is its own; HTTP and Admin may be empty, or shared behind a balancer.
type Addresses struct {
	Peer, HTTP, Admin string
}

// Binary is what a node runs.
type Binary struct {
	// Version is the program's name for itself.
	Version string
	// Level is the highest level of features that it knows (rule R1).
	Level uint16
}

// Bounds of what describes a node.
const (
	MaxNodeIDBytes  = 64
	MaxAddressBytes = 255
	MaxVersionBytes = 64
	// MaxRetired is how many removed node ids are remembered; beyond it the oldest may be used again, which raft ids do not mind.
	MaxRetired = 1024
)

// replicaMark stands between a node's id and the number of its replica in a raft id.
const replicaMark = '#'

// checkNodeID returns why s cannot be a node's id, or "".
func checkNodeID(s string) string {
	if s == "" || len(s) > MaxNodeIDBytes {
		return "must have 1 to " + strconv.Itoa(MaxNodeIDBytes) + " bytes"
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == replicaMark {
			return "must be printable ASCII without space or '#'"
		}
	}
	return ""
}

// checkAddress returns why s cannot be host:port, or "".
func checkAddress(s string) string {
	at := strings.LastIndexByte(s, ':')
	if at < 1 || len(s) > MaxAddressBytes {
		return "must be host:port"
	}
	if port, err := strconv.ParseUint(s[at+1:], 10, 16); err != nil || port == 0 {
		return "must end in a port, 1 to 65535"
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return "must be printable ASCII"
		}
	}
	return ""
}

func (a *Addresses) check() (field, reason string) {
	if why := checkAddress(a.Peer); why != "" {
		return "peer", why
	}
	for _, f := range []struct{ name, value string }{{"http", a.HTTP}, {"admin", a.Admin}} {
		if f.value == "" {
			continue
		}
		if why := checkAddress(f.value); why != "" {
			return f.name, why
		}
	}
	return "", ""
}

func (b *Binary) check() (field, reason string) {
	if why := stock.CheckText(b.Version, 0, MaxVersionBytes); why != "" {
		return "version", why
	}
	if b.Level == 0 {
		return "level", "must be at least 1"
	}
	return "", ""
}

// nameOf returns a name of a table that begins at 1.
func nameOf(names []string, i int, kind string) string {
	if i <= 0 || i >= len(names) {
		return kind + "(" + strconv.Itoa(i) + ")"
	}
	return names[i]
}
