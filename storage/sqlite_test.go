package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

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
			run(t, path, fmt.Sprintf("pragma user_version = %d", sqliteSchema+1), "pragma journal_mode = delete")
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

// However many sessions end at the same moment, the last one leaves no write-ahead file behind.
func TestSessionsThatCloseTogetherTakeTheLogIn(t *testing.T) {
	for range 20 {
		path := dbPath(t)
		c, err := config(path, newModel(1, 1)).withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		sink, err := newSQLite(&c)
		if err != nil {
			t.Fatal(err)
		}
		sessions := make([]Session, 8)
		for i := range sessions {
			if sessions[i], _, err = sink.Connect(t.Context(), uint32(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		var closing sync.WaitGroup
		for _, s := range sessions {
			closing.Go(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closing.Wait()
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("orders.db-wal: %v", err)
		}
	}
}
