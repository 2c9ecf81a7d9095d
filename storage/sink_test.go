package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/stock"
)

// What every sink must do, run over each kind.

func TestFlushesToExactlyTheRowsOfItsShards(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		models := []*model{newModel(1, 1), newModel(2, 2), newModel(3, 3), newModel(4, 4)}
		f := mustOpen(t, config(sink, models...))
		for range 20 {
			for _, m := range models {
				m.change(50)
			}
			f.Kick()
		}
		eventually(t, 5*time.Second, "all shards flushed", func() bool {
			return !slices.ContainsFunc(models, func(m *model) bool { return m.lastFlushed() < m.at() })
		})
		requireSame(t, sink, models...)
		eventually(t, 5*time.Second, "no lag is left", func() bool {
			return !slices.ContainsFunc(f.Status(), func(s Status) bool { return s.LagOrders != 0 || s.LagMS != 0 || s.Err != nil })
		})
		for i, s := range f.Status() {
			if s.Shard != uint32(i+1) || s.Sink != sinkName(sink) || s.Index != models[i].at() {
				t.Errorf("status %+v, want shard %d at %d", s, i+1, models[i].at())
			}
		}
		mustClose(t, f)
		requireSame(t, sink, models...)
	})
}

// sinkName is what Status calls it.
func sinkName(sink string) string {
	if isPostgres(sink) {
		return "postgres"
	}
	return "sqlite"
}

// Whatever stream of changes, batch sizes, restarts and abandonments: the sink ends with the rows of the model.
func TestRandomStreamsConverge(t *testing.T) {
	fresh := map[string]func(rt *rapid.T) string{
		"postgres": func(*rapid.T) string { return schemaURL(t) },
		"sqlite": func(rt *rapid.T) string {
			dir, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				rt.Fatal(err)
			}
			return filepath.Join(dir, "orders.db")
		},
	}
	rapid.Check(t, func(rt *rapid.T) {
		// A stream in PostgreSQL takes as long as ten in SQLite, most of it connecting.
		kind := rapid.SampledFrom(strings.Fields("postgres sqlite sqlite sqlite sqlite sqlite sqlite sqlite")).Draw(rt, "kind")
		sink, m := fresh[kind](rt), newModel(rapid.Uint64().Draw(rt, "seed"), 1)
		for range rapid.IntRange(1, 4).Draw(rt, "lives") {
			c := config(sink, m)
			c.BatchRows = rapid.IntRange(1, 40).Draw(rt, "batch")
			f := mustOpen(t, c)
			for range rapid.IntRange(0, 3).Draw(rt, "bursts") {
				m.change(rapid.IntRange(1, 30).Draw(rt, "entries"))
				f.Kick()
			}
			if rapid.Bool().Draw(rt, "abandoned") {
				abandon(f)
			} else {
				mustClose(t, f)
				requireSame(t, sink, m)
			}
		}
		mustClose(t, mustOpen(t, config(sink, m)))
		requireSame(t, sink, m)
	})
}

// A transaction that fails at any of its steps is repeated with the same result, whether the connection lives on or is cut.
func TestFailureBetweenAnyTwoSteps(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		for cut := range 2 {
			for at := range steps {
				t.Run(fmt.Sprintf("step=%d/cut=%t", at, cut == 1), func(t *testing.T) { failBetween(t, sink, at, cut == 1) })
			}
		}
	})
}

func failBetween(t *testing.T, sink string, at step, cut bool) {
	if isPostgres(sink) {
		sink = schemaURL(t)
	} else {
		sink = dbPath(t)
	}
	m := newModel(uint64(at), 1)
	m.change(100)
	var fired atomic.Int64
	f := openProbed(t, config(sink, m), func(now step, s Session) error {
		if now != at || fired.Add(1) > 3 {
			return nil
		}
		if cut {
			cutOff(t, s)
		}
		return errors.New("injected")
	})
	eventually(t, 10*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	m.change(100)
	mustClose(t, f)
	if fired.Load() <= 3 {
		t.Fatalf("the failure was injected %d times", fired.Load())
	}
	requireSame(t, sink, m)
}

// cutOff ends a session's connection without a rollback.
func cutOff(t *testing.T, s Session) {
	switch s := s.(type) {
	case *sqliteSession:
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	case *postgresSession:
		s.line.close()
	}
}

// openProbed opens a flusher whose transactions call probe between their steps.
func openProbed(t *testing.T, c Config, probe func(step, Session) error) *Flusher {
	t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	sink, err := newSink(&c)
	if err != nil {
		t.Fatal(err)
	}
	switch sink := sink.(type) {
	case *sqliteSink:
		sink.probe = probe
	case *postgresSink:
		sink.probe = probe
	}
	f, err := open(c, sink)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestStaleVersionNeverOverwrites(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(7, 1)
		m.change(20)
		older, err := m.Changes(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := session(t, config(sink, m))
		m.change(200)
		newer, err := m.Changes(t.Context(), 0, 10000)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), Batch{Term: 1, Changes: newer}); err != nil {
			t.Fatal(err)
		}
		older.UpTo = newer.UpTo
		same := newer.Orders[0]
		same.Qty += 1000
		older.Orders = append(older.Orders, same)
		if err := s.Write(t.Context(), Batch{Term: 1, Since: newer.UpTo, Changes: older}); err != nil {
			t.Fatal(err)
		}
		requireSame(t, sink, m)
	})
}

func TestStaleTermAndMovedCursorGiveUp(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(8, 1)
		m.change(20)
		first, err := m.Changes(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := session(t, config(sink, m))
		leader, _ := session(t, config(sink, m))
		if err := leader.Write(t.Context(), Batch{Term: 5, Changes: first}); err != nil {
			t.Fatal(err)
		}
		want := stored(t, sink)
		tampered := first
		tampered.Orders = slices.Clone(first.Orders)
		for i := range tampered.Orders {
			tampered.Orders[i].Version += 1000
			tampered.Orders[i].State = stock.StateReturned
		}
		if err := before.Write(t.Context(), Batch{Term: 4, Changes: tampered}); !errors.Is(err, ErrStaleTerm) {
			t.Errorf("older term: %v, want ErrStaleTerm", err)
		}
		if err := before.Write(t.Context(), Batch{Term: 5, Changes: tampered}); !errors.Is(err, ErrCursorMoved) {
			t.Errorf("moved cursor: %v, want ErrCursorMoved", err)
		}
		if have := stored(t, sink); !slices.Equal(want, have) {
			t.Error("a refused transaction changed rows")
		}
	})
}

// Two flushers of one shard, as when a leader does not know yet that it was replaced: the older term gives up, and the rows are right.
func TestTwoFlushersRace(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(9, 1)
		var oldTerm, newTerm atomic.Uint64
		oldTerm.Store(3)
		newTerm.Store(3)
		c1, c2 := config(sink, m), config(sink, m)
		c1.Term = func(uint32) uint64 { return oldTerm.Load() }
		c2.Term = func(uint32) uint64 { return newTerm.Load() }
		c1.BatchRows, c2.BatchRows = 5, 7
		older, newer := mustOpen(t, c1), mustOpen(t, c2)
		m.change(100)
		eventually(t, 10*time.Second, "both in one term", func() bool { return older.Status()[0].Index == m.at() && newer.Status()[0].Index == m.at() })
		newTerm.Store(4)
		m.change(20)
		eventually(t, 10*time.Second, "the newer one flushes", func() bool { return newer.Status()[0].Index == m.at() })
		for i := 0; !errors.Is(older.Status()[0].Err, ErrStaleTerm); i++ {
			m.change(1)
			eventually(t, 10*time.Second, "the newer one flushes", func() bool { return newer.Status()[0].Index == m.at() })
			if i > 1000 {
				t.Fatalf("the older one did not give up: %+v", older.Status()[0])
			}
		}
		oldTerm.Store(5)
		m.change(20)
		eventually(t, 10*time.Second, "the older one leads again", func() bool { return older.Status()[0].Index == m.at() })
		abandon(older)
		abandon(newer)
		requireSame(t, sink, m)
	})
}

func TestAnotherClusterIsRefusedUntilAdopted(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		a := newModel(14, 1)
		a.change(300)
		mustClose(t, mustOpen(t, config(sink, a)))

		b := newModel(15, 1) // the same order ids at lower log indexes
		b.change(20)
		c := config(sink, b)
		c.ClusterID = "cluster-b"
		if _, err := Open(c); !errors.Is(err, ErrOtherCluster) || !strings.Contains(err.Error(), "cluster-a") {
			t.Fatalf("open: %v, want ErrOtherCluster naming the other", err)
		}
		requireSame(t, sink, a)

		c.AdoptSink = true
		mustClose(t, mustOpen(t, c))
		have := stored(t, sink)
		for _, row := range rows(b) {
			if _, ok := slices.BinarySearch(have, row); !ok {
				t.Fatalf("after adoption this row is missing: %s", row)
			}
		}
		b.change(20)
		c.AdoptSink = false
		mustClose(t, mustOpen(t, c))
		if _, err := Open(config(sink, a)); !errors.Is(err, ErrOtherCluster) {
			t.Fatalf("the former cluster: %v, want ErrOtherCluster", err)
		}
	})
}

func TestEpochs(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(16, 1)
		m.change(100)
		mustClose(t, mustOpen(t, config(sink, m)))
		m.epoch = 2 // of versions: restored, and written again in full
		c := config(sink, m)
		c.Epoch = 2
		m.change(5)
		mustClose(t, mustOpen(t, c))
		requireSame(t, sink, m)
		if _, err := Open(config(sink, m)); !errors.Is(err, ErrOtherCluster) {
			t.Fatalf("an earlier epoch: %v, want ErrOtherCluster", err)
		}
	})
}

// A restart goes on from the sink's cursor; the source is told at once what the sink has.
func TestRestartResumesFromTheCursor(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(17, 1)
		m.change(100)
		mustClose(t, mustOpen(t, config(sink, m)))
		at := m.at()
		m.flushed = nil
		m.change(10)
		var least atomic.Uint64
		least.Store(1 << 62)
		c := config(sink, m)
		c.Shards[0].Source = spy{m, func(since uint64) { least.Store(min(least.Load(), since)) }}
		mustClose(t, mustOpen(t, c))
		if least.Load() != at || m.flushed[0] != at {
			t.Errorf("read from %d, told %d first, want %d", least.Load(), m.flushed[0], at)
		}
		requireSame(t, sink, m)
	})
}

// requireWholeBatches checks that exactly the rows up to the stored cursor are there.
func requireWholeBatches(t *testing.T, path string, m *model) {
	t.Helper()
	a, err := OpenAudit(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	indexes, err := a.Indexes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, have := 0, 0
	for _, o := range m.orders {
		if o.Version <= indexes[1] {
			want++
		}
	}
	for _, err := range a.Orders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		have++
	}
	if want != have || want == 0 || want == len(m.orders) {
		t.Fatalf("%d orders stored, the cursor at %d stands for %d of %d", have, indexes[1], want, len(m.orders))
	}
}

// session opens a sink and a session on it, without a flusher.
func session(t *testing.T, c Config) (Session, uint64) {
	t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	sink, err := newSink(&c)
	if err != nil {
		t.Fatal(err)
	}
	s, index, err := sink.Connect(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), sink.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, index
}

type spy struct {
	*model
	saw func(since uint64)
}

func (s spy) Changes(ctx context.Context, since uint64, limit int) (stock.Changes, error) {
	s.saw(since)
	return s.model.Changes(ctx, since, limit)
}
