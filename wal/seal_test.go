package wal_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// sealing is a log at the moment in which its active segment is sealed.
type sealing struct {
	name          string // path of the segment
	at            int    // offset of the seal
	before, after *waltest.FS
	next          *waltest.FS // when the next segment has been begun
}

// overwritten is a log whose active segment was full of entries before, up to its last page, and has room for many now.
func overwritten(t *testing.T) *waltest.FS {
	t.Helper()
	fs := waltest.NewFS()
	l := open(t, small(fs))
	g := l.Group(1)
	for n := uint64(1); n < 1000; n++ {
		must(t, g.StoreLog(&raft.Log{Index: n, Term: 9, Data: bytes.Repeat([]byte{0x5a}, 700)}))
		if n > 3 {
			must(t, g.DeleteRange(n-3, n-3))
		}
		awaitPreparedSegment(t, l)
		now := fs.Clone() // meanwhile segments are being prepared
		active := activeOf(t, now)
		last := now.ReadFile(dir + "/" + active.Name)[lastPage:]
		if active.UsedBytes < 2*4096 && bytes.Count(last, []byte{0x5a}) > 2500 {
			closeLog(t, l)
			return fs
		}
	}
	t.Fatal("no segment is used again")
	return nil
}

// sealAt fills the active segment of a log up to offset at and lets the next batch seal it.
func sealAt(t *testing.T, fs *waltest.FS, at int) sealing {
	t.Helper()
	s := sealing{at: at}
	for used := 0; ; {
		active := activeOf(t, fs)
		s.name, used = dir+"/"+active.Name, int(active.UsedBytes)
		if used == at {
			break
		}
		l := open(t, small(fs))
		last, err := l.Group(1).LastIndex()
		must(t, err)
		size := 700
		if left := at - used - batchBytes; left >= 0 && left < 2000 {
			size = left
		}
		must(t, l.Group(1).StoreLog(&raft.Log{Index: last + 1, Term: 9, Data: bytes.Repeat([]byte{0xa5}, size)}))
		closeLog(t, l)
	}
	l := open(t, small(fs))
	var mu sync.Mutex // guards before and after in s
	fs.SetHook(func(op waltest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case op.Name != s.name || s.after != nil:
		case op.Kind == waltest.OpWrite && op.Offset == int64(at):
			s.before = fs.Clone()
		case op.Kind == waltest.OpSync && s.before != nil:
			s.after = fs.Clone()
		}
		return nil
	})
	last, err := l.Group(1).LastIndex()
	must(t, err)
	must(t, l.Group(1).StoreLog(&raft.Log{Index: last + 1, Term: 9, Data: make([]byte, 5000)}))
	fs.SetHook(nil)
	closeLog(t, l)
	s.next = fs
	if s.before == nil || s.after == nil {
		t.Fatalf("no seal was written at %d", at)
	}
	return s
}

const (
	batchBytes = 24 + 32 + 40 // of one entry without its data
	sealBytes  = 40
	lastPage   = 3 * 4096 // of a segment
)

// TestATornSealOverAnEarlierUse loses sets of sectors of a seal's write, which was the first one to its last page since
// the file was used before: a seal that is whole counts, whatever came of the zeros behind it, and what stands there
// instead is said and cut. Once the next segment has been begun the same is refused.
func TestATornSealOverAnEarlierUse(t *testing.T) {
	sets := rand.New(rand.NewPCG(33, 33))
	for at := lastPage - sealBytes + 8; at <= lastPage; at += 8 {
		s := sealAt(t, overwritten(t), at)
		whole, err := contents(s.after.Clone())
		must(t, err)
		before, after := s.before.ReadFile(s.name), s.after.ReadFile(s.name)
		var sectors []int
		for n := 0; n < len(after); n += 512 {
			if !bytes.Equal(before[n:n+512], after[n:n+512]) {
				sectors = append(sectors, n)
			}
		}
		if len(sectors) < 6 || len(sectors) > 9 {
			t.Fatalf("seal at %d: its write changes %d sectors", at, len(sectors))
		}
		all := 1<<len(sectors) - 1
		for _, kept := range append(sets.Perm(all)[:60], 0, all) {
			content := slices.Clone(before)
			for i, n := range sectors {
				if kept>>i&1 == 1 {
					copy(content[n:n+512], after[n:])
				}
			}
			left := changed(s.after, s.name, content)
			r, err := wal.Verify(left, dir)
			if err != nil || (r.TornTail == nil) != (kept == 0 || kept == all) {
				t.Fatalf("seal at %d, sectors %b: %v, torn tail %+v", at, kept, err, r.TornTail)
			}
			if got, err := contents(left); err != nil || got != whole {
				t.Fatalf("seal at %d, sectors %b: %v, or something was lost", at, kept, err)
			}
			if r, err := wal.Verify(left, dir); err != nil || r.TornTail != nil {
				t.Fatalf("seal at %d, sectors %b: after recovery %v, torn tail %+v", at, kept, err, r.TornTail)
			}
		}
		content := slices.Clone(after)
		copy(content[lastPage+512:], before[lastPage+512:])
		wantWrittenBehind(t, s, changed(s.next, s.name, content))
	}
}

// TestWhatNoTornSealLeavesIsRefused writes behind a seal where its own write cannot have left anything: in a page that
// was zero before, or into which an earlier batch had brought zeros.
func TestWhatNoTornSealLeavesIsRefused(t *testing.T) {
	for name, s := range map[string]sealing{
		"a file used for the first time": sealAt(t, sample(t), lastPage),
		"a page with an earlier batch":   sealAt(t, overwritten(t), lastPage+400),
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := wal.Verify(s.after, dir); err != nil || r.TornTail != nil {
				t.Fatalf("%v, torn tail %+v", err, r.TornTail)
			}
			content := s.after.ReadFile(s.name)
			copy(content[16000:], "two bits and more")
			wantWrittenBehind(t, s, changed(s.after, s.name, content))
		})
	}
}

// wantWrittenBehind expects the log to be refused because something stands behind the seal.
func wantWrittenBehind(t *testing.T, s sealing, left *waltest.FS) {
	t.Helper()
	_, err := wal.Verify(left, dir)
	damage := new(wal.CorruptionError)
	if !errors.As(err, &damage) || damage.Segment != filepath.Base(s.name) || damage.Offset != int64(s.at+sealBytes) {
		t.Errorf("seal at %d: %v", s.at, err)
	}
}
