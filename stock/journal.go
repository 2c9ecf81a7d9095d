package stock

import "sort"

// DefaultJournalRows bounds a journal: 16 bytes each.
const DefaultJournalRows = 4 << 20

// Journal notes which rows changed at which log index, so that storage can be fed in order of change without looking at every row. It is not
// part of the state: it may forget, and is then made again from the rows themselves.
type Journal struct {
	notes []noted
	head  int
	// from: every change above this index is noted, or stands in the rows.
	from uint64
	max  int
}

type noted struct {
	index   uint64
	counter uint64
	number  uint32
}

// NewJournal returns a journal that knows of changes above the index from on, and holds at most max notes (0: DefaultJournalRows).
func NewJournal(from uint64, max int) *Journal {
	if max <= 0 {
		max = DefaultJournalRows
	}
	return &Journal{from: from, max: max}
}

// Len returns the number of notes.
func (j *Journal) Len() int { return len(j.notes) - j.head }

// note is called with counter 0 when the SKU itself changed. When full, the journal forgets everything: Changes will look at the rows.
func (j *Journal) note(index uint64, number uint32, counter uint64) {
	if j == nil {
		return
	}
	if j.Len() >= j.max {
		j.forget(index)
	}
	j.notes = append(j.notes, noted{index, counter, number})
}

func (j *Journal) forget(upTo uint64) { j.notes, j.head, j.from = nil, 0, upTo }

// Changes returns about limit rows that changed above the index since, and up to which index none is missing; applied is the index up to which
// the ledgers have applied. ledgers returns a ledger by its number, nil for one that lives elsewhere; all visits every ledger.
func (j *Journal) Changes(since, applied uint64, limit int, ledgers func(uint32) *Ledger, all func(func(*Ledger))) Changes {
	if since < j.from {
		j.rebuild(since, all)
	}
	for j.head < len(j.notes) && j.notes[j.head].index <= since {
		j.head++
	}
	if j.head > len(j.notes)/2 {
		j.notes, j.head = append([]noted(nil), j.notes[j.head:]...), 0
	}
	return j.collect(max(applied, since), limit, ledgers)
}

func (j *Journal) collect(applied uint64, limit int, ledgers func(uint32) *Ledger) Changes {
	out := Changes{UpTo: applied}
	touched := make(map[uint32]*Ledger)
	last := uint64(0)
	for _, n := range j.notes[j.head:] {
		if len(out.Orders)+len(touched) >= limit && n.index != last {
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
		if r := l.find(n.counter); r != nil && r.version == n.index {
			out.Orders = append(out.Orders, *l.view(n.counter, r))
		}
	}
	for _, l := range touched {
		out.SKUs = append(out.SKUs, *l.View())
	}
	sort.Slice(out.SKUs, func(a, b int) bool { return out.SKUs[a].Number < out.SKUs[b].Number })
	return out
}

// rebuild makes the notes again from the rows that changed above an index.
func (j *Journal) rebuild(since uint64, all func(func(*Ledger))) {
	j.forget(since)
	all(func(l *Ledger) {
		if l.version > since {
			j.notes = append(j.notes, noted{l.version, 0, l.number})
		}
		for i := range l.rows.len() {
			if r := l.find(i + 1); r != nil && r.version > since && r.state != stateFence {
				j.notes = append(j.notes, noted{r.version, i + 1, l.number})
			}
		}
	})
	sort.Slice(j.notes, func(a, b int) bool {
		x, y := j.notes[a], j.notes[b]
		if x.index != y.index {
			return x.index < y.index
		}
		if x.number != y.number {
			return x.number < y.number
		}
		return x.counter < y.counter
	})
}

// merge takes over the notes of a ledger that comes back.
func (j *Journal) merge(o *Journal) {
	j.from = max(j.from, o.from)
	mine, theirs := j.notes[j.head:], o.notes[o.head:]
	merged := make([]noted, 0, len(mine)+len(theirs))
	for len(mine) > 0 || len(theirs) > 0 {
		if len(theirs) == 0 || (len(mine) > 0 && mine[0].index <= theirs[0].index) {
			merged, mine = append(merged, mine[0]), mine[1:]
		} else {
			merged, theirs = append(merged, theirs[0]), theirs[1:]
		}
	}
	j.notes, j.head = merged, 0
}
