package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
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

func TestFlushesToExactlyTheRowsOfItsShards(t *testing.T) {
	path := dbPath(t)
	models := []*model{newModel(1, 1), newModel(2, 2), newModel(3, 3), newModel(4, 4)}
	f := mustOpen(t, config(path, models...))
	for range 20 {
		for _, m := range models {
			m.change(50)
		}
		f.Kick()
	}
	eventually(t, 5*time.Second, "all shards flushed", func() bool {
		return !slices.ContainsFunc(models, func(m *model) bool { return m.lastFlushed() < m.at() })
	})
	requireSame(t, path, models...)
	eventually(t, 5*time.Second, "no lag is left", func() bool {
		return !slices.ContainsFunc(f.Status(), func(s Status) bool { return s.LagOrders != 0 || s.LagMS != 0 || s.Err != nil })
	})
	for i, s := range f.Status() {
		if s.Shard != uint32(i+1) || s.Sink != "sqlite" || s.Index != models[i].at() {
			t.Errorf("status %+v, want shard %d at %d", s, i+1, models[i].at())
		}
	}
	mustClose(t, f)
	requireSame(t, path, models...)
}

// Whatever stream of changes, batch sizes, restarts and abandonments: the sink ends with the rows of the model.
func TestRandomStreamsConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		path, m := filepath.Join(dir, "orders.db"), newModel(rapid.Uint64().Draw(rt, "seed"), 1)
		for range rapid.IntRange(1, 4).Draw(rt, "lives") {
			c := config(path, m)
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
				requireSame(t, path, m)
			}
		}
		mustClose(t, mustOpen(t, config(path, m)))
		requireSame(t, path, m)
	})
}

// A transaction that fails at any of its steps is repeated with the same result, whether the connection lives on or is cut.
func TestFailureBetweenAnyTwoSteps(t *testing.T) {
	for cut := range 2 {
		for s := range steps {
			t.Run(fmt.Sprintf("step=%d/cut=%t", s, cut == 1), func(t *testing.T) {
				path, m := dbPath(t), newModel(uint64(s), 1)
				m.change(100)
				var fired atomic.Int64
				c, err := config(path, m).withDefaults()
				if err != nil {
					t.Fatal(err)
				}
				sink, err := newSQLite(&c)
				if err != nil {
					t.Fatal(err)
				}
				sink.probe = func(at step, session Session) error {
					if at != s || fired.Add(1) > 3 {
						return nil
					}
					if cut == 1 {
						if err := session.Close(); err != nil { // without a rollback
							t.Error(err)
						}
					}
					return errors.New("injected")
				}
				f, err := open(c, sink)
				if err != nil {
					t.Fatal(err)
				}
				eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
				m.change(100)
				mustClose(t, f)
				if fired.Load() <= 3 {
					t.Fatalf("the failure was injected %d times", fired.Load())
				}
				requireSame(t, path, m)
			})
		}
	}
}

// The files as they stand in the middle of a transaction are what a killed process leaves: a flusher that opens them goes on to the same rows,
// and before it does they hold whole batches only.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	for s := range steps {
		t.Run(fmt.Sprintf("step=%d", s), func(t *testing.T) {
			path, left, m := dbPath(t), dbPath(t), newModel(uint64(s), 1)
			m.change(300)
			c, err := config(path, m).withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			sink, err := newSQLite(&c)
			if err != nil {
				t.Fatal(err)
			}
			var seen int
			sink.probe = func(at step, _ Session) error {
				if at == s {
					if seen++; seen == 4 {
						copyFiles(t, path, left)
					}
				}
				return nil
			}
			f, err := open(c, sink)
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, f)
			if seen < 4 {
				t.Fatalf("step reached %d times only", seen)
			}
			requireWholeBatches(t, left, m)
			mustClose(t, mustOpen(t, config(left, m)))
			requireSame(t, left, m)
		})
	}
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

func copyFiles(t *testing.T, from, to string) {
	for _, suffix := range []string{"", "-wal"} {
		in, err := os.Open(from + suffix)
		if err != nil {
			t.Error(err)
			return
		}
		out, err := os.Create(to + suffix)
		if err == nil {
			_, err = io.Copy(out, in)
		}
		if err = errors.Join(err, in.Close(), out.Close()); err != nil {
			t.Error(err)
		}
	}
}

// session opens a sink and a session on it, without a flusher.
func session(t *testing.T, c Config) (Session, uint64) {
	t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	sink, err := newSQLite(&c)
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

func TestStaleVersionNeverOverwrites(t *testing.T) {
	path, m := dbPath(t), newModel(7, 1)
	m.change(20)
	older, err := m.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := session(t, config(path, m))
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
	requireSame(t, path, m)
}

func TestStaleTermAndMovedCursorGiveUp(t *testing.T) {
	path, m := dbPath(t), newModel(8, 1)
	m.change(20)
	first, err := m.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := session(t, config(path, m))
	leader, _ := session(t, config(path, m))
	if err := leader.Write(t.Context(), Batch{Term: 5, Changes: first}); err != nil {
		t.Fatal(err)
	}
	want := stored(t, path)
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
	if have := stored(t, path); !slices.Equal(want, have) {
		t.Error("a refused transaction changed rows")
	}
}

// Two flushers of one shard, as when a leader does not know yet that it was replaced: the older term gives up, and the rows are right.
func TestTwoFlushersRace(t *testing.T) {
	path, m := dbPath(t), newModel(9, 1)
	var oldTerm, newTerm atomic.Uint64
	oldTerm.Store(3)
	newTerm.Store(3)
	c1, c2 := config(path, m), config(path, m)
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
	requireSame(t, path, m)
}

func TestLockedDatabaseRecovers(t *testing.T) {
	path, m := dbPath(t), newModel(10, 1)
	f := mustOpen(t, config(path, m))
	m.change(50)
	eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	db := other(t, path)
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "begin exclusive"); err != nil {
		t.Fatal(err)
	}
	m.change(50)
	eventually(t, 5*time.Second, "the lock is reported", func() bool {
		s := f.Status()[0]
		return s.Err != nil && strings.Contains(s.Err.Error(), "locked") && s.LagOrders > 0 && s.LagMS > 0
	})
	if _, err := conn.ExecContext(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "flushed again", func() bool { return m.lastFlushed() == m.at() && f.Status()[0].Err == nil })
	requireSame(t, path, m)
	mustClose(t, f)
}

func TestDeletedDirectoryIsNoticedAndRefilled(t *testing.T) {
	for _, idle := range []bool{true, false} {
		t.Run(fmt.Sprintf("idle=%t", idle), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "gone")
			path, m := filepath.Join(dir, "orders.db"), newModel(11, 1)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			f := mustOpen(t, config(path, m))
			m.change(50)
			eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if !idle {
				m.change(50)
			}
			eventually(t, 5*time.Second, "noticed", func() bool { return f.Status()[0].Err != nil })
			m.change(50)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			eventually(t, 5*time.Second, "refilled", func() bool { return f.Status()[0].Err == nil && f.Status()[0].Index == m.at() })
			requireSame(t, path, m)
			mustClose(t, f)
		})
	}
}

// A commit into a file that lost its name does not count.
func TestACommitNobodyCouldReadIsAnError(t *testing.T) {
	for _, suffix := range []string{"", "-wal"} {
		path, m := dbPath(t), newModel(22, 1)
		s, _ := session(t, config(path, m))
		changes, err := m.Changes(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+suffix, path+".away"); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), Batch{Term: 1, Changes: changes}); !errors.Is(err, ErrSinkGone) {
			t.Errorf("write without %q: %v, want ErrSinkGone", suffix, err)
		}
	}
}

func TestFullDiskRecovers(t *testing.T) {
	path, m := dbPath(t), newModel(12, 1)
	c, err := config(path, m).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	sink, err := newSQLite(&c)
	if err != nil {
		t.Fatal(err)
	}
	sink.pragmas = []string{"pragma max_page_count = 12"}
	f, err := open(c, sink)
	if err != nil {
		t.Fatal(err)
	}
	m.change(500)
	eventually(t, 5*time.Second, "full", func() bool {
		err := f.Status()[0].Err
		return err != nil && strings.Contains(err.Error(), "full")
	})
	if n := len(dump(t, path, "", selectOrders)); n == 0 || n >= len(m.orders) {
		t.Fatalf("%d of %d orders fit: the disk was not full in between", n, len(m.orders))
	}
	abandon(f)
	mustClose(t, mustOpen(t, config(path, m)))
	requireSame(t, path, m)
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("these are not the orders you are looking for\n", 100)), 0o644); err != nil {
				t.Fatal(err)
			}
		}, ErrForeignFile},
		{"another program's database", func(t *testing.T, path string) { makeDB(t, path, "create table orders (id text)") }, ErrForeignFile},
		{"another program's id", func(t *testing.T, path string) { makeDB(t, path, "pragma application_id = 7") }, ErrForeignFile},
		{"our mark without tables", func(t *testing.T, path string) {
			makeDB(t, path, fmt.Sprintf("pragma application_id = %d", applicationID))
		}, ErrForeignFile},
		{"newer schema", func(t *testing.T, path string) {
			mustClose(t, mustOpen(t, config(path, newModel(1, 1))))
			run(t, path, fmt.Sprintf("pragma user_version = %d", schemaVersion+1), "pragma journal_mode = delete")
		}, ErrNewerSchema},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := dbPath(t)
			tc.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(config(path, newModel(2, 1))); !errors.Is(err, tc.want) {
				t.Errorf("open: %v, want %v", err, tc.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(before) != string(after) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func makeDB(t *testing.T, path, statement string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, path, statement)
}

func TestAnEmptyFileIsTaken(t *testing.T) {
	path, m := dbPath(t), newModel(13, 1)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, config(path, m)))
	requireSame(t, path, m)
}

func TestAnotherClusterIsRefusedUntilAdopted(t *testing.T) {
	path, a := dbPath(t), newModel(14, 1)
	a.change(300)
	mustClose(t, mustOpen(t, config(path, a)))

	b := newModel(15, 1) // the same order ids at lower log indexes
	b.change(20)
	c := config(path, b)
	c.ClusterID = "cluster-b"
	if _, err := Open(c); !errors.Is(err, ErrOtherCluster) || !strings.Contains(err.Error(), "cluster-a") {
		t.Fatalf("open: %v, want ErrOtherCluster naming the other", err)
	}
	requireSame(t, path, a)

	c.AdoptSink = true
	mustClose(t, mustOpen(t, c))
	have := stored(t, path)
	for _, row := range rows(b) {
		if _, ok := slices.BinarySearch(have, row); !ok {
			t.Fatalf("after adoption this row is missing: %s", row)
		}
	}
	b.change(20)
	c.AdoptSink = false
	mustClose(t, mustOpen(t, c))
	if _, err := Open(config(path, a)); !errors.Is(err, ErrOtherCluster) {
		t.Fatalf("the former cluster: %v, want ErrOtherCluster", err)
	}
}

func TestEpochs(t *testing.T) {
	path, m := dbPath(t), newModel(16, 1)
	m.change(100)
	mustClose(t, mustOpen(t, config(path, m)))
	m.epoch = 2 // of versions: restored, and written again in full
	c := config(path, m)
	c.Epoch = 2
	m.change(5)
	mustClose(t, mustOpen(t, c))
	requireSame(t, path, m)
	if _, err := Open(config(path, m)); !errors.Is(err, ErrOtherCluster) {
		t.Fatalf("an earlier epoch: %v, want ErrOtherCluster", err)
	}
}

// A restart goes on from the sink's cursor; the source is told at once what the sink has.
func TestRestartResumesFromTheCursor(t *testing.T) {
	path, m := dbPath(t), newModel(17, 1)
	m.change(100)
	mustClose(t, mustOpen(t, config(path, m)))
	at := m.at()
	m.flushed = nil
	m.change(10)
	var least atomic.Uint64
	least.Store(1 << 62)
	c := config(path, m)
	c.Shards[0].Source = spy{m, func(since uint64) { least.Store(min(least.Load(), since)) }}
	mustClose(t, mustOpen(t, c))
	if least.Load() != at || m.flushed[0] != at {
		t.Errorf("read from %d, told %d first, want %d", least.Load(), m.flushed[0], at)
	}
	requireSame(t, path, m)
}

type spy struct {
	*model
	saw func(since uint64)
}

func (s spy) Changes(ctx context.Context, since uint64, limit int) (stock.Changes, error) {
	s.saw(since)
	return s.model.Changes(ctx, since, limit)
}

func TestOpenGoesOnWithoutItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	path, m := filepath.Join(dir, "orders.db"), newModel(18, 1)
	m.change(10)
	f := mustOpen(t, config(path, m))
	eventually(t, 5*time.Second, "reported", func() bool { return f.Status()[0].Err != nil && f.Status()[0].LagOrders > 0 })
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	mustClose(t, f)
	requireSame(t, path, m)
}

func TestPathsWithSpecialCharacters(t *testing.T) {
	path, m := filepath.Join(t.TempDir(), "a b?c#d%20e.db"), newModel(19, 1)
	mustClose(t, mustOpen(t, config(path, m)))
	requireSame(t, path, m)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}
