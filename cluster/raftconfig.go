package cluster

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// raftConfig returns how every group is run. libraries.md has the hazard behind each line; guard tests hold the ones that are silent when wrong.
func raftConfig(c *Config, id raft.ServerID, logger hclog.Logger, notify chan<- bool) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID, rc.Logger, rc.NotifyCh = id, logger, notify
	rc.HeartbeatTimeout, rc.ElectionTimeout = c.HeartbeatTimeout, c.ElectionTimeout
	rc.LeaderLeaseTimeout = c.HeartbeatTimeout / 2
	rc.CommitTimeout = c.CommitTimeout
	rc.MaxAppendEntries = maxAppendEntries
	rc.BatchApplyCh = true
	rc.ShutdownOnRemove = false
	rc.PreVoteDisabled = false
	rc.NoLegacyTelemetry = true
	// NewRaft would block for ever above 8,192 committed entries (rule R20).
	rc.RestoreCommittedLogs = false
	// Snapshots are ours to trigger, by bytes and age: raft counts entries, and an entry here is anything between 40 bytes and 256 KiB.
	rc.SnapshotThreshold = math.MaxUint64
	rc.SnapshotInterval = 10_000 * time.Hour
	rc.TrailingLogs = math.MaxUint64
	return rc
}

// replicaMark stands between a node's name and the number of its replica in a raft id.
const replicaMark = '#'

// firstReplica is the number of a replica made by a bootstrap. Later ones come from the meta group and are never used again (rule R22): a node
// that lost its disk must not come back under an id that has voted.
const firstReplica = 1

// replicaID returns the raft id of a node's n-th replica of a shard.
func replicaID(node string, n uint64) raft.ServerID {
	return raft.ServerID(fmt.Sprintf("%s%c%d", node, replicaMark, n))
}

// nodeOf returns the node of a raft id, "" for none.
func nodeOf(id raft.ServerID) string {
	node, _, _ := strings.Cut(string(id), string(replicaMark))
	return node
}
