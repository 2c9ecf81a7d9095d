package storage

import (
	"errors"
	"os"
	"testing"
	"time"

	"holdfast/internal/logtest"
)

// emptied returns a sink that was filled with a model's rows and lost them all.
func emptied(t *testing.T, sink string, m *model) {
	t.Helper()
	mustClose(t, mustOpen(t, config(sink, m)))
	requireSame(t, sink, m)
	if isPostgres(sink) {
		run(t, sink, "drop table orders, skus, cursor, holdfast_schema")
		return
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(sink + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(sink, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A database that lost what the log says was in it is filled again, and that is said once: in one record for all shards, in the status, in a metric.
func TestASinkThatLostItsRowsIsTold(t *testing.T) {
	for name, mark := range map[string]uint64{"orders left memory": 40, "all are in memory": 0} {
		t.Run(name, func(t *testing.T) {
			overSinks(t, func(t *testing.T, sink string) {
				m := newModel(41, 1)
				m.change(60)
				emptied(t, sink, m)
				m.history = History{Mark: mark, Index: m.at()}
				var j logtest.Journal
				c := config(sink, m)
				c.Logger = j.Logger()
				f := mustOpen(t, c)
				eventually(t, 10*time.Second, "told", func() bool { return f.Status()[0].Gap.Found() })
				if g := f.Status()[0].Gap; !g.Found() || g.Missing() != (mark > 0) || g.Mark != mark {
					t.Errorf("%+v", g)
				}
				mustClose(t, f)
				requireSame(t, sink, m)
				lacks, empty := j.Records(t, "the database lacks"), j.Records(t, "the database is empty and the log is not")
				if want := map[bool][2]int{true: {1, 0}, false: {0, 1}}[mark > 0]; len(lacks) != want[0] || len(empty) != want[1] {
					t.Errorf("%v\n%v", lacks, empty)
				}
				// What is there again is not told again.
				f = mustOpen(t, c)
				eventually(t, 10*time.Second, "connected", func() bool { return f.Status()[0].connected })
				mustClose(t, f)
				if g := f.Status()[0].Gap; g.Found() {
					t.Errorf("told again: %+v", g)
				}
			})
		})
	}
}

// A first start is not told of, nor what its orders do before the sink is heard of; a log that is still read is waited for.
func TestANewSinkIsNoLoss(t *testing.T) {
	m := newModel(42, 1)
	m.reading = true
	var j logtest.Journal
	c := config(dbPath(t), m)
	c.Logger = j.Logger()
	f := mustOpen(t, c)
	m.change(50)
	eventually(t, 10*time.Second, "connected", func() bool { return f.Status()[0].connected })
	if at := m.lastFlushed(); at != 0 {
		t.Errorf("flushed to %d before the log was read", at)
	}
	m.mu.Lock()
	m.reading = false
	m.mu.Unlock()
	eventually(t, 10*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	mustClose(t, f)
	if got := j.Records(t, "the database"); len(got) > 0 || f.Status()[0].Gap.Found() {
		t.Errorf("%v", got)
	}
}
