package storage

import (
	"errors"
	"fmt"
	"testing"

	"holdfast/internal/logtest"
)

func expectRecords(t *testing.T, j *logtest.Journal, msg string, want ...string) {
	t.Helper()
	got := j.Records(t, msg)
	for i, w := range want {
		if i >= len(got) || fmt.Sprint(got[i]["shards"], got[i]["indexes"]) != w {
			t.Errorf("%q %d: want %s in %v", msg, i, w, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%q: %d records, want %d: %v", msg, len(got), len(want), got)
	}
}

// One cause is one record for all shards, and so is its end; a shard with a cause of its own, or that comes later, has its own.
func TestOneRecordForAllShards(t *testing.T) {
	var j logtest.Journal
	r := newRecords(j.Logger(), "postgres", 4)
	refused := errors.New("connection refused")
	failAll := func(shards ...uint32) {
		for _, s := range shards {
			r.failed(s, uint64(10*s), fmt.Errorf("storage: step %d: %w", s, refused))
		}
	}
	failAll(1, 2, 3, 4)
	failAll(1, 2, 3, 4)
	expectRecords(t, &j, "cannot flush", "[1 2 3 4] [10 20 30 40]")
	for s := range uint32(4) {
		r.went(s+1, uint64(s+1))
		r.went(s+1, uint64(s+1))
	}
	expectRecords(t, &j, "flushing again", "[1 2 3 4] [1 2 3 4]")

	failAll(1, 2)
	r.failed(3, 30, errors.New("disk full"))
	r.went(3, 31)
	expectRecords(t, &j, "cannot flush", "[1 2 3 4] [10 20 30 40]", "[1 2] [10 20]", "[3] [30]")
	failAll(2) // it has its own trouble, so 3 is told of
	expectRecords(t, &j, "flushing again", "[1 2 3 4] [1 2 3 4]", "[3] [31]")
	r.went(1, 11)
	failAll(4)
	r.close()
	expectRecords(t, &j, "cannot flush", "[1 2 3 4] [10 20 30 40]", "[1 2] [10 20]", "[3] [30]", "[4] [40]")
	expectRecords(t, &j, "flushing again", "[1 2 3 4] [1 2 3 4]", "[3] [31]", "[1] [11]")
}
