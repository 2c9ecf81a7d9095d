package wal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

func TestDeleteRange(t *testing.T) {
	tests := []struct {
		name      string
		low, high uint64
		first     uint64 // expected, of 10..20; 0 is empty
		last      uint64
		err       error
	}{
		{"prefix", 10, 14, 15, 20, nil},
		{"prefix from below", 0, 14, 15, 20, nil},
		{"first alone", 10, 10, 11, 20, nil},
		{"all but the last", 1, 19, 20, 20, nil},
		{"suffix", 15, 20, 10, 14, nil},
		{"suffix to beyond", 15, 1000, 10, 14, nil},
		{"last alone", 20, 20, 10, 19, nil},
		{"all but the first", 11, 20, 10, 10, nil},
		{"all", 10, 20, 0, 0, nil},
		{"more than all", 0, ^uint64(0), 0, 0, nil},
		{"below", 1, 9, 10, 20, nil},
		{"above", 21, 30, 10, 20, nil},
		{"backwards", 15, 14, 10, 20, nil},
		{"middle", 12, 15, 10, 20, wal.ErrMiddle},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := waltest.NewFS()
			l := open(t, small(fs))
			all := entries(1, 10, 20, 0, 30)
			must(t, l.Group(1).StoreLogs(all))
			if err := l.Group(1).DeleteRange(tt.low, tt.high); !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			var left []*raft.Log
			if tt.first > 0 {
				left = all[tt.first-10 : tt.last-10+1]
			}
			want(t, l.Group(1), left)
			closeLog(t, l)
			l = open(t, small(fs))
			want(t, l.Group(1), left)

			next := tt.last + 1
			if tt.first == 0 {
				next = 500 // an empty log takes any index
			}
			left = append(left, entries(1, next, next+5, 1, 30)...)
			must(t, l.Group(1).StoreLogs(left[len(left)-6:]))
			want(t, l.Group(1), left)
			closeLog(t, l)
			l = open(t, small(fs))
			want(t, l.Group(1), left)
			closeLog(t, l)
		})
	}
}

func TestSuffixIsReplacedByWhatIsStoredAgain(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	g := l.Group(1)
	must(t, g.StoreLogs(entries(1, 1, 60, 0, 200))) // over several segments
	must(t, g.DeleteRange(31, 60))
	must(t, g.StoreLogs(entries(1, 31, 50, 1, 200)))
	must(t, g.DeleteRange(1, 20))
	must(t, g.DeleteRange(45, 50))
	must(t, g.StoreLogs(entries(1, 45, 70, 2, 200)))
	all := append(append(entries(1, 21, 30, 0, 200), entries(1, 31, 44, 1, 200)...), entries(1, 45, 70, 2, 200)...)
	want(t, g, all)
	closeLog(t, l)
	l = open(t, small(fs))
	want(t, l.Group(1), all)
	closeLog(t, l)
}

func TestDropKeepsKeysAndOtherGroups(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	must(t, l.Group(1).SetUint64([]byte("term"), 9))
	must(t, l.Group(1).StoreLogs(entries(1, 1, 100, 0, 300)))
	must(t, l.Group(2).StoreLogs(entries(2, 1, 10, 0, 300)))
	must(t, l.Group(1).Drop())
	for range 2 {
		want(t, l.Group(1), nil)
		want(t, l.Group(2), entries(2, 1, 10, 0, 300))
		if n, err := l.Group(1).GetUint64([]byte("term")); n != 9 || err != nil {
			t.Fatalf("term is %d, %v", n, err)
		}
		closeLog(t, l)
		l = open(t, small(fs))
	}
	must(t, l.Group(1).StoreLogs(entries(1, 1000, 1001, 1, 30)))
	closeLog(t, l)
	l = open(t, small(fs))
	want(t, l.Group(1), entries(1, 1000, 1001, 1, 30))
	closeLog(t, l)
}

func TestRefusedBeforeAnythingIsWritten(t *testing.T) {
	big := entry(1, 4, 0, 64<<10)
	tests := []struct {
		name string
		call func(g *wal.Group) error
		err  error
	}{
		{"gap", func(g *wal.Group) error { return g.StoreLogs(entries(1, 5, 6, 0, 10)) }, wal.ErrOutOfOrder},
		{"again", func(g *wal.Group) error { return g.StoreLogs(entries(1, 3, 4, 0, 10)) }, wal.ErrOutOfOrder},
		{"gap inside", func(g *wal.Group) error { return g.StoreLogs([]*raft.Log{entry(1, 4, 0, 1), entry(1, 6, 0, 1)}) }, wal.ErrOutOfOrder},
		{"index zero", func(g *wal.Group) error { return g.StoreLog(&raft.Log{}) }, wal.ErrOutOfOrder},
		{"large entry", func(g *wal.Group) error { return g.StoreLog(big) }, wal.ErrTooLarge},
		{"no key", func(g *wal.Group) error { return g.Set(nil, nil) }, wal.ErrTooLarge},
		{"long key", func(g *wal.Group) error { return g.Set(make([]byte, 256), nil) }, wal.ErrTooLarge},
		{"long value", func(g *wal.Group) error { return g.Set([]byte("k"), make([]byte, 4097)) }, wal.ErrTooLarge},
	}
	fs := waltest.NewFS()
	l := open(t, small(fs))
	defer closeLog(t, l)
	g := l.Group(1)
	must(t, g.StoreLogs(entries(1, 1, 3, 0, 10)))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.call(g); !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			want(t, g, entries(1, 1, 3, 0, 10))
		})
	}
	var err error
	for i := 0; err == nil; i++ {
		err = g.Set([]byte{byte(i)}, make([]byte, 500))
	}
	if !errors.Is(err, wal.ErrTooLarge) {
		t.Errorf("keys that no checkpoint can hold: %v", err)
	}
	must(t, g.StoreLogs(entries(1, 4, 100, 0, 500))) // checkpoints full of keys
	want(t, g, append(entries(1, 1, 3, 0, 10), entries(1, 4, 100, 0, 500)...))
}

func TestKeys(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	g := l.Group(1)
	must(t, g.Set([]byte("empty"), nil))
	must(t, g.Set([]byte("k"), []byte("one")))
	must(t, g.Set([]byte("k"), bytes.Repeat([]byte("two"), 100)))
	must(t, g.SetUint64([]byte("n"), 1<<63+5))
	must(t, l.Group(2).Set([]byte("k"), []byte("other")))
	must(t, g.StoreLogs(entries(1, 1, 100, 0, 500))) // rotate: keys now come from a checkpoint
	must(t, g.DeleteRange(1, 99))
	for range 2 {
		v, err := g.Get([]byte("k"))
		if err != nil || string(v) != string(bytes.Repeat([]byte("two"), 100)) {
			t.Fatalf("k is %q, %v", v, err)
		}
		clear(v)
		if v, err := g.Get([]byte("empty")); err != nil || len(v) != 0 {
			t.Fatalf("empty is %q, %v", v, err)
		}
		if n, err := g.GetUint64([]byte("n")); err != nil || n != 1<<63+5 {
			t.Fatalf("n is %d, %v", n, err)
		}
		if _, err := g.GetUint64([]byte("k")); err == nil || err.Error() == "not found" {
			t.Fatalf("a value that is no number: %v", err)
		}
		if v, err := l.Group(2).Get([]byte("k")); err != nil || string(v) != "other" {
			t.Fatalf("the other group's k is %q, %v", v, err)
		}
		closeLog(t, l)
		l = open(t, small(fs))
		g = l.Group(1)
	}
	closeLog(t, l)
}

func TestSegmentsGoWhenNothingLivesInThem(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	g, still := l.Group(1), l.Group(2)
	must(t, still.SetUint64([]byte("term"), 3))
	for i := uint64(1); i <= 400; i++ {
		must(t, g.StoreLog(entry(1, i, 0, 500)))
		if i%20 == 0 {
			must(t, g.DeleteRange(1, i-5))
		}
	}
	closeLog(t, l)
	l = open(t, small(fs))
	must(t, l.Group(1).StoreLog(entry(1, 401, 0, 10)))
	if n, err := l.Group(2).GetUint64([]byte("term")); n != 3 || err != nil {
		t.Errorf("the term of a group that stands still: %d, %v", n, err)
	}
	want(t, l.Group(1), append(entries(1, 396, 400, 0, 500), entry(1, 401, 0, 10)))
	closeLog(t, l)
	r, err := wal.Verify(fs, dir)
	must(t, err)
	used := slices.DeleteFunc(r.Segments, func(s wal.SegmentReport) bool { return s.Batches == 0 })
	if len(used) > 4 || used[0].Sequence < 10 || len(r.Segments) > len(used)+3 {
		t.Errorf("%d segments are in use of %d, from %d on", len(used), len(r.Segments), r.Segments[0].Sequence)
	}
}

func TestBytesSince(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	g := l.Group(1)
	check := func() {
		t.Helper()
		for _, c := range []struct {
			index uint64
			bytes int64
		}{{0, 20 * 160}, {20, 20 * 160}, {21, 19 * 160}, {39, 160}, {40, 0}, {99, 0}} {
			if n := g.BytesSince(c.index); n != c.bytes {
				t.Errorf("BytesSince(%d) = %d, want %d", c.index, n, c.bytes)
			}
		}
	}
	var logs []*raft.Log
	for i := uint64(1); i <= 50; i++ {
		logs = append(logs, &raft.Log{Index: i, Data: make([]byte, 100)}) // a frame of 56 + 100, padded to 160
	}
	must(t, g.StoreLogs(logs))
	must(t, g.DeleteRange(1, 20))
	must(t, g.DeleteRange(41, 50))
	check()
	closeLog(t, l)
	l = open(t, small(fs))
	g = l.Group(1)
	check()
	must(t, g.Drop())
	if n := g.BytesSince(0); n != 0 {
		t.Errorf("%d bytes after Drop", n)
	}
	closeLog(t, l)
}
