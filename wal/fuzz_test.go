package wal_test

import (
	"errors"
	"os"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// FuzzOpen opens a directory with arbitrary bytes as its only segment: no panic, bounded memory, and either a log that
// works or an error that says what is wrong. With fix, the header is made one of either version with the right checksums. Coverage varies with the
// goroutines of the log, so run it with -fuzzminimizetime=10x, or most of the time goes into minimizing.
func FuzzOpen(f *testing.F) {
	if content, err := os.ReadFile(golden); err == nil {
		f.Add(content, false)
		f.Add(content[:5000], false)
	}
	f.Add(sample(f).ReadFile(firstSegment), true)
	f.Add([]byte{}, false)
	f.Add(make([]byte, 16<<10), true)
	f.Fuzz(func(t *testing.T, content []byte, fix bool) {
		if len(content) > 64<<10 {
			return
		}
		if fix && len(content) >= 64 {
			wal.SetVersion(content, 1+uint32(content[12])%2)
		}
		fs := waltest.NewFS()
		fs.WriteFile(firstSegment, content)
		_, verifyErr := wal.Verify(fs, dir)
		l, err := wal.Open(small(fs))
		if err != nil {
			if !errors.Is(err, wal.ErrCorrupt) && !errors.Is(err, wal.ErrOtherCluster) && !errors.Is(err, wal.ErrNewerFormat) && !errors.Is(err, wal.ErrConfig) {
				t.Errorf("an error of no known kind: %v", err)
			}
			return
		}
		if verifyErr != nil {
			t.Errorf("Open took what Verify refuses: %v", verifyErr)
		}
		for _, id := range l.Groups() {
			g := l.Group(id)
			first, _ := g.FirstIndex()
			last, _ := g.LastIndex()
			for i := first; i != 0 && i <= last; i++ {
				must(t, g.GetLog(i, new(raft.Log)))
			}
			must(t, g.StoreLog(&raft.Log{Index: last + 1}))
		}
		closeLog(t, l)
	})
}

// FuzzFrames puts arbitrary bytes behind the header of a sound segment, each run through with a right checksum, so that
// the payloads are reached.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 0, 2, 3}, uint32(1), uint8(1), uint8(0))
	f.Add(make([]byte, 32), uint32(1), uint8(1), uint8(0))
	f.Add(make([]byte, 16), uint32(9), uint8(3), uint8(1))
	f.Add([]byte("\x01\x00\x00\x00\x01\x00\x00\x00kv"), uint32(0), uint8(4), uint8(0))
	f.Add(make([]byte, 24), uint32(7), uint8(5), uint8(1))
	f.Add(append([]byte{2, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 24)...), uint32(1), uint8(2), uint8(0)) // a moved entry
	f.Fuzz(func(t *testing.T, payload []byte, group uint32, kind, role uint8) {
		if len(payload) > 4<<10 {
			return
		}
		fs := waltest.NewFS()
		l := open(t, small(fs))
		must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 20)))
		closeLog(t, l)
		content := fs.ReadFile(firstSegment)
		wal.AddBatch(content, kind, role, group, payload)
		fs.WriteFile(firstSegment, content)
		l, err := wal.Open(small(fs))
		if err == nil {
			closeLog(t, l)
		} else if !errors.Is(err, wal.ErrCorrupt) && !errors.Is(err, wal.ErrConfig) {
			t.Errorf("an error of no known kind: %v", err)
		}
	})
}
