package cli

import (
	"github.com/spf13/cobra"

	"holdfast/node"
)

// boundFlags makes a flag of each limit of admission and of local resources; a refusal that names its bound names the flag. What an outcome depends
// on is not among them: that lives in replicated state.
func boundFlags(cmd *cobra.Command, c *node.Config) {
	f := cmd.Flags()
	f.IntVar(&c.MaxPending, "max-pending", c.MaxPending, "requests that may wait for their answer, a shard")
	f.IntVar(&c.MaxParked, "max-parked", c.MaxParked, "orders that may wait for units under way, a SKU")
	f.IntVar(&c.MaxRemembered, "max-remembered", c.MaxRemembered, "refusals of retried requests remembered until their deadlines, a SKU")
	f.IntVar(&c.ApplyBacklog, "apply-backlog", c.ApplyBacklog, "committed log entries that may wait to be applied, a shard")
	f.IntVar(&c.MaxForwarded, "max-forwarded", c.MaxForwarded, "requests that may wait for the answer of one other node")
	f.Int64Var(&c.MaxForwardedBytes, "max-forwarded-bytes", c.MaxForwardedBytes, "bytes of these")
	f.IntVar(&c.MaxLeaderless, "max-leaderless", c.MaxLeaderless, "requests that may wait for a shard to have a leader")
	f.IntVar(&c.MaxConns, "max-conns", c.MaxConns, "connections of the public listener")
	f.IntVar(&c.MaxAdminConns, "max-admin-conns", c.MaxAdminConns, "connections of the admin listener")
	f.Int64Var(&c.MaxBodyBytes, "max-body-bytes", c.MaxBodyBytes, "bytes of a request")
	f.Int64Var(&c.MaxBatchBytes, "max-batch-bytes", c.MaxBatchBytes, "bytes of a batch of orders")
	f.Int64Var(&c.MaxBodyMemoryBytes, "max-body-memory", c.MaxBodyMemoryBytes, "bytes of all requests and answers under way together")
	f.DurationVar(&c.BodyTimeout, "body-timeout", c.BodyTimeout, "how long a request's body may take to arrive")
	f.Int64Var(&c.SnapshotBytes, "snapshot-bytes", c.SnapshotBytes, "bytes of log after which a shard takes a snapshot")
	f.DurationVar(&c.SnapshotAge, "snapshot-age", c.SnapshotAge, "age at which a snapshot is taken again when there was work")
	f.DurationVar(&c.DiskStallExit, "disk-stall-exit", c.DiskStallExit, "a write or fsync that takes longer ends the node")
	f.Int64Var(&c.WALSegmentBytes, "wal-segment-bytes", c.WALSegmentBytes, "bytes of a segment of the log")
	f.Int64Var(&c.WALSoftBytes, "wal-soft-bytes", c.WALSoftBytes, "bytes of log above which nothing new is admitted")
	f.Int64Var(&c.WALHardBytes, "wal-hard-bytes", c.WALHardBytes, "bytes of log at which the node leaves, with a reason")
	f.Int64Var(&c.FlushBacklog, "flush-backlog", c.FlushBacklog, "changed orders that may wait for storage before a metric says so")
}

// checkBounds refuses what cannot work: a bound of 0 is none of the defaults in disguise.
func checkBounds(c *node.Config) error {
	for _, bound := range []struct {
		flag string
		ok   bool
	}{
		{"max-pending", c.MaxPending > 0}, {"max-parked", c.MaxParked > 0}, {"max-remembered", c.MaxRemembered > 0},
		{"apply-backlog", c.ApplyBacklog > 0}, {"max-forwarded", c.MaxForwarded > 0}, {"max-forwarded-bytes", c.MaxForwardedBytes > 0},
		{"max-leaderless", c.MaxLeaderless > 0},
		{"max-conns", c.MaxConns > 0}, {"max-admin-conns", c.MaxAdminConns > 0}, {"max-body-bytes", c.MaxBodyBytes > 0},
		{"max-batch-bytes", c.MaxBatchBytes > 0}, {"max-body-memory", c.MaxBodyMemoryBytes > 0}, {"body-timeout", c.BodyTimeout > 0},
		{"snapshot-bytes", c.SnapshotBytes > 0}, {"snapshot-age", c.SnapshotAge > 0}, {"disk-stall-exit", c.DiskStallExit > 0},
		{"wal-segment-bytes", c.WALSegmentBytes > 0}, {"wal-soft-bytes", c.WALSoftBytes > 0}, {"flush-backlog", c.FlushBacklog > 0},
	} {
		if !bound.ok {
			return usagef("--%s must be positive", bound.flag)
		}
	}
	if c.WALHardBytes <= c.WALSoftBytes {
		return usagef("--wal-hard-bytes must be above --wal-soft-bytes")
	}
	return nil
}
