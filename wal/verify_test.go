package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

func TestVerifyReports(t *testing.T) {
	fs := sample(t)
	before := fs.Names()
	r, err := wal.Verify(fs, dir)
	must(t, err)
	if r.ClusterID != cluster || r.TornTail != nil || len(r.Segments) != len(segmentsOf(fs)) {
		t.Errorf("report %+v", r)
	}
	live := map[bool]int64{}
	next := uint64(1)
	for i, s := range r.Segments {
		unused := i == len(r.Segments)-1
		if s.Name != filepath.Base(segmentsOf(fs)[i]) || s.Sequence != uint64(i+1) || s.Bytes != 16<<10 || s.Sealed != (i < len(r.Segments)-2) || (s.Batches == 0) != unused {
			t.Errorf("segment %d: %+v", i, s)
		}
		if !unused {
			if s.FirstBatch != next || s.LastBatch != next+uint64(s.Batches)-1 {
				t.Errorf("segment %d: batches %d to %d, want from %d on", i, s.FirstBatch, s.LastBatch, next)
			}
			next = s.LastBatch + 1
		}
		live[true] += s.LiveBytes
	}
	for _, g := range r.Groups {
		live[false] += g.LiveBytes
	}
	if live[true] != live[false] || live[true] == 0 {
		t.Errorf("live bytes: %d in the segments, %d in the groups", live[true], live[false])
	}
	if s := fmt.Sprintf("%d-%d %d-%d %v", r.Groups[0].First, r.Groups[0].Last, r.Groups[1].First, r.Groups[1].Last, r.Groups[0].Keys); s != "5-44 100-103 [CurrentTerm LastVoteCand]" {
		t.Errorf("groups: %s", s)
	}
	if !slices.Equal(before, fs.Names()) {
		t.Error("Verify changed the directory")
	}
}

func TestVerifyNamesTheDamage(t *testing.T) {
	fs := sample(t)
	content := fs.ReadFile(firstSegment)
	content[9000] ^= 4
	fs.WriteFile(firstSegment, content)
	r, err := wal.Verify(fs, dir)
	damage := new(wal.CorruptionError)
	if !errors.As(err, &damage) || damage.Segment != filepath.Base(firstSegment) || damage.Offset < 8000 || damage.Offset > 9000 {
		t.Errorf("error %v", err)
	}
	if len(r.Segments) != 1 || r.Segments[0].Batches == 0 {
		t.Errorf("the report does not cover what was read: %+v", r)
	}
	if err := wal.Read(fs, dir, func(uint32, *raft.Log) error { return nil }); !errors.Is(err, wal.ErrCorrupt) {
		t.Errorf("Read: %v", err)
	}
}

func TestReadGivesTheLiveEntries(t *testing.T) {
	fs := sample(t)
	var got []*raft.Log
	groups := map[uint32]int{}
	must(t, wal.Read(fs, dir, func(id uint32, l *raft.Log) error {
		got = append(got, l)
		groups[id]++
		return nil
	}))
	all := append(append(entries(1, 5, 39, 0, 500), entries(1, 40, 44, 1, 300)...), entries(2, 100, 103, 1, 100)...)
	if !slices.EqualFunc(got, all, same) || groups[1] != 40 || groups[2] != 4 {
		t.Errorf("%d entries, %v", len(got), groups)
	}
	stop := errors.New("stop")
	n := 0
	if err := wal.Read(fs, dir, func(uint32, *raft.Log) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d entries", err, n)
	}
}

func TestVerifyOfNothing(t *testing.T) {
	if r, err := wal.Verify(waltest.NewFS(), dir); err != nil || len(r.Segments) != 0 {
		t.Errorf("an empty directory: %+v, %v", r, err)
	}
	if _, err := wal.Verify(nil, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there verifies")
	}
}

// TestOnARealDisk goes once through everything on the operating system's files.
func TestOnARealDisk(t *testing.T) {
	cfg := small(nil)
	cfg.Dir = filepath.Join(t.TempDir(), "node", "log")
	l := open(t, cfg)
	for i := uint64(1); i <= 200; i += 10 {
		must(t, l.Group(1).StoreLogs(entries(1, i, i+9, 0, 400)))
		must(t, l.Group(2).SetUint64([]byte("term"), i))
		if i > 50 {
			must(t, l.Group(1).DeleteRange(1, i-40))
		}
	}
	want(t, l.Group(1), entries(1, 152, 200, 0, 400))
	closeLog(t, l)
	r, err := wal.Verify(nil, cfg.Dir)
	must(t, err)
	if len(r.Segments) > 6 {
		t.Errorf("%d segments are left", len(r.Segments))
	}
	l = open(t, cfg)
	want(t, l.Group(1), entries(1, 152, 200, 0, 400))
	closeLog(t, l)
}

// TestDamageSaysWhatItTakes damages a log of two groups in several ways and expects to be told what stands there and behind.
func TestDamageSaysWhatItTakes(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	for i := uint64(1); i <= 150; i += 3 {
		must(t, l.Group(1).StoreLogs(entries(1, i, i+2, 0, 200)))
		must(t, l.Group(2).StoreLog(entry(2, i/3+1, 0, 200)))
	}
	closeLog(t, l)
	r, err := wal.Verify(fs, dir)
	must(t, err)
	names := segmentsOf(fs)
	if len(names) < 4 || r.Segments[2].Batches == 0 {
		t.Fatalf("the sample has %d segments", len(names))
	}
	firstIn := func(segment string, group uint32) uint64 {
		first := uint64(0)
		must(t, wal.Inspect(fs, dir, wal.Filter{Group: &group, From: 1}, func(f wal.FrameReport) error {
			if f.Segment == filepath.Base(segment) && f.Kind == "entry" && first == 0 {
				first = f.First
			}
			return nil
		}))
		return first
	}
	tests := []struct {
		name   string
		damage func(fs *waltest.FS)
		loss   string
	}{
		{"the second segment is missing", func(fs *waltest.FS) { must(t, fs.Remove(names[1])) },
			fmt.Sprintf("entries %d to 150 of group 1, entries %d to 50 of group 2", firstIn(names[1], 1), firstIn(names[1], 2))},
		{"the header of the second", func(fs *waltest.FS) { spoil(fs, names[1], 40, 1) },
			fmt.Sprintf("entries %d to 150 of group 1, entries %d to 50 of group 2", firstIn(names[1], 1), firstIn(names[1], 2))},
		{"an entry of the last batch but one", func(fs *waltest.FS) { spoilEntry(t, fs, 1, 148) }, "entries 148 to 150 of group 1, entry 50 of group 2"},
		{"the last entry", func(fs *waltest.FS) { spoilEntry(t, fs, 2, 50) }, "entry 50 of group 2"},
		{"the oldest segment is missing", func(fs *waltest.FS) { must(t, fs.Remove(names[0])) },
			fmt.Sprintf("entries 1 to %d of group 1, entries 1 to %d of group 2", firstIn(names[1], 1)-1, firstIn(names[1], 2)-1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := fs.Clone()
			tt.damage(bad)
			_, err := wal.Verify(bad, dir)
			damage := new(wal.CorruptionError)
			if !errors.As(err, &damage) || !strings.HasSuffix(err.Error(), "there or behind it: "+tt.loss) {
				t.Errorf("%v, want %s", err, tt.loss)
			}
			if _, again := wal.Open(small(bad)); again == nil || !strings.Contains(again.Error(), tt.loss) {
				t.Errorf("Open: %v", again)
			}
		})
	}
}

// spoil flips a bit of one byte.
func spoil(fs *waltest.FS, name string, at int, bit byte) {
	content := fs.ReadFile(name)
	content[at] ^= bit
	fs.WriteFile(name, content)
}

// spoilEntry flips a bit in the data of an entry.
func spoilEntry(t *testing.T, fs *waltest.FS, group uint32, index uint64) {
	t.Helper()
	var at wal.FrameReport
	must(t, wal.Inspect(fs, dir, wal.Filter{Group: &group, From: index, To: index}, func(f wal.FrameReport) error {
		if f.Live {
			at = f
		}
		return nil
	}))
	spoil(fs, dir+"/"+at.Segment, int(at.Offset)+70, 4)
}

func TestTornTailSaysWhatIsCut(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	must(t, l.Group(3).StoreLogs(entries(3, 1, 4, 0, 100)))
	must(t, l.Group(3).StoreLogs(entries(3, 5, 9, 0, 100)))
	closeLog(t, l)
	r, err := wal.Verify(fs, dir)
	must(t, err)
	content := fs.ReadFile(firstSegment)
	clear(content[r.Segments[0].UsedBytes-40 : r.Segments[0].UsedBytes])
	fs.WriteFile(firstSegment, content)
	r, err = wal.Verify(fs, dir)
	must(t, err)
	if r.TornTail == nil || len(r.TornTail.Entries) != 1 || r.TornTail.Entries[0] != (wal.Loss{Group: 3, First: 5, Last: 9}) {
		t.Errorf("torn tail: %+v", r.TornTail)
	}
	var log bytes.Buffer
	cfg := small(fs)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	closeLog(t, open(t, cfg))
	if !strings.Contains(log.String(), `entries="entries 5 to 9 of group 3"`) || !strings.Contains(log.String(), "segment=0000000000000001.wal") {
		t.Errorf("the log says %s", &log)
	}
}

// TestInspect lists frames of a log that has everything in it.
func TestInspect(t *testing.T) {
	fs := sample(t)
	kinds, live, all := map[string]int{}, 0, 0
	must(t, wal.Inspect(fs, dir, wal.Filter{}, func(f wal.FrameReport) error {
		kinds[f.Kind]++
		all++
		if f.Live {
			live++
		}
		if f.Kind == "entry" && (f.Term == 0 || f.Data == 0 || f.First != f.Last) || f.Kind == "key" && f.Key == "" {
			t.Errorf("%+v", f)
		}
		return nil
	}))
	r, err := wal.Verify(fs, dir)
	must(t, err)
	frames := 0
	for _, s := range r.Segments {
		frames += s.Frames
	}
	if all != frames || live != 44 || kinds["range"] != 3 || kinds["key"] != 3 || kinds["checkpoint"] == 0 || kinds["end"] == 0 {
		t.Errorf("%d of %d frames, %d live: %v", all, frames, live, kinds)
	}
	if g := r.Groups[0]; g.FirstTerm != 1 || g.LastTerm != 2 || g.Oldest == "" {
		t.Errorf("group %+v", g)
	}
	var got []string
	two := uint32(2)
	must(t, wal.Inspect(fs, dir, wal.Filter{Group: &two, From: 101, To: 102}, func(f wal.FrameReport) error {
		got = append(got, fmt.Sprintf("%s %d-%d term %d", f.Kind, f.First, f.Last, f.Term))
		return nil
	}))
	if want := []string{"entry 101-101 term 2", "entry 102-102 term 2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	stop := errors.New("stop")
	if err := wal.Inspect(fs, dir, wal.Filter{}, func(wal.FrameReport) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
