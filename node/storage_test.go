package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/api/client"
	"holdfast/internal/logtest"
)

func removeDB(t *testing.T, dir string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, "orders.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// A first start says nothing of its empty database. An orders.db that is gone beside a log that was flushed to it is filled again and told of in
// the log, once for all shards, and in readyz. One that is garbage ends the start.
func TestADatabaseThatIsGone(t *testing.T) {
	dir := t.TempDir()
	journal := func() (*Node, *logtest.Journal) {
		var j logtest.Journal
		cfg := config(dir)
		cfg.Logger = j.Logger()
		return open(t, cfg), &j
	}
	n, j := journal()
	for _, sku := range []string{"shoe", "hat", "coat", "sock", "scarf", "belt"} {
		if _, err := n.client(t).CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 5}); err != nil {
			t.Fatal(err)
		}
	}
	drain := func() {
		if err := n.Drain(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
	drain()
	if got := j.Records(t, "storage: the database"); len(got) > 0 || !n.gapCheck().OK {
		t.Errorf("at a first start: %v", got)
	}
	removeDB(t, dir)
	n, j = journal()
	await(t, "readyz tells", func() bool { return strings.Contains(n.gapCheck().Detail, "was filled from memory") })
	drain()
	told := map[any]int{} // by shard; shards that begin apart are told of apart
	for _, record := range j.Records(t, "storage: the database is empty and the log is not") {
		for _, shard := range record["shards"].([]any) {
			told[shard]++
		}
	}
	for shard, times := range told {
		if times != 1 {
			t.Errorf("shard %v was told of %d times", shard, times)
		}
	}
	if len(told) == 0 {
		t.Error("nothing was told")
	}
	n, j = journal()
	drain()
	if got := j.Records(t, "storage: the database"); len(got) > 0 {
		t.Errorf("told again: %v", got)
	}
	removeDB(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "orders.db"), []byte(strings.Repeat("garbage ", 1024)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(dir)); ExitCode(err) != 1 || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("exit code %d: %v", ExitCode(err), err)
	}
}
