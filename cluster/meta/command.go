package meta

import "holdfast/stock"

// Kind numbers the commands in the log. A number is never used again for something else.
type Kind uint8

// The kinds of commands.
const (
	KindCreate Kind = iota + 1
	KindAddNode
	KindUpdateNode
	KindAdopt
	KindBegin
	KindReport
	KindFinish
	KindAbort
	KindSetSettings
	KindRaiseLevel
	KindRaiseEpoch
)

// Command is one change of the cluster that travels through the meta group's log.
type Command interface {
	Kind() Kind
	// Head returns what every command carries.
	Head() *Keyed
}

// Keyed is what every command carries.
type Keyed struct {
	// Caller is the name of the API key that asked, "" for a node. It is part of the key's scope.
	Caller string
	// Key is made by the first node (rule R5), 1 to stock.MaxKeyBytes bytes. The outcome is remembered under it until Deadline.
	Key string
	// Deadline is when nobody waits any more, at most MaxDeadlineMS ahead of log time; the command is refused from then on.
	Deadline stock.Time
}

// MaxDeadlineMS bounds how far ahead a deadline may be, so that what is remembered does not stay for good: an hour.
const MaxDeadlineMS = 3_600_000

// Head returns k.
func (k *Keyed) Head() *Keyed { return k }

// Create makes the cluster: the first command of the meta group's log. The first node has the replica with number 1 of every shard, which is
// the one a bootstrap makes.
type Create struct {
	Keyed
	ClusterID [16]byte
	// Epoch is 0, or above that of the backup that the cluster is restored from (rule R6).
	Epoch uint16
	Level uint16

	Node        string
	Incarnation uint64
	Addresses
	Binary
	// Shards is the number of data shards, ids 1 to Shards. Partitions is the shard of every partition. Both are for good (rule R22).
	Shards     uint32
	Partitions []uint32
	Settings   Settings
}

// AddNode makes a node known. It gets its replicas by a change.
type AddNode struct {
	Keyed
	// ClusterID is what the node's data directory says; zero for an empty one.
	ClusterID   [16]byte
	Node        string
	Incarnation uint64
	Addresses
	Binary
}

// UpdateNode says where a node is reached from now on.
type UpdateNode struct {
	Keyed
	Node        string
	Incarnation uint64
	Addresses
}

// Adopt says what a node runs from now on.
type Adopt struct {
	Keyed
	Node        string
	Incarnation uint64
	Binary
}

// Begin starts a change that was planned by NewPlan. It carries the plan's result, so that apply does not depend on how plans are made.
type Begin struct {
	Keyed
	What  ChangeKind
	Node  string
	Shard uint32
	// Base is the version of the cluster that was planned on; another one has come between when it differs.
	Base uint64
	// Shards is where all replicas should be. New ones are numbered on from Cluster.NextReplica.
	Shards []Shard
	Steps  []Step
}

// Report says what became of a step.
type Report struct {
	Keyed
	Change ChangeID
	Step   Step
	State  StepState
	Reason string
}

// Finish ends a change of which nothing remains to be done. A leaving node is forgotten, joining ones are members.
type Finish struct {
	Keyed
	Change ChangeID
}

// Abort ends a change where it is: Shards is where the replicas should stay, each of them one from before the change or from its plan.
type Abort struct {
	Keyed
	Change ChangeID
	Reason string
	Shards []Shard
}

// SetSettings changes settings.
type SetSettings struct {
	Keyed
	Patch SettingsPatch
}

// RaiseLevel switches features on that every member's binary knows.
type RaiseLevel struct {
	Keyed
	Level uint16
}

// RaiseEpoch is given by a restore.
type RaiseEpoch struct {
	Keyed
	Epoch uint16
}

// Kind returns the command's number in the log.
func (*Create) Kind() Kind      { return KindCreate }
func (*AddNode) Kind() Kind     { return KindAddNode }
func (*UpdateNode) Kind() Kind  { return KindUpdateNode }
func (*Adopt) Kind() Kind       { return KindAdopt }
func (*Begin) Kind() Kind       { return KindBegin }
func (*Report) Kind() Kind      { return KindReport }
func (*Finish) Kind() Kind      { return KindFinish }
func (*Abort) Kind() Kind       { return KindAbort }
func (*SetSettings) Kind() Kind { return KindSetSettings }
func (*RaiseLevel) Kind() Kind  { return KindRaiseLevel }
func (*RaiseEpoch) Kind() Kind  { return KindRaiseEpoch }

// newCommand returns an empty command of a kind, nil for an unknown one.
func newCommand(k Kind) Command {
	switch k {
	case KindCreate:
		return new(Create)
	case KindAddNode:
		return new(AddNode)
	case KindUpdateNode:
		return new(UpdateNode)
	case KindAdopt:
		return new(Adopt)
	case KindBegin:
		return new(Begin)
	case KindReport:
		return new(Report)
	case KindFinish:
		return new(Finish)
	case KindAbort:
		return new(Abort)
	case KindSetSettings:
		return new(SetSettings)
	case KindRaiseLevel:
		return new(RaiseLevel)
	case KindRaiseEpoch:
		return new(RaiseEpoch)
	}
	return nil
}
