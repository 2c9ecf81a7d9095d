package meta

import (
	"fmt"
	"strconv"
)

// StepKind says what a step does.
type StepKind uint8

const (
	// AddLearner makes a node's new replica follow the group, without a vote.
	AddLearner StepKind = iota + 1
	// CatchUp waits until the replica's actors trail by little.
	CatchUp
	// Promote gives a learner its vote.
	Promote
	// Transfer hands the group's leadership to the replica.
	Transfer
	// Demote takes a vote away; the replica goes on as a learner.
	Demote
	// Remove takes a replica out of its group.
	Remove
	// Forget drops a node that has no replica any more; Finish carries it out.
	Forget
)

var stepNames = [...]string{
	AddLearner: "add_learner", CatchUp: "catch_up", Promote: "promote", Transfer: "transfer", Demote: "demote", Remove: "remove",
	Forget: "forget",
}

// String returns the kind's name in plans.
func (k StepKind) String() string { return nameOf(stepNames[:], int(k), "StepKind") }

// Step is one thing to do for a change. Equal steps are the same step.
type Step struct {
	Kind  StepKind
	Shard uint32
	// Node is the replica's node: for a Transfer the one that leads afterwards, for Forget the one that goes.
	Node string
	// Number is the replica's, 0 for Forget.
	Number uint64
}

// String returns the step as a line of a plan.
func (s Step) String() string {
	id := RaftID(s.Node, s.Number)
	group := "shard " + strconv.FormatUint(uint64(s.Shard), 10)
	if s.Shard == 0 {
		group = "meta"
	}
	switch s.Kind {
	case AddLearner:
		return group + ": add learner " + id
	case CatchUp:
		return group + ": wait until " + id + " has caught up"
	case Promote:
		return group + ": promote " + id + " to voter"
	case Transfer:
		return group + ": hand leadership to " + id
	case Demote:
		return group + ": demote " + id + " to learner"
	case Remove:
		return group + ": remove " + id
	case Forget:
		return "forget node " + s.Node
	}
	return fmt.Sprintf("%s: %v %s", group, s.Kind, id)
}

// changesMembers reports whether the step is a change of the group's configuration.
func (k StepKind) changesMembers() bool {
	return k == AddLearner || k == Promote || k == Demote || k == Remove
}

func (s *Step) fits() bool {
	return s.Kind >= AddLearner && s.Kind <= Forget && len(s.Node) <= MaxNodeIDBytes
}
