package meta

// Code says what became of a command or a plan. The names are for the API.
type Code uint8

const (
	// OK is an acceptance.
	OK Code = iota + 1
	// NotCreated: there is no cluster yet.
	NotCreated
	// AlreadyCreated: the log begins with a cluster already.
	AlreadyCreated
	// OtherCluster: the node's data directory belongs to another cluster.
	OtherCluster
	// NodeExists: the node id is known with another data directory: the disk was lost, or two nodes were given one name.
	NodeExists
	// NodeRemoved: the node id was removed and is not used again.
	NodeRemoved
	// UnknownNode: no node has Detail.Node as its id, or it was added with another data directory.
	UnknownNode
	// NodeLeaving: Detail.Node is about to leave.
	NodeLeaving
	// DuplicateAddress: Detail.Node has that peer address.
	DuplicateAddress
	// TooManyNodes: Detail.Limit nodes are the bound.
	TooManyNodes
	// UnknownShard: there is no shard Detail.Shard, or it has no replica on Detail.Node.
	UnknownShard
	// LastVoter: nothing would be left of Detail.Shard.
	LastVoter
	// QuorumLoss: with the nodes that answer now, Detail.Shard would have no majority on the way.
	QuorumLoss
	// Unreachable: Detail.Node does not answer and would get replicas.
	Unreachable
	// ShardUnseen: nobody who answers knows the members of Detail.Shard.
	ShardUnseen
	// ChangeUnderWay: Detail.Change has not ended.
	ChangeUnderWay
	// UnknownChange: there is no change Detail.Change, or it ended long ago.
	UnknownChange
	// ChangeEnded: Detail.Change has ended otherwise.
	ChangeEnded
	// StalePlan: the cluster changed after the plan was made.
	StalePlan
	// LevelTooLow: Detail.Node knows levels up to Detail.Limit only.
	LevelTooLow
	// InvalidValue: Detail.Field has a value that is out of range, for Detail.Reason.
	InvalidValue
	// KeyReused: the key belongs to a command with another body.
	KeyReused
	// Overloaded: Detail.Limit outcomes are remembered; not executed.
	Overloaded
	// DeadlineExceeded: the deadline had passed; not executed.
	DeadlineExceeded
)

var codeNames = [...]string{
	OK: "ok", NotCreated: "not_created", AlreadyCreated: "already_created", OtherCluster: "other_cluster", NodeExists: "node_exists",
	NodeRemoved: "node_removed", UnknownNode: "unknown_node", NodeLeaving: "node_leaving", DuplicateAddress: "duplicate_address",
	TooManyNodes: "too_many_nodes", UnknownShard: "unknown_shard", LastVoter: "last_voter", QuorumLoss: "quorum_loss",
	Unreachable: "unreachable", ShardUnseen: "shard_unseen", ChangeUnderWay: "change_under_way", UnknownChange: "unknown_change",
	ChangeEnded: "change_ended", StalePlan: "stale_plan", LevelTooLow: "level_too_low", InvalidValue: "invalid_value",
	KeyReused: "idempotency_key_reused", Overloaded: "overloaded", DeadlineExceeded: "deadline_exceeded",
}

// String returns the code's name in the API.
func (c Code) String() string { return nameOf(codeNames[:], int(c), "Code") }

// Retryable reports whether the same request may succeed later, without a change of it.
func (c Code) Retryable() bool {
	switch c {
	case QuorumLoss, Unreachable, ShardUnseen, ChangeUnderWay, StalePlan, Overloaded, DeadlineExceeded:
		return true
	}
	return false
}
