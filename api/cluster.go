package api

import (
	"context"
	"io"

	"holdfast/api/topology"
)

// Cluster answers for the cluster as a whole, on any of its nodes. A call that is not done is a refusal; it names the way out. The context's deadline
// is the caller's, and when it ends first the refusal is topology.DeadlineExceeded if nothing happened and topology.OutcomeUnknown otherwise. Caller
// is the name of the API key that asks.
type Cluster interface {
	ClusterView
	ClusterMembers
	ClusterUpkeep
}

// ClusterView shows the cluster. Both calls are answered from what the node knows, which may be some hundred milliseconds old.
type ClusterView interface {
	Overview(ctx context.Context) (topology.Overview, topology.Refusal)
	// Shards returns the data shards by id.
	Shards(ctx context.Context) ([]topology.Shard, topology.Refusal)
}

// ClusterMembers changes who has which replica. A dry run only plans. A plan without steps begins no change.
type ClusterMembers interface {
	AddNode(ctx context.Context, caller string, n topology.NewNode, dryRun bool) (topology.Plan, topology.Refusal)
	RemoveNode(ctx context.Context, caller, node string, dryRun bool) (topology.Plan, topology.Refusal)
	Balance(ctx context.Context, caller string, dryRun bool) (topology.Plan, topology.Refusal)
	// Rebuild replaces the replica of a shard on a node by a new one, which is filled by the others.
	Rebuild(ctx context.Context, caller string, shard uint32, node string, dryRun bool) (topology.Plan, topology.Refusal)
	// Abort ends a change where it is and returns it as it then stands.
	Abort(ctx context.Context, caller, change string) (topology.Change, topology.Refusal)
}

// ClusterUpkeep is what is done to shards and settings, and reading all of it.
type ClusterUpkeep interface {
	// Transfer hands the leadership of a shard to a node, "" for the one that suits best, and returns when that leads.
	Transfer(ctx context.Context, caller string, shard uint32, to string) (topology.Leadership, topology.Refusal)
	// Snapshot takes one on the shard's leader, durably, and returns when it is taken.
	Snapshot(ctx context.Context, caller string, shard uint32) (topology.Snapshot, topology.Refusal)
	// ChangeSettings returns when every shard has the settings, and returns them all.
	ChangeSettings(ctx context.Context, caller string, patch topology.SettingsPatch) (topology.Settings, topology.Refusal)
	// Backup returns a consistent backup of all shards as a tar, its manifest first. It is made while it is read, and ends with the context; a backup
	// that cannot be finished ends with an error instead of io.EOF. The caller closes it.
	Backup(ctx context.Context, caller string) (io.ReadCloser, topology.Refusal)
}
