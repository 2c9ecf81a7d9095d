package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// bounds are the limits of admission and of local resources. What an outcome depends on is not among them: that lives in replicated state.
type bounds struct {
	maxPending, maxParked, applyBacklog int
	maxBodyBytes, maxBatchBytes         int64
	bodyTimeout                         time.Duration
	snapshotBytes                       int64
	snapshotAge                         time.Duration
	diskStallExit                       time.Duration
	walSegmentBytes                     int64
	walSoftBytes, walHardBytes          int64
	flushBacklog                        int64
}

func (b *bounds) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&b.maxPending, "max-pending", 65536, "requests that may wait for their answer, a shard")
	f.IntVar(&b.maxParked, "max-parked", 65536, "orders that may wait for units under way, a shard")
	f.IntVar(&b.applyBacklog, "apply-backlog", 64, "committed log entries that may wait to be applied, a shard")
	f.Int64Var(&b.maxBodyBytes, "max-body-bytes", 64<<10, "bytes of a request")
	f.Int64Var(&b.maxBatchBytes, "max-batch-bytes", 8<<20, "bytes of a batch of orders")
	f.DurationVar(&b.bodyTimeout, "body-timeout", 5*time.Second, "how long a request's body may take to arrive")
	f.Int64Var(&b.snapshotBytes, "snapshot-bytes", 256<<20, "bytes of log after which a shard takes a snapshot")
	f.DurationVar(&b.snapshotAge, "snapshot-age", 10*time.Minute, "age at which a snapshot is taken again while there is work")
	f.DurationVar(&b.diskStallExit, "disk-stall-exit", 3*time.Second, "a write or fsync that takes longer ends the node")
	f.Int64Var(&b.walSegmentBytes, "wal-segment-bytes", 64<<20, "bytes of a segment of the log")
	f.Int64Var(&b.walSoftBytes, "wal-soft-bytes", 8<<30, "bytes of log at which nothing new is admitted")
	f.Int64Var(&b.walHardBytes, "wal-hard-bytes", 10<<30, "bytes of log at which the node leaves, with a reason")
	f.Int64Var(&b.flushBacklog, "flush-backlog", 1_000_000, "changed orders that may wait for storage before a metric says so")
}

// check refuses what cannot work.
func (b *bounds) check() error {
	for name, ok := range map[string]bool{
		"max-pending": b.maxPending > 0, "max-parked": b.maxParked > 0, "apply-backlog": b.applyBacklog > 0,
		"max-body-bytes": b.maxBodyBytes > 0, "max-batch-bytes": b.maxBatchBytes > 0, "body-timeout": b.bodyTimeout > 0,
		"snapshot-bytes": b.snapshotBytes > 0, "snapshot-age": b.snapshotAge > 0, "disk-stall-exit": b.diskStallExit > 0,
		"wal-segment-bytes": b.walSegmentBytes > 0, "wal-soft-bytes": b.walSoftBytes > 0, "flush-backlog": b.flushBacklog > 0,
	} {
		if !ok {
			return usagef("--%s must be positive", name)
		}
	}
	if b.walHardBytes <= b.walSoftBytes {
		return usagef("--wal-hard-bytes must be above --wal-soft-bytes")
	}
	return nil
}
