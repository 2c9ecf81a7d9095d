package wal

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/raft"
)

// Report is what Verify found.
type Report struct {
	ClusterID [16]byte
	Segments  []SegmentReport // by sequence
	Groups    []GroupReport   // by number; only complete when Verify returned no error
	// TornTail is where a batch that was never acknowledged follows the last whole one, nil when none does. The log is
	// sound with it: the next Open cuts it.
	TornTail *TornTail
}

// SegmentReport describes one segment.
type SegmentReport struct {
	Name       string
	Sequence   uint64
	Bytes      int64 // length of the file
	UsedBytes  int64 // header and whole batches
	LiveBytes  int64 // frames of live entries
	Batches    int
	Frames     int // commit marks included
	FirstBatch uint64
	LastBatch  uint64
	Sealed     bool // another segment follows
}

// GroupReport describes one group.
type GroupReport struct {
	ID        uint32
	First     uint64 // 0: no entries
	Last      uint64
	FirstTerm uint64 // of the first and of the last entry; 0 when they cannot be read
	LastTerm  uint64
	LiveBytes int64
	Oldest    string   // segment in which the oldest byte of it lives, "": no entries
	Keys      []string // of the stable store, in order
}

// TornTail says what the next Open will cut.
type TornTail struct {
	Segment string
	Offset  int64
	Bytes   int64
	Entries []Loss // what of it can be read, by group
}

// Verify reads the whole log in dir, which no process may have open, and changes nothing. It returns a *CorruptionError,
// ErrNewerFormat, ErrOtherCluster when segments of several clusters are mixed, or an error of the file system; the
// report then covers what was read before. A nil FS is OS.
func Verify(fs FS, dir string) (Report, error) {
	d, err := load(orOS(fs), dir, ReadOnly, nil)
	r := d.report()
	closed := d.close()
	if err != nil {
		return r, err
	}
	return r, closed
}

// Read calls fn for every live entry in dir, group by group and in order of index, as raft would find them after Open.
// It needs the same as Verify and returns the same errors, and fn's, at which it stops. fn may keep the entry.
func Read(fs FS, dir string, fn func(group uint32, l *raft.Log) error) (err error) {
	d, err := load(orOS(fs), dir, ReadOnly, nil)
	defer func() { err = errors.Join(err, d.close()) }()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(d.replay.groups)) {
		for _, e := range d.replay.groups[id].index.extents {
			var l raft.Log
			if err := e.seg.readEntry(e, make([]byte, e.bytes), &l); err != nil {
				return err
			}
			if err := fn(id, &l); err != nil {
				return fmt.Errorf("entry %d of group %d: %w", l.Index, id, err)
			}
		}
	}
	return nil
}

// ReadCommands is Read for callers that know nothing of raft: fn gets only the entries that carry a command, not raft's own.
func ReadCommands(fs FS, dir string, fn func(group uint32, index, term uint64, data []byte) error) error {
	return Read(fs, dir, func(group uint32, l *raft.Log) error {
		if l.Type != raft.LogCommand {
			return nil
		}
		return fn(group, l.Index, l.Term, l.Data)
	})
}

func orOS(fs FS) FS {
	if fs == nil {
		return OS{}
	}
	return fs
}

func (d *loaded) report() Report {
	var r Report
	if len(d.headers) > 0 {
		r.ClusterID = d.headers[0].cluster
	}
	for i, seg := range d.segments {
		s := d.scans[i]
		r.Segments = append(r.Segments, SegmentReport{
			Name: seg.name, Sequence: seg.seq, Bytes: seg.size, UsedBytes: int64(s.end), LiveBytes: seg.live,
			Batches: s.batches, Frames: s.frames, FirstBatch: s.firstBatch, LastBatch: s.lastBatch, Sealed: s.sealed,
		})
		if s.dirty > 0 {
			r.TornTail = &TornTail{Segment: seg.name, Offset: int64(s.end), Bytes: int64(s.dirty - s.end), Entries: s.torn}
		}
	}
	for id, s := range d.replay.groups {
		if s.bare() {
			continue
		}
		g := GroupReport{ID: id, First: s.index.first, Last: s.index.last, Keys: slices.Sorted(maps.Keys(s.keys))}
		g.look(s.index.extents)
		r.Groups = append(r.Groups, g)
	}
	slices.SortFunc(r.Groups, func(a, b GroupReport) int { return cmp.Compare(a.ID, b.ID) })
	return r
}

// look takes from the group's entries what the report says of them.
func (g *GroupReport) look(all []extent) {
	for _, e := range all {
		g.LiveBytes += int64(e.bytes)
		if g.Oldest == "" || e.seg.name < g.Oldest {
			g.Oldest = e.seg.name
		}
	}
	if n := len(all); n > 0 {
		g.FirstTerm, g.LastTerm = termOf(all[0]), termOf(all[n-1])
	}
}

func termOf(e extent) uint64 {
	var l raft.Log
	if err := e.seg.readEntry(e, make([]byte, e.bytes), &l); err != nil {
		return 0
	}
	return l.Term
}
