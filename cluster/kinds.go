package cluster

// The kinds of requests between nodes. A number is for good: nodes of two versions speak to each other during an upgrade.
const (
	// KindRequests carries requests for a shard to its leader's node (package forward).
	KindRequests RequestKind = iota + 1
	// KindStatus asks a node how it is (package control).
	KindStatus
	// KindMetaCommand carries a command to the leader of the meta group (package control).
	KindMetaCommand
	// KindMetaState asks for what a node knows of the cluster (package control).
	KindMetaState
	// KindListing asks for the part of a listing that a node leads (package forward).
	KindListing
	// KindSinkRows reads rows of a shard from a node's own database (seeding of a new replica's).
	KindSinkRows
	// KindSnapshot reads a shard's newest snapshot (package backup).
	KindSnapshot
	// KindShardAdmin asks the leader of a shard to hand over, or to take a snapshot (package control).
	KindShardAdmin
	// KindRebuild asks a node to build a replica anew from its peers (package control).
	KindRebuild
	// KindAvailability asks for what a node's replica published of a SKU (package node).
	KindAvailability
)
