package cluster

import (
	"math"
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
