package meta

import "fmt"

// Outcome is the answer to a command, or to the wish for a plan. A refusal is a value, not an error.
type Outcome struct {
	Code Code
	// Replayed: the answer was given before, or there was nothing to do.
	Replayed bool
	// Change is the one that was begun, reported on or ended.
	Change ChangeID
	Detail Detail
}

// Detail explains a refusal; which members are set is said at the codes.
type Detail struct {
	Node          string
	Shard         uint32
	Change        ChangeID
	Limit         int64
	Field, Reason string
}

func refuse(c Code) Outcome               { return Outcome{Code: c} }
func refuseWith(c Code, d Detail) Outcome { return Outcome{Code: c, Detail: d} }

func invalid(field, reason string) Outcome {
	return refuseWith(InvalidValue, Detail{Field: field, Reason: reason})
}

// Text says in a sentence what is the matter; "" for an acceptance.
func (o Outcome) Text() string {
	d := &o.Detail
	switch o.Code {
	case OK:
		return ""
	case NotCreated:
		return "there is no cluster yet"
	case AlreadyCreated:
		return "there is a cluster already"
	case OtherCluster:
		return "the data directory belongs to another cluster"
	case NodeExists:
		return fmt.Sprintf("node %s is known with another data directory", d.Node)
	case NodeRemoved:
		return fmt.Sprintf("node %s was removed", d.Node)
	case UnknownNode:
		return fmt.Sprintf("there is no node %s with that data directory", d.Node)
	case NodeLeaving:
		return fmt.Sprintf("node %s is leaving", d.Node)
	case DuplicateAddress:
		return fmt.Sprintf("node %s has that peer address", d.Node)
	case TooManyNodes:
		return fmt.Sprintf("the cluster has %d nodes, and max_nodes has to leave room for all", d.Limit)
	case UnknownShard:
		return fmt.Sprintf("there is no replica of shard %d on node %q", d.Shard, d.Node)
	case LastVoter:
		return fmt.Sprintf("that is the last voter of %s", groupName(d.Shard))
	case QuorumLoss:
		return fmt.Sprintf("%s would not have a majority of voters that answer", groupName(d.Shard))
	case Unreachable:
		return fmt.Sprintf("node %s does not answer and would get replicas", d.Node)
	case ShardUnseen:
		return fmt.Sprintf("nobody who answers knows the members of %s", groupName(d.Shard))
	}
	return o.moreText()
}

func (o Outcome) moreText() string {
	d := &o.Detail
	switch o.Code {
	case ChangeUnderWay:
		return fmt.Sprintf("change %v is under way", d.Change)
	case UnknownChange:
		return fmt.Sprintf("there is no change %v", d.Change)
	case ChangeEnded:
		return fmt.Sprintf("change %v has ended", d.Change)
	case StalePlan:
		return "the cluster changed after the plan was made"
	case LevelTooLow:
		return fmt.Sprintf("node %s knows levels up to %d", d.Node, d.Limit)
	case InvalidValue:
		return d.Field + " " + d.Reason
	case KeyReused:
		return "the key belongs to another command"
	case Overloaded:
		return fmt.Sprintf("%d outcomes are remembered, which is the bound", d.Limit)
	case DeadlineExceeded:
		return "the deadline had passed"
	}
	return o.Code.String()
}

func groupName(shard uint32) string {
	if shard == 0 {
		return "the meta group"
	}
	return fmt.Sprintf("shard %d", shard)
}

// wayOut says for each refusal what to do; a test holds that none is missing.
var wayOut = map[Code]string{
	NotCreated:       "start a node with an empty data directory and without --join, and join the others to it",
	AlreadyCreated:   "join the node to the cluster, or start it with an empty data directory",
	OtherCluster:     "join with an empty data directory, or start the node with the other cluster's nodes",
	NodeExists:       "if its disk was lost, remove the node and join under a new id; if two nodes have one name, give this one another",
	NodeRemoved:      "join with an empty data directory and a new id",
	UnknownNode:      "look at the ids that holdfast cluster nodes prints",
	NodeLeaving:      "wait until it has left, or abort the change",
	DuplicateAddress: "give the node an address of its own (--advertise-peer), or remove the node that has it",
	TooManyNodes:     "remove a node first, or allow more: holdfast cluster set --max-nodes",
	UnknownShard:     "look at what holdfast cluster shards prints",
	LastVoter:        "add a node and wait for its change to end, then try again",
	QuorumLoss:       "bring a node back that does not answer, or add one, then try again",
	Unreachable:      "start the node, or remove it first",
	ShardUnseen:      "bring a node with a replica of it back, then try again",
	ChangeUnderWay:   "wait until it has ended, or abort it",
	UnknownChange:    "look at the changes that holdfast cluster status prints",
	ChangeEnded:      "look at holdfast cluster status, and plan again if something is left to do",
	StalePlan:        "plan again",
	LevelTooLow:      "run a newer binary on that node first",
	InvalidValue:     "correct the value",
	KeyReused:        "use a fresh key",
	Overloaded:       "try again in a moment",
	DeadlineExceeded: "try again, with more time",
}

// WayOut says what to do about a refusal; "" for an acceptance.
func (o Outcome) WayOut() string { return wayOut[o.Code] }
