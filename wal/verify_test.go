package wal_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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
