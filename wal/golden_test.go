package wal_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

var update = flag.Bool("update", false, "write the golden file of the present format version anew")

// golden is the golden file of the present version; those of earlier ones stand beside it.
const golden = "testdata/v2.wal"

// goldenLogs is what the golden file holds.
func goldenLogs() (one, two []*raft.Log) {
	return append(entries(1, 3, 5, 0, 40), entries(1, 6, 7, 1, 40)...), entries(2, 900, 901, 0, 0)
}

func writeGolden(t *testing.T, fs *waltest.FS) {
	t.Helper()
	l := open(t, wal.WithSalt(small(fs), 0x0123456789abcdef))
	a, b := l.Group(1), l.Group(2)
	must(t, a.SetUint64([]byte("CurrentTerm"), 7))
	must(t, a.Set([]byte("LastVoteCand"), []byte("node-1")))
	must(t, a.StoreLogs(entries(1, 1, 9, 0, 40)))
	must(t, a.DeleteRange(6, 9))
	must(t, a.StoreLogs(entries(1, 6, 7, 1, 40)))
	must(t, a.DeleteRange(1, 2))
	must(t, b.StoreLogs(entries(2, 1, 2, 0, 0)))
	must(t, b.Drop())
	must(t, b.StoreLogs(entries(2, 900, 901, 0, 0)))
	closeLog(t, l)
}

// TestGolden reads a segment that an earlier build wrote, and expects to write the same bytes today: a change of the
// format needs a new version, and a golden file of its own beside this one.
func TestGolden(t *testing.T) {
	fs := waltest.NewFS()
	writeGolden(t, fs)
	now := fs.ReadFile(firstSegment)
	if *update {
		must(t, os.MkdirAll(filepath.Dir(golden), 0o750))
		must(t, os.WriteFile(golden, now, 0o640))
	}
	old, err := os.ReadFile(golden)
	must(t, err)
	if !bytes.Equal(old, now) {
		t.Errorf("the bytes written differ from %s", golden)
	}
}

// TestGoldenOfEveryVersion reads a segment of each version, and goes on in it: the log then is of both versions.
func TestGoldenOfEveryVersion(t *testing.T) {
	for _, name := range []string{"testdata/v1.wal", "testdata/v2.wal"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			old, err := os.ReadFile(name)
			must(t, err)
			fs := waltest.NewFS()
			fs.WriteFile(firstSegment, old)
			l := open(t, small(fs))
			one, two := goldenLogs()
			wantGolden(t, l, one, two)
			one = append(one, entries(1, 8, 60, 0, 400)...)
			must(t, l.Group(1).StoreLogs(one[5:]))
			wantGolden(t, l, one, two)
			closeLog(t, l)
			l = open(t, small(fs))
			defer closeLog(t, l)
			wantGolden(t, l, one, two)
			r, err := wal.Verify(fs, dir)
			must(t, err)
			if len(r.Segments) < 3 || r.TornTail != nil {
				t.Errorf("%d segments, torn tail %+v", len(r.Segments), r.TornTail)
			}
		})
	}
}

func wantGolden(t *testing.T, l *wal.Log, one, two []*raft.Log) {
	t.Helper()
	want(t, l.Group(1), one)
	want(t, l.Group(2), two)
	if n, err := l.Group(1).GetUint64([]byte("CurrentTerm")); n != 7 || err != nil {
		t.Errorf("term %d, %v", n, err)
	}
	if v, err := l.Group(1).Get([]byte("LastVoteCand")); string(v) != "node-1" || err != nil {
		t.Errorf("vote %q, %v", v, err)
	}
}
