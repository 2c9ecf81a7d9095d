package stock

import (
	"cmp"
	"slices"
	"sort"
)

// DefaultJournalRows bounds a journal: 16 bytes each.
const DefaultJournalRows = 4 << 20

// Journal notes which rows changed at which log index, so that storage can be fed in order of change without looking at every row. It is not
// part of the state: it may forget, and is then made again from the rows themselves.
type Journal struct {
	notes notes
	// from: every change above this index is noted, or stands in the rows.
	from  uint64
	max   int
	moves Moves
	// losses counts how often the notes were forgotten.
	losses int
	// A journal that went away with a ledger knows when that was: up to which index, and at how many losses of the journal it came from.
	leftAt     uint64
	leftLosses int
}

// NewJournal returns a journal that knows of changes above the index from on, and holds at most max notes (0: DefaultJournalRows).
func NewJournal(from uint64, max int) *Journal {
	if max <= 0 {
		max = DefaultJournalRows
	}
	return &Journal{from: from, max: max}
}

// BoundJournal sets how many notes the journal of the shard, and that of each ledger that gets one of its own, may hold.
func (b *Book) BoundJournal(max int) { b.journal.max = max }

// Len returns the number of notes.
func (j *Journal) Len() int { return j.notes.n }

// note is called with counter 0 when the SKU itself changed. When full, the journal forgets everything: Changes will look at the rows.
func (j *Journal) note(index uint64, number uint32, counter uint64) {
	if j == nil {
		return
	}
	if j.Len() >= j.max {
		j.forget(index)
	}
	j.notes.push(noted{index, uint32(counter), number})
}

func (j *Journal) forget(upTo uint64) {
	j.notes, j.from = notes{}, upTo
	j.losses++
}

// Span says which changes are asked for.
type Span struct {
	// Since: rows that changed above this index are asked for.
	Since uint64
	// Limit is about how many.
	Limit int
	// Durable: nobody will ask for rows at or below this index again, unless what was durable is lost.
	Durable uint64
	// Applied is the index up to which the ledgers have applied.
	Applied uint64
}

// Changes returns rows that changed in a span, and up to which index none is missing but those that have changed again since: a row is given
// with its last change. ledgers returns a ledger by its number, nil for one that lives elsewhere; all visits every ledger.
func (j *Journal) Changes(s Span, ledgers func(uint32) *Ledger, all func(func(*Ledger))) Changes {
	if s.Since < j.from {
		j.rebuild(s.Since, all)
	}
	j.trim(min(s.Durable, s.Since))
	out := Changes{UpTo: max(s.Applied, s.Since)}
	touched := make(map[uint32]*Ledger)
	last := uint64(0)
	for i := j.notes.search(func(n noted) bool { return n.index > s.Since }); i < j.notes.n; i++ {
		n := j.notes.at(i)
		if len(out.Orders)+len(touched) >= s.Limit && n.index != last {
			out.UpTo = n.index - 1
			break
		}
		last = n.index
		l := ledgers(n.number)
		if l == nil {
			continue
		}
		touched[n.number] = l
		// A row that changed again later has a later note of its own.
		if r := l.find(uint64(n.counter)); r.state != 0 && r.version == n.index {
			out.Orders = append(out.Orders, *l.view(uint64(n.counter), &r))
		}
	}
	for _, l := range touched {
		out.SKUs = append(out.SKUs, *l.View())
	}
	sort.Slice(out.SKUs, func(a, b int) bool { return out.SKUs[a].Number < out.SKUs[b].Number })
	return out
}

// trim forgets what is durable. What was only asked for is kept: it may be asked for again.
func (j *Journal) trim(durable uint64) {
	j.notes.shift(j.notes.search(func(n noted) bool { return n.index > durable }))
	j.from = max(j.from, durable)
}

// rebuild makes the notes again from the rows that changed above an index.
func (j *Journal) rebuild(since uint64, all func(func(*Ledger))) {
	j.forget(since)
	var found []noted
	all(func(l *Ledger) {
		if l.version > since {
			found = append(found, noted{l.version, 0, l.number})
		}
		for i, r := range l.rows.all() {
			if r.version > since && r.state != stateFence {
				found = append(found, noted{r.version, uint32(i + 1), l.number})
			}
		}
	})
	j.notes.add(sorted(found))
}

// part returns a journal for a ledger that goes away at an index, with the notes of its rows. When it has fewer rows than there are notes to look
// through, the journal is left to be made again from them.
func (j *Journal) part(number uint32, rows, index uint64) *Journal {
	o := &Journal{from: index, max: j.max, leftAt: index, leftLosses: j.losses}
	if uint64(j.Len()) > rows {
		return o
	}
	o.from = j.from
	for i := range j.notes.n {
		if n := j.notes.at(i); n.number == number {
			o.notes.push(n)
		}
	}
	return o
}

// merge takes over the notes of a ledger that comes back. Those from before the entry it went away in are still here, unless this journal was made
// again meanwhile. The cost is that of what was noted since.
func (j *Journal) merge(o *Journal) {
	from := 0
	if o.leftLosses == j.losses {
		from = o.notes.search(func(n noted) bool { return n.index >= o.leftAt })
	}
	back := o.notes.take(from)
	if o.leftLosses != j.losses || o.losses > 0 {
		j.from = max(j.from, o.from)
	}
	if len(back) == 0 {
		return
	}
	tail := j.notes.take(j.notes.search(func(n noted) bool { return n.index >= back[0].index }))
	j.notes.add(sorted(append(tail, back...)))
}

// sorted puts notes into the order of change, each once.
func sorted(notes []noted) []noted {
	slices.SortFunc(notes, func(a, b noted) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.number, b.number), cmp.Compare(a.counter, b.counter))
	})
	return slices.Compact(notes)
}
