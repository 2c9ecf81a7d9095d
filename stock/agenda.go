package stock

import (
	"slices"
	"sort"
)

// agenda is orders in the order of (time, counter), in chunks of eight bytes an order. What comes in that order, as nearly all does, goes to the
// end; anything else is put into its chunk. No operation moves more than a chunk, and the collector has nothing to look at in one.
type agenda struct {
	chunks []*agendaChunk
	n      int
	tidier tidier
}

// agendaChunk holds entries near to each other in time: time - base << 32 | counter, ascending.
type agendaChunk struct {
	base    Time
	entries []uint64
}

// agendaEntries bounds a chunk.
const agendaEntries = 512

// newAgendaChunk returns a chunk for entries within 24 days of a moment.
func newAgendaChunk(at Time, size int) *agendaChunk {
	return &agendaChunk{base: at - 1<<31, entries: make([]uint64, 0, size)}
}

// pack returns an entry as the chunk keeps it; ok is false when it is too far away in time.
func (c *agendaChunk) pack(e scheduled) (packed uint64, ok bool) {
	d := uint64(e.at - c.base)
	return d<<32 | uint64(uint32(e.counter)), d < 1<<32
}

func (c *agendaChunk) at(i int) scheduled {
	return scheduled{c.base + Time(c.entries[i]>>32), c.entries[i] & (1<<32 - 1)}
}

func (a *agenda) len() int { return a.n }

// first returns the first entry.
func (a *agenda) first() (scheduled, bool) {
	if a.n == 0 {
		return scheduled{}, false
	}
	return a.chunks[0].at(0), true
}

// pop takes the first entry out.
func (a *agenda) pop() {
	c := a.chunks[0]
	c.entries = c.entries[1:]
	a.n--
	if len(c.entries) == 0 {
		a.cut(0)
	}
	if a.tidier.chunk == 0 {
		a.tidier.entry = max(0, a.tidier.entry-1)
	}
}

// cut takes an empty chunk out.
func (a *agenda) cut(k int) {
	switch {
	case len(a.chunks) == 1:
		a.chunks, a.tidier = nil, tidier{}
		return
	case k == 0:
		a.chunks[0] = nil
		a.chunks = a.chunks[1:]
	default:
		a.chunks = slices.Delete(a.chunks, k, k+1)
	}
	if a.tidier.chunk > k {
		a.tidier.chunk--
	} else if a.tidier.chunk == k {
		a.tidier.entry = 0
	}
}

// push puts an entry into its place, unless it stands there.
func (a *agenda) push(e scheduled) {
	// k is the chunk that begins last among those that do not begin behind e.
	k := len(a.chunks) - 1
	if k > 0 && e.before(a.chunks[k].at(0)) {
		k = sort.Search(k, func(i int) bool { return e.before(a.chunks[i].at(0)) }) - 1
	}
	if k < 0 {
		k = 0
	}
	if len(a.chunks) == 0 {
		a.insert(0, newAgendaChunk(e.at, 0))
	}
	c := a.chunks[k]
	packed, near := c.pack(e)
	if !near {
		if !e.before(c.at(0)) {
			k++
		}
		a.insert(k, newAgendaChunk(e.at, 0))
		c = a.chunks[k]
		packed, _ = c.pack(e)
	}
	i, found := slices.BinarySearch(c.entries, packed)
	if found {
		return
	}
	a.n++
	if len(c.entries) < agendaEntries {
		c.entries = slices.Insert(c.entries, i, packed)
		return
	}
	a.overflow(k, i, packed)
}

// overflow puts an entry at place i of a chunk that is full.
func (a *agenda) overflow(k, i int, packed uint64) {
	c := a.chunks[k]
	if i == agendaEntries && k == len(a.chunks)-1 {
		next := &agendaChunk{base: c.base, entries: append(make([]uint64, 0, agendaEntries), packed)}
		// What follows is near to this entry rather than to the chunk before.
		if at := next.at(0); at.at-1<<31 > c.base {
			next = newAgendaChunk(at.at, agendaEntries)
			packed, _ = next.pack(at)
			next.entries = append(next.entries, packed)
		}
		a.insert(k+1, next)
		return
	}
	half := agendaEntries / 2
	a.insert(k+1, &agendaChunk{base: c.base, entries: slices.Clone(c.entries[half:])})
	c.entries = slices.Clone(c.entries[:half])
	if i >= half {
		k, i = k+1, i-half
	}
	a.chunks[k].entries = slices.Insert(a.chunks[k].entries, i, packed)
}

func (a *agenda) insert(k int, c *agendaChunk) {
	a.chunks = slices.Insert(a.chunks, k, c)
	if a.tidier.chunk >= k {
		a.tidier = tidier{}
	}
}

// tidier is where tidy goes on.
type tidier struct{ chunk, entry int }

const (
	// tidyFrom entries may be out of date before anything is done about it, and as many as are not.
	tidyFrom = 1024
	// tidySteps is how many entries one command looks at; it adds one at most.
	tidySteps = 4
)

// tidy takes entries that are out of date out, a few at a time: they would leave by themselves only when their time comes, which may be a year
// after their orders were settled.
func (a *agenda) tidy(valid int64, is func(scheduled) bool) {
	for n := 0; n < tidySteps && int64(a.n) > 2*valid+tidyFrom; n++ {
		t := &a.tidier
		if t.chunk >= len(a.chunks) {
			*t = tidier{}
		}
		c := a.chunks[t.chunk]
		if t.entry >= len(c.entries) {
			a.next()
			continue
		}
		if is(c.at(t.entry)) {
			t.entry++
			continue
		}
		c.entries = slices.Delete(c.entries, t.entry, t.entry+1)
		if a.n--; len(c.entries) == 0 {
			a.cut(t.chunk)
		}
	}
}

// next goes on to the next chunk; one that is half empty now is put together with the one before.
func (a *agenda) next() {
	t := &a.tidier
	c := a.chunks[t.chunk]
	t.chunk, t.entry = t.chunk+1, 0
	if len(c.entries) > agendaEntries/2 {
		return
	}
	if t.chunk < 2 || !a.join(a.chunks[t.chunk-2], c) {
		c.entries = slices.Clip(slices.Clone(c.entries))
		return
	}
	a.chunks = slices.Delete(a.chunks, t.chunk-1, t.chunk)
	t.chunk--
}

// join puts the entries of a chunk behind those of the one before it, when they fit.
func (a *agenda) join(to, from *agendaChunk) bool {
	shift := uint64(from.base - to.base)
	last := len(from.entries) - 1
	if len(to.entries)+len(from.entries) > agendaEntries/2 || from.base < to.base || shift+from.entries[last]>>32 >= 1<<32 {
		return false
	}
	for _, e := range from.entries {
		to.entries = append(to.entries, e+shift<<32)
	}
	return true
}

// room is how many entries have memory.
func (a *agenda) room() (n int) {
	for _, c := range a.chunks {
		n += cap(c.entries)
	}
	return n
}
