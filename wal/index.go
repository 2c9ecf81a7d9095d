package wal

import "fmt"

// extent says where one entry is.
type extent struct {
	seg    *segment
	offset uint32 // of the frame in the segment
	bytes  uint32 // of the frame
	pos    uint64 // in the cache's stream; 0: never was there
	sum    uint64 // bytes of the group's frames up to and with this one, from some beginning
}

// index knows where the live entries of one group are.
//
// Invariant: first == last == 0, or 0 < first <= last.
// Invariant: base + len(extents) == last + 1, unless empty.
// Invariant, after recovery: first == base, unless empty. While segments are replayed, the entries first..base-1 lay in
// segments that are gone, because something further on removes them or moved them.
type index struct {
	first, last uint64
	base        uint64            // index of extents[0]
	extents     []extent          // of base..last
	moved       map[uint64]extent // while replaying: entries below base that were written once more
}

func (x *index) empty() bool { return x.last == 0 }

// expect sets a range of which no place is known.
func (x *index) expect(first, last uint64) {
	x.first, x.last, x.base = first, last, last+1
}

// add appends the place of entry i, which must follow the last one, or may be any when there is none.
func (x *index) add(i uint64, e extent) error {
	if !x.empty() && i != x.last+1 {
		return fmt.Errorf("entry %d does not follow entry %d", i, x.last)
	}
	if x.empty() {
		x.first, x.base = i, i
	}
	if n := len(x.extents); n > 0 {
		e.sum = x.extents[n-1].sum
	}
	e.sum += uint64(e.bytes)
	x.extents = append(x.extents, e)
	x.last = i
	e.seg.live += int64(e.bytes)
	return nil
}

// move changes the place of live entry i.
func (x *index) move(i uint64, e extent) error {
	if x.empty() || i < x.first || i > x.last {
		return fmt.Errorf("moved entry %d is not among the live entries %d to %d", i, x.first, x.last)
	}
	e.seg.live += int64(e.bytes)
	if i < x.base {
		if x.moved == nil {
			x.moved = make(map[uint64]extent)
		}
		if old, ok := x.moved[i]; ok {
			old.seg.live -= int64(old.bytes)
		}
		x.moved[i] = e
		return nil
	}
	old := &x.extents[i-x.base]
	old.seg.live -= int64(old.bytes)
	e.sum, e.pos = old.sum, old.pos // a moved frame is as long as the one it replaces, and its payload is the same
	*old = e
	return nil
}

// keep removes all entries outside first..last, or all when both are 0.
func (x *index) keep(first, last uint64) error {
	if last == 0 {
		x.release(x.extents)
		for _, e := range x.moved {
			e.seg.live -= int64(e.bytes)
		}
		*x = index{extents: shift(x.extents, len(x.extents))}
		return nil
	}
	if x.empty() || first < x.first || last > x.last {
		return fmt.Errorf("range %d to %d is not within the live entries %d to %d", first, last, x.first, x.last)
	}
	if last < x.last {
		n := 0
		if last >= x.base {
			n = int(last - x.base + 1)
		}
		x.release(x.extents[n:])
		x.extents = x.extents[:n]
		x.base = min(x.base, last+1)
	}
	if first > x.base {
		x.release(x.extents[:first-x.base])
		x.extents = shift(x.extents, int(first-x.base))
		x.base = first
	}
	x.releaseMoved(first, last)
	x.first, x.last = first, last
	return nil
}

// keptExtents is how long an array of extents is kept, however little of it is left.
const keptExtents = 64 << 10

// shift drops the first n extents. When little is left it is copied to the front, so that appends go on in the same array
// and make no garbage; a long array of which hardly anything is left is given up.
func shift(all []extent, n int) []extent {
	left := all[n:]
	if len(left) > n {
		return left
	}
	if cap(all) > keptExtents && len(left) < cap(all)/8 {
		return append(make([]extent, 0, 2*len(left)), left...)
	}
	return all[:copy(all, left)]
}

func (x *index) release(gone []extent) {
	for _, e := range gone {
		e.seg.live -= int64(e.bytes)
	}
	clear(gone)
}

// releaseMoved forgets the moved entries outside first..last, which are to be what is live. Only a replay has any. It
// looks at what goes or at what is there, whichever is less: a log may remove its prefix one by one.
func (x *index) releaseMoved(first, last uint64) {
	if len(x.moved) == 0 {
		return
	}
	forget := func(i uint64, e extent) {
		e.seg.live -= int64(e.bytes)
		delete(x.moved, i)
	}
	if gone := first - x.first + x.last - last; gone > uint64(len(x.moved)) {
		for i, e := range x.moved {
			if i < first || i > last {
				forget(i, e)
			}
		}
		return
	}
	for i := x.first; i <= x.last; i++ {
		if i == first {
			i = last + 1
		}
		if e, ok := x.moved[i]; ok && i <= x.last {
			forget(i, e)
		}
	}
}

// complete ends the replay: every live entry must have been seen. It returns the first that was not, or 0.
func (x *index) complete() uint64 {
	if x.empty() || x.first == x.base {
		x.moved = nil
		return 0
	}
	if missing := x.base - x.first; missing > uint64(len(x.moved)) {
		for i := x.first; ; i++ {
			if _, ok := x.moved[i]; !ok {
				return i
			}
		}
	}
	all := make([]extent, 0, len(x.moved)+len(x.extents))
	sum := uint64(0)
	for i := x.first; i < x.base; i++ {
		e := x.moved[i]
		all = append(all, e)
	}
	all = append(all, x.extents...)
	for i := range all {
		sum += uint64(all[i].bytes)
		all[i].sum = sum
	}
	x.extents, x.base, x.moved = all, x.first, nil
	return 0
}

// at returns the place of live entry i.
func (x *index) at(i uint64) (extent, bool) {
	if x.empty() || i < x.first || i > x.last {
		return extent{}, false
	}
	return x.extents[i-x.base], true
}

// bytesSince is the length of the frames of all live entries above i.
func (x *index) bytesSince(i uint64) int64 {
	if x.empty() || i >= x.last {
		return 0
	}
	end := x.extents[len(x.extents)-1].sum
	if i < x.first {
		return int64(end - x.extents[0].sum + uint64(x.extents[0].bytes))
	}
	return int64(end - x.extents[i-x.base].sum)
}

// groupState is everything the log knows about one group. Recovery builds it and the committer goes on with it, frame by
// frame, through the same code.
type groupState struct {
	index index
	keys  map[string][]byte
}

func newGroupState() *groupState { return &groupState{keys: make(map[string][]byte)} }

// bare reports whether there is nothing to remember.
func (s *groupState) bare() bool { return s.index.empty() && len(s.keys) == 0 }

// apply takes one frame of an append batch, found at e.
func (s *groupState) apply(f frame, e extent) error {
	switch f.kind {
	case kindEntry, kindMoved:
		i, err := entryIndex(f.payload)
		if err != nil {
			return err
		}
		if f.kind == kindMoved {
			return s.index.move(i, e)
		}
		return s.index.add(i, e)
	case kindRange:
		first, last, err := decodeRange(f.payload)
		if err != nil {
			return err
		}
		return s.index.keep(first, last)
	case kindKey:
		key, value, rest, err := takeKey(f.payload)
		if err != nil || len(rest) != 0 {
			return errKey
		}
		s.keys[key] = append([]byte(nil), value...)
		return nil
	}
	return fmt.Errorf("a frame of kind %d has no place in this batch", f.kind)
}
