package control

import (
	"context"

	"holdfast/cluster"
	"holdfast/cluster/meta"
)

// Groups is this node's part of the cluster: its replicas and its peer port. Of makes one of a *cluster.Cluster.
type Groups interface {
	// Shard returns the replica of that shard here, 0 for the meta group; nil for none.
	Shard(id uint32) Shard
	// Held returns the ids of the shards of which there is a replica here, ascending, the meta group's too.
	Held() []uint32
	Peers() Peers
	// ServeJoin lets h answer nodes that are not members yet.
	ServeJoin(h func(ctx context.Context, node string, body []byte) ([]byte, error))
}

// Peers asks other nodes and answers them, as *cluster.Peers does.
type Peers interface {
	Handle(kind cluster.RequestKind, h cluster.RequestHandler)
	Call(ctx context.Context, node, address string, r cluster.Request) ([]byte, error)
	Forget(node, address string)
}

// Shard is a group's replica here, as *cluster.Shard is. It may be closed at any time; calls then say so.
type Shard interface {
	Proposer
	Membership
	// Leader returns the node that leads as far as this replica knows, "" for none.
	Leader() string
	CommitIndex() uint64
	// Fault returns why the replica is out of its group, nil when it is not.
	Fault() error
	Snapshot(ctx context.Context) (index uint64, bytes int64, err error)
}

// Proposer gives entries to a group's log.
type Proposer interface {
	Propose(data []byte, done func(err error))
	// Term returns the raft term of this replica, 0 while none serves.
	Term() uint64
	// Leads reports whether this replica leads in that term.
	Leads(term uint64) bool
}

// Membership changes a group's members, at its leader. Each change gives the index of the configuration that it must find. Errors are
// stock.ErrNotExecuted or stock.ErrUnknown.
type Membership interface {
	// Number returns the number of this replica.
	Number() uint64
	// Group returns the members as this replica knows them; false while none serves.
	Group() (meta.Group, bool)
	AddLearner(ctx context.Context, node string, number uint64, address string, prev uint64) error
	Promote(ctx context.Context, node string, number uint64, address string, prev uint64) error
	Demote(ctx context.Context, node string, number uint64, prev uint64) error
	RemoveMember(ctx context.Context, node string, number uint64, prev uint64) error
	// Transfer hands leadership over; "" picks the best voter.
	Transfer(ctx context.Context, to string) error
}

// Replicas opens and removes replicas of this node, durably, each call until it is done. Calls do not overlap. After OpenReplica, Groups.Shard
// returns the replica; after RemoveReplica it does not.
type Replicas interface {
	// OpenReplica opens a new replica, empty: it waits to be added to its group. Again for the same number: nothing.
	OpenReplica(shard uint32, number uint64) error
	// RemoveReplica closes a replica and removes its log, term, vote and snapshots.
	RemoveReplica(shard uint32) error
}

// Replica is what the node knows of the actors of one of its replicas.
type Replica struct {
	Shard uint32
	// Applied is the last log index that the actors applied (rule R13: not what raft was given). The meta group's is filled in by Control.
	Applied uint64
	// Hash is the state's hash at HashIndex (rule R24), 0 and 0 before there is one.
	HashIndex, Hash uint64
	// Sink names the storage, "" for none; Flushed is the log index up to which it has everything.
	Sink      string
	Flushed   uint64
	LagOrders int64
	LagMS     int64
	// Seeding: the sink is being filled from another node's, and does not count yet.
	Seeding bool
	// RetentionMS and MaxOpenOrders are the shard's settings as its actors applied them, 0 before they have any.
	RetentionMS, MaxOpenOrders int64
	// Down says why the replica does not serve, "" when it does.
	Down string
}
