package wal

import (
	"cmp"
	"math"
)

// FrameReport describes one frame of the log, whatever it says; payloads of entries are not looked into.
type FrameReport struct {
	Segment string
	Offset  int64
	Bytes   int64  // with header and padding
	Batch   uint64 // its sequence
	Kind    string // entry, moved, range, key, checkpoint or end
	Sub     uint8  // raft's type of an entry; why a range; role of an end
	Group   uint32
	First   uint64 // index of an entry; of a range or checkpoint the first one, 0: none
	Last    uint64 // the same index; of a range or checkpoint the last one
	Term    uint64 // of an entry
	Data    int64  // length of an entry's data
	Key     string // of a key
	Live    bool   // an entry that a group still has, at this place
}

// Filter chooses frames. The zero value is all of them.
type Filter struct {
	Group *uint32 // of this group only; nil is every group
	From  uint64  // with an index from
	To    uint64  // to, both included; 0 is no bound
}

func (c Filter) matches(f FrameReport) bool {
	if c.Group != nil && (f.Group != *c.Group || f.Kind == kindNames[kindEnd]) {
		return false
	}
	if c.From == 0 && c.To == 0 {
		return true
	}
	return f.First != 0 && f.Last >= c.From && f.First <= cmp.Or(c.To, math.MaxUint64)
}

var kindNames = [...]string{
	kindEntry: "entry", kindMoved: "moved", kindRange: "range", kindKey: "key", kindCheckpoint: "checkpoint", kindEnd: "end",
}

// Inspect calls fn for every frame of the log in dir that the filter chooses, in the order in which they were written.
// It needs the same as Verify, reads the log twice, and returns the same errors, and fn's, at which it stops.
func Inspect(fs FS, dir string, choose Filter, fn func(FrameReport) error) error {
	d, err := load(orOS(fs), dir, ReadOnly, nil)
	if err == nil {
		err = d.inspect(choose, fn)
	}
	if closed := d.close(); err == nil {
		err = closed
	}
	return err
}

func (d *loaded) inspect(choose Filter, fn func(FrameReport) error) error {
	var buf []byte
	var err error
	for i, seg := range d.segments {
		if buf, err = readAll(seg, buf); err != nil {
			return err
		}
		for at := int(seg.start); at < d.scans[i].end; {
			f, ok := frameAt(buf, at)
			if !ok {
				return &CorruptionError{Segment: seg.name, Offset: int64(at), Reason: "the file has changed while it was read"}
			}
			if r := d.frameReport(seg, f); choose.matches(r) {
				if err := fn(r); err != nil {
					return err
				}
			}
			at += f.bytes
		}
	}
	return nil
}

func (d *loaded) frameReport(seg *segment, f frame) FrameReport {
	r := FrameReport{Segment: seg.name, Offset: int64(f.offset), Bytes: int64(f.bytes), Batch: f.batch, Kind: kindNames[f.kind], Sub: f.sub, Group: f.group}
	p := f.payload
	switch f.kind {
	case kindEntry, kindMoved:
		if _, err := entryIndex(p); err != nil {
			return r
		}
		r.First, r.Last, r.Term = le.Uint64(p), le.Uint64(p), le.Uint64(p[8:])
		r.Data = int64(len(p)-entryFixedBytes) - int64(le.Uint32(p[28:]))
		if g := d.replay.groups[f.group]; g != nil {
			e, ok := g.index.at(r.First)
			r.Live = ok && e.seg == seg && int(e.offset) == f.offset
		}
	case kindRange, kindCheckpoint:
		if len(p) >= rangeBytes {
			r.First, r.Last = le.Uint64(p), le.Uint64(p[8:])
		}
	case kindKey:
		r.Key, _, _, _ = takeKey(p) // checked when it was loaded
	}
	return r
}
