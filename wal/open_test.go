package wal_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "/log"

var (
	quiet   = slog.New(slog.NewTextHandler(io.Discard, nil))
	cluster = [16]byte{'t', 'h', 'e', ' ', 'c', 'l', 'u', 's', 't', 'e', 'r'}
)

// small is the configuration of most tests: the smallest segments, so that everything happens soon.
func small(fs wal.FS) wal.Config {
	return wal.Config{Dir: dir, FS: fs, ClusterID: cluster, SegmentBytes: 16 << 10, CacheBytes: 8 << 10, Logger: quiet}
}

func open(t testing.TB, cfg wal.Config) *wal.Log {
	t.Helper()
	if cfg.OnFatal == nil {
		cfg.OnFatal = func(err error) { t.Errorf("the log failed: %v", err) }
	}
	l, err := wal.Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return l
}

func closeLog(t testing.TB, l *wal.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entry is a full entry whose content tells its group, index and version.
func entry(group uint32, index uint64, version, size int) *raft.Log {
	l := &raft.Log{
		Index: index, Term: 1 + uint64(version), Type: raft.LogType(index % 6),
		Data:       fmt.Appendf(nil, "%d/%d/%d ", group, index, version),
		AppendedAt: time.Unix(1_700_000_000+int64(index), int64(index)).UTC(),
	}
	for len(l.Data) < size {
		l.Data = append(l.Data, byte(len(l.Data)*7+version))
	}
	if index%3 == 0 {
		l.Extensions = fmt.Appendf(nil, "ext %d", index)
	}
	return l
}

func entries(group uint32, from, to uint64, version, size int) []*raft.Log {
	var all []*raft.Log
	for i := from; i <= to; i++ {
		all = append(all, entry(group, i, version, size))
	}
	return all
}

func same(a, b *raft.Log) bool { return fmt.Sprintf("%+v", *a) == fmt.Sprintf("%+v", *b) }

// want checks that g holds exactly these entries.
func want(t testing.TB, g *wal.Group, logs []*raft.Log) {
	t.Helper()
	first, err := g.FirstIndex()
	must(t, err)
	last, err := g.LastIndex()
	must(t, err)
	if len(logs) == 0 {
		if first != 0 || last != 0 {
			t.Fatalf("group %d holds %d to %d, want nothing", g.ID(), first, last)
		}
		return
	}
	if first != logs[0].Index || last != logs[len(logs)-1].Index {
		t.Fatalf("group %d holds %d to %d, want %d to %d", g.ID(), first, last, logs[0].Index, logs[len(logs)-1].Index)
	}
	for _, l := range logs {
		var got raft.Log
		must(t, g.GetLog(l.Index, &got))
		if !same(&got, l) {
			t.Fatalf("group %d: entry %d is %+v, want %+v", g.ID(), l.Index, got, *l)
		}
	}
	var none raft.Log
	for _, i := range []uint64{0, first - 1, last + 1, ^uint64(0)} {
		if err := g.GetLog(i, &none); err != raft.ErrLogNotFound {
			t.Fatalf("GetLog(%d) of %d to %d: %v, want the bare ErrLogNotFound", i, first, last, err)
		}
	}
}

func TestEmptyLog(t *testing.T) {
	l := open(t, small(waltest.NewFS()))
	defer closeLog(t, l)
	g := l.Group(7)
	if l.Group(7) != g {
		t.Error("another pointer for the same group")
	}
	want(t, g, nil)
	if _, err := g.Get([]byte("k")); err == nil || err.Error() != "not found" {
		t.Errorf("Get of a missing key: %v", err)
	}
	if n, err := g.GetUint64([]byte("k")); n != 0 || err == nil || err.Error() != "not found" {
		t.Errorf("GetUint64 of a missing key: %d, %v", n, err)
	}
	if !g.IsMonotonic() || len(l.Groups()) != 0 || g.BytesSince(0) != 0 {
		t.Error("an empty log is not empty")
	}
	must(t, g.DeleteRange(1, 10))
	must(t, g.Drop())
	must(t, g.StoreLogs(nil))
}

func TestStoredEntriesSurvive(t *testing.T) {
	fs := waltest.NewFS()
	a, b := entries(1, 1, 300, 0, 100), entries(2, 50, 80, 0, 2000)
	l := open(t, small(fs))
	for i := 0; i < len(a); i += 7 {
		must(t, l.Group(1).StoreLogs(a[i:min(i+7, len(a))]))
	}
	must(t, l.Group(2).StoreLogs(b)) // more than one batch can hold
	must(t, l.Group(3).SetUint64([]byte("term"), 42))
	must(t, l.Group(3).Set([]byte("vote"), []byte("n1")))
	check := func() {
		t.Helper()
		want(t, l.Group(1), a)
		want(t, l.Group(2), b)
		if n, err := l.Group(3).GetUint64([]byte("term")); n != 42 || err != nil {
			t.Errorf("term is %d, %v", n, err)
		}
		if v, err := l.Group(3).Get([]byte("vote")); string(v) != "n1" || err != nil {
			t.Errorf("vote is %q, %v", v, err)
		}
		if fmt.Sprint(l.Groups()) != "[1 2 3]" {
			t.Errorf("groups are %v", l.Groups())
		}
	}
	check()
	for range 3 {
		closeLog(t, l)
		l = open(t, small(fs))
		check()
	}
	closeLog(t, l)
}

func TestClosed(t *testing.T) {
	l := open(t, small(waltest.NewFS()))
	g := l.Group(1)
	must(t, g.StoreLog(entry(1, 1, 0, 10)))
	closeLog(t, l)
	_, first := g.FirstIndex()
	_, last := g.LastIndex()
	_, key := g.Get([]byte("k"))
	_, number := g.GetUint64([]byte("k"))
	for call, err := range map[string]error{
		"StoreLogs": g.StoreLogs(entries(1, 2, 3, 0, 10)), "StoreLogs of nothing": g.StoreLogs(nil), "GetLog": g.GetLog(1, &raft.Log{}),
		"DeleteRange": g.DeleteRange(1, 1), "Drop": g.Drop(), "Set": g.Set([]byte("k"), nil),
		"FirstIndex": first, "LastIndex": last, "Get": key, "GetUint64": number, "Close": l.Close(),
	} {
		if !errors.Is(err, wal.ErrClosed) {
			t.Errorf("%s after Close: %v", call, err)
		}
	}
}

func TestGetLogSharesNothing(t *testing.T) {
	for _, cached := range []int64{-1, 64 << 10} {
		cfg := small(waltest.NewFS())
		cfg.CacheBytes = cached
		l := open(t, cfg)
		in := entry(1, 3, 0, 50)
		must(t, l.Group(1).StoreLog(in))
		clear(in.Data)
		var a, b raft.Log
		must(t, l.Group(1).GetLog(3, &a))
		clear(a.Data)
		clear(a.Extensions)
		a.Data = append(a.Data, "more"...)
		must(t, l.Group(1).GetLog(3, &b))
		if !same(&b, entry(1, 3, 0, 50)) {
			t.Errorf("cache %d: the entry changed: %+v", cached, b)
		}
		closeLog(t, l)
	}
}

// assertEntry checks one entry of a log.
func assertEntry(t testing.TB, l *wal.Log, e *raft.Log) {
	t.Helper()
	var got raft.Log
	id := uint32(0)
	_, err := fmt.Sscanf(string(e.Data), "%d/", &id)
	must(t, err)
	must(t, l.Group(id).GetLog(e.Index, &got))
	if !same(&got, e) {
		t.Fatalf("entry %d of group %d is %.40q, want %.40q", e.Index, id, got.Data, e.Data)
	}
}

// readOrGone reads an entry of group 1 that may be removed meanwhile.
func readOrGone(t testing.TB, l *wal.Log, index uint64) {
	t.Helper()
	var got raft.Log
	if err := l.Group(1).GetLog(index, &got); err == nil && !same(&got, entry(1, index, 0, 500)) {
		t.Errorf("entry %d is %.40q", index, got.Data)
	} else if err != nil && err != raft.ErrLogNotFound {
		t.Errorf("entry %d: %v", index, err)
	}
}
