package topology

// Code says why a call was not done; "" stands for a call that was.
type Code string

// What is malformed, or not there.
const (
	InvalidValue  Code = "invalid_value"
	UnknownNode   Code = "unknown_node"
	UnknownShard  Code = "unknown_shard"
	UnknownChange Code = "unknown_change"
)

// What stands in the way, a state of the cluster each.
const (
	NotCreated       Code = "not_created"
	AlreadyCreated   Code = "already_created"
	OtherCluster     Code = "other_cluster"
	NodeExists       Code = "node_exists"
	NodeRemoved      Code = "node_removed"
	NodeLeaving      Code = "node_leaving"
	DuplicateAddress Code = "duplicate_address"
	TooManyNodes     Code = "too_many_nodes"
	LastVoter        Code = "last_voter"
	QuorumLoss       Code = "quorum_loss"
	NodeUnreachable  Code = "unreachable"
	ShardUnseen      Code = "shard_unseen"
	ChangeUnderWay   Code = "change_under_way"
	ChangeEnded      Code = "change_ended"
	StalePlan        Code = "stale_plan"
	LevelTooLow      Code = "level_too_low"
	// ReplicaLearns: the replica has no vote, so it cannot lead.
	ReplicaLearns Code = "learner"
	// ReplicaDown: the replica that is needed does not serve.
	ReplicaDown Code = "replica_down"
)

// What nobody could decide. OutcomeUnknown and Internal may have been executed, the others were not.
const (
	Overloaded       Code = "overloaded"
	NoLeader         Code = "no_leader"
	Draining         Code = "draining"
	DeadlineExceeded Code = "deadline_exceeded"
	OutcomeUnknown   Code = "outcome_unknown"
	Internal         Code = "internal"
)

// States are the codes of the states that stand in the way of something: all of them are answered 409 invalid_state.
var States = []Code{
	NotCreated, AlreadyCreated, OtherCluster, NodeExists, NodeRemoved, NodeLeaving, DuplicateAddress, TooManyNodes, LastVoter, QuorumLoss,
	NodeUnreachable, ShardUnseen, ChangeUnderWay, ChangeEnded, StalePlan, LevelTooLow, ReplicaLearns, ReplicaDown,
}

// Refusal says why a call was not done, and what to do about it. The zero Refusal stands for a call that was done.
type Refusal struct {
	Code Code
	// Text says in a sentence what is the matter, WayOut what to do about it.
	Text, WayOut string
	// Retryable: the same call may succeed later, without a change of it. Only states look at it.
	Retryable bool
	// Field and Reason say which value was wrong, and why; Bound names the bound that was reached.
	Field, Reason, Bound string
}

// Refused reports whether the call was not done.
func (r *Refusal) Refused() bool { return r.Code != "" }
