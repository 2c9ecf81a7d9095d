package wal_test

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

// TestAppendsMakeNoGarbage counts the allocations of the whole process while entries are appended, the committer's
// included, in batches of one and of many. AllocsPerRun rounds down: what beginning a segment costs is less than one for each
// call.
func TestAppendsMakeNoGarbage(t *testing.T) {
	for _, batch := range []int{1, 64} {
		l := open(t, wal.Config{Dir: t.TempDir(), ClusterID: cluster, SegmentBytes: 1 << 20, Logger: quiet})
		g, logs := l.Group(1), make([]*raft.Log, batch)
		for i := range logs {
			logs[i] = &raft.Log{Index: uint64(i + 1), Data: make([]byte, 256), AppendedAt: time.Unix(1, 0)}
		}
		allocs := testing.AllocsPerRun(400, func() {
			must(t, g.StoreLogs(logs))
			for _, e := range logs {
				e.Index += uint64(batch)
			}
			if last := logs[0].Index; last%1024 < uint64(batch) {
				must(t, g.DeleteRange(1, last-uint64(batch)-1))
			}
		})
		if allocs > 0 {
			t.Errorf("%v allocations for each call with %d entries", allocs, batch)
		}
		t.Logf("%v allocations for each call with %d entries", allocs, batch)
		closeLog(t, l)
	}
}
