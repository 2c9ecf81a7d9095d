package storage

import (
	"strings"
	"testing"
	"time"

	"holdfast/storage/pgtest"
)

// The disk under the tables is full: a tablespace on a file system of 4 MiB, which is made larger then.
func TestPostgresDiskFull(t *testing.T) {
	server := pgtest.Shared(t)
	dir := server.Dir("full")
	grow := pgtest.SmallDisk(t, server, dir)
	run(t, server.URL("postgres"), "create tablespace small location '"+dir+"'")
	name, sink := server.Schema(t)
	defer run(t, sink, "drop schema "+name+" cascade", "drop tablespace small")
	m := newModel(40, 1)
	c := config(sink+"&default_tablespace=small", m)
	c.BatchRows = 512
	f := mustOpen(t, c)
	full := func() bool {
		err := f.Status()[0].Err
		return err != nil && strings.Contains(err.Error(), "No space left on device")
	}
	for range 50 {
		m.change(1000)
		eventually(t, 20*time.Second, "flushed or full", func() bool { return full() || m.lastFlushed() == m.at() })
		if full() {
			break
		}
	}
	if !full() {
		t.Fatalf("%d orders fit on the small disk: %+v", len(m.orders), f.Status())
	}
	requireNoGap(t, sink, m)
	m.change(100)
	grow()
	eventually(t, 20*time.Second, "flushed on", func() bool { return m.lastFlushed() == m.at() && f.Status()[0].Err == nil })
	mustClose(t, f)
	requireSame(t, sink, m)
}
