package node

import (
	"strings"
	"testing"

	"holdfast/storage/pgtest"
)

// The disk under PostgreSQL's tables is full while orders come in, and is made larger after a while. No order fails or waits for it.
func TestPostgresDiskFullUnderLoad(t *testing.T) {
	server := pgtest.Start(t)
	dir := server.Dir("small")
	grow := pgtest.SmallDisk(t, server, dir)
	pgtest.Exec(t, server.URL("postgres"), "create tablespace small location '"+dir+"'")
	schema, sink := server.Schema(t)
	defer pgtest.Exec(t, sink, "drop schema "+schema+" cascade", "drop tablespace small")
	cfg := config(t.TempDir())
	cfg.Sink = sink + "&default_tablespace=small"
	n := open(t, cfg)
	s := openShop(t, n.client(t), 8)
	full := func() bool {
		for _, st := range n.flusher.Status() {
			if st.Err != nil && strings.Contains(st.Err.Error(), "No space left on device") {
				return true
			}
		}
		return false
	}
	s.during(t, n, "filling", func() {
		// Something else fills the disk but for a little.
		pgtest.Exec(t, sink+"&default_tablespace=small", "create table ballast as select repeat('x', 1000) from generate_series(1, 2600)")
		more := pgtest.Connect(t, sink)
		await(t, "the disk is full", func() bool {
			// However few orders there are; on a full disk it fails, as it is to.
			_, _ = more.Exec(t.Context(), "insert into ballast select repeat('x', 1000) from generate_series(1, 20)")
			return full()
		})
		if err := more.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	s.watch.enter("full")
	pass(t)
	if !full() {
		t.Error("vacuous: storage writes on a full disk")
	}
	grow()
	s.watch.enter("coming back")
	await(t, "flushing", n.flushed)
	s.watch.enter("up")
	pass(t)
	s.finish(t, n, sink)
}
