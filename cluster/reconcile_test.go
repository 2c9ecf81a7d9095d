package cluster

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

// span is entries first to last of one term.
type span struct{ first, last, term uint64 }

func logOf(t *testing.T, spans ...span) *memLog {
	t.Helper()
	l := newMemLog()
	for _, s := range spans {
		for i := s.first; i <= s.last; i++ {
			if err := l.StoreLog(&raft.Log{Index: i, Term: s.term, Type: raft.LogCommand, Data: []byte{byte(i)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

func TestReconcileLogWithSnapshot(t *testing.T) {
	const at, term = 10, 3
	for _, tc := range []struct {
		name     string
		snapshot bool
		log      []span
		dropped  bool
		err      error
	}{
		{name: "nothing at all"},
		{name: "a log from the start", log: []span{{1, 5, 2}}},
		{name: "a log that begins later", log: []span{{3, 5, 2}}, err: ErrLogGap},
		{name: "only the snapshot", snapshot: true},
		{name: "contains the snapshot's entry", snapshot: true, log: []span{{5, 9, 2}, {10, 15, 3}}},
		{name: "ends with the snapshot's entry", snapshot: true, log: []span{{10, 10, 3}}},
		{name: "begins right after", snapshot: true, log: []span{{11, 15, 3}}},
		{name: "ends before", snapshot: true, log: []span{{1, 8, 2}}, dropped: true},
		{name: "ends right before", snapshot: true, log: []span{{1, 9, 2}}, dropped: true},
		{name: "holds another entry at the index", snapshot: true, log: []span{{5, 15, 2}}, dropped: true},
		{name: "begins after a gap", snapshot: true, log: []span{{12, 15, 3}}, err: ErrLogGap},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store, log := testStore(t, newMemFS()), logOf(t, tc.log...)
			if tc.snapshot {
				if err := put(store, at, term, "state"); err != nil {
					t.Fatal(err)
				}
			}
			dropped, err := reconcile(log, store)
			if dropped != tc.dropped || !errors.Is(err, tc.err) {
				t.Errorf("dropped %v, %v", dropped, err)
			}
			if last, _ := log.LastIndex(); (last == 0) != (tc.dropped || tc.log == nil) {
				t.Errorf("the log ends at %d", last)
			}
		})
	}
}

// The log is the last thing left of the state when the snapshot is damaged: it stays.
func TestTheLogIsNotDroppedForADamagedSnapshot(t *testing.T) {
	fsys, log := newMemFS(), logOf(t, span{1, 8, 2})
	store := testStore(t, fsys)
	if err := put(store, 10, 3, "state"); err != nil {
		t.Fatal(err)
	}
	fsys.edit(filepath.Join(store.dir, snapName(10, 3)), func(b []byte) []byte { b[len(b)-snapEndBytes-1] ^= 4; return b })
	if _, err := reconcile(log, testStore(t, fsys)); !errors.Is(err, ErrSnapshotCorrupt) {
		t.Errorf("err %v", err)
	}
	if last, _ := log.LastIndex(); last != 8 {
		t.Errorf("the log ends at %d", last)
	}
}

func TestBootstrapOnlyWhatIsEmpty(t *testing.T) {
	self := raft.Server{ID: "n1#1", Address: "n1"}
	for _, tc := range []struct {
		name   string
		term   uint64
		log    []span
		snap   bool
		writes bool
		err    error
	}{
		{name: "empty", writes: true},
		{name: "cut in two by a crash", term: 1, writes: true},
		{name: "a log", term: 4, log: []span{{1, 3, 4}}},
		{name: "a snapshot", term: 4, snap: true},
		{name: "only a term", term: 4, err: ErrStateLost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log, store := logOf(t, tc.log...), testStore(t, newMemFS())
			if tc.term > 0 {
				_ = log.SetUint64(keyCurrentTerm, tc.term)
			}
			if tc.snap {
				if err := put(store, 10, 3, "state"); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := log.LastIndex()
			err := bootstrap(log, store, self)
			after, _ := log.LastIndex()
			if !errors.Is(err, tc.err) || (after != before) != tc.writes {
				t.Errorf("err %v, the log went from %d to %d", err, before, after)
			}
		})
	}
}

// The example behind rule R23: a crash between "snapshot 1000 is durable" and "log 1 to 800 is gone".
func TestALogBesideAnInstalledSnapshotCanBeAppendedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		g.mustPropose(c.Shard(1), "a", "b")
		g.close()
		last, _ := g.logs[1].LastIndex()
		if err := put(testStore(t, g.fs), last+100, 3, string(cutOf(last+100, "a", "b", "c"))); err != nil {
			t.Fatal(err)
		}
		_ = g.logs[1].SetUint64(keyCurrentTerm, 3)
		c = g.open()
		defer g.close()
		g.mustPropose(c.Shard(1), "d")
		if got := g.machine(1).applied(); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			t.Errorf("state %v", got)
		}
		if first, _ := g.logs[1].FirstIndex(); first != last+101 {
			t.Errorf("the log begins at %d, the snapshot ends at %d", first, last+100)
		}
	})
}

func TestADamagedSnapshotRefusesTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		c := g.open()
		s := c.Shard(1)
		g.mustPropose(s, "a", "b", "c")
		if _, _, err := s.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.mustPropose(s, "d")
		if _, _, err := s.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.close()
		names, _ := g.fs.List("/data/snapshots/shard-1")
		names = slices.DeleteFunc(names, func(name string) bool { return name == markName })
		path := filepath.Join("/data/snapshots/shard-1", names[0])
		g.fs.edit(path, func(b []byte) []byte { b[len(b)-snapEndBytes-1] ^= 1; return b })
		_, err := Open(g.config())
		if !errors.Is(err, ErrSnapshotCorrupt) {
			t.Fatalf("Open: %v", err)
		}
		t.Log(err)
	})
}
