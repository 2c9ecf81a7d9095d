package wal

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Loss is a run of entries of one group.
type Loss struct {
	Group       uint32
	First, Last uint64
}

// String names the run as messages do.
func (l Loss) String() string {
	if l.First == l.Last {
		return fmt.Sprintf("entry %d of group %d", l.First, l.Group)
	}
	return fmt.Sprintf("entries %d to %d of group %d", l.First, l.Last, l.Group)
}

// describe names losses for a message, the first ones when there are many.
func describe(all []Loss) string {
	const most = 8
	var parts []string
	for i, l := range all {
		if i == most {
			parts = append(parts, fmt.Sprintf("and of %d groups more", len(all)-most))
			break
		}
		parts = append(parts, l.String())
	}
	return strings.Join(parts, ", ")
}

// losses collects what stands in frames that nobody applied.
type losses struct {
	low, high uint64 // sequences of batches that count
	groups    map[uint32]*Loss
}

func newLosses(low, high uint64) *losses {
	return &losses{low: low, high: high, groups: make(map[uint32]*Loss)}
}

// look finds the sound frames of batches low to high in buf, at from or anywhere behind it.
func (s *losses) look(buf []byte, from int, seed uint32) {
	for at := from &^ (frameAlign - 1); at+frameHeaderBytes <= len(buf); {
		if batch := le.Uint64(buf[at+8:]); batch >= s.low && batch <= s.high {
			if f, ok := frameAt(buf, at); ok && f.sound(buf, seed) {
				s.see(f)
				at += f.bytes
				continue
			}
		}
		at += frameAlign
	}
}

func (s *losses) see(f frame) {
	if f.kind != kindEntry && f.kind != kindMoved {
		return
	}
	i, err := entryIndex(f.payload)
	if err != nil {
		return
	}
	l := s.groups[f.group]
	if l == nil {
		l = &Loss{Group: f.group, First: i, Last: i}
		s.groups[f.group] = l
	}
	l.First, l.Last = min(l.First, i), max(l.Last, i)
}

// after fills the gap between what a group was known to have and what was found of it: that is in the damage.
func (s *losses) after(groups map[uint32]*groupState) {
	for id, l := range s.groups {
		if g := groups[id]; g != nil && !g.index.empty() {
			l.First = min(l.First, g.index.last+1)
		}
	}
}

func (s *losses) sorted() []Loss {
	var all []Loss
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		all = append(all, *s.groups[id])
	}
	return all
}

// assess adds to a *CorruptionError what stands at the damage or behind it: what cutting the log there would take. buf is
// the segment read last, behind are those not read.
func (d *loaded) assess(err error, buf []byte, behind []uint64) error {
	damage, ok := errors.AsType[*CorruptionError](err)
	if !ok || len(damage.Loss) > 0 {
		return err
	}
	s := newLosses(d.nextBatch, d.nextBatch+mostBatches)
	if len(buf) > headerBytes {
		from, last := headerBytes, len(d.segments)-1
		if d.segments[last].name == damage.Segment {
			from = d.scans[last].end // a batch is lost as a whole
		}
		if damage.flipped > 0 {
			flip(buf, damage.flipped-1)
			defer flip(buf, damage.flipped-1)
		}
		s.look(buf, from, le.Uint32(buf[headerCRC:]))
	}
	for _, seq := range behind {
		d.lookInto(seq, s)
	}
	s.after(d.replay.groups)
	damage.Loss = s.sorted()
	return err
}

// mostBatches is more than will ever follow a damage, and keeps sequences that make no sense out.
const mostBatches = 1 << 40

// lookInto looks at a whole segment behind a damage. What cannot be read is passed over: the damage is what is reported.
func (d *loaded) lookInto(seq uint64, s *losses) {
	seg, err := d.openSegment(seq, ReadOnly)
	if err != nil {
		return
	}
	buf, err := readAll(seg, nil)
	if err == nil && len(buf) > headerBytes {
		s.look(buf, headerBytes, le.Uint32(buf[headerCRC:]))
	}
	_ = seg.close() // it was only read
}

func flip(buf []byte, bit int) { buf[bit/8] ^= 1 << (bit % 8) }

// missingEntries says of each group what is in no segment.
func (r *replay) missingEntries() []Loss {
	var all []Loss
	for id, s := range r.groups {
		if missing := s.index.complete(); missing != 0 {
			all = append(all, Loss{Group: id, First: missing, Last: s.index.base - 1})
		}
	}
	slices.SortFunc(all, func(a, b Loss) int { return cmp.Compare(a.Group, b.Group) })
	return all
}
