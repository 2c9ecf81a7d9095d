package stock

import (
	"iter"
	"slices"
)

// rows is the table of a SKU's orders and fences, packed: each row is a run of bytes, most numbers as differences to others (packed.go). A page is
// the rows of pageRows places: where each begins, and the bytes of all. Bytes are only ever appended: a row that changes is written again behind the
// others, and when there is no room left, what still counts goes into a new array. So a row that was loaded and a cut keep what they saw without a
// copy; the page's list of beginnings is copied before the first write after a cut (rule R23). The owner and the reader of a cut may be
// different goroutines.
type rows struct {
	pages []*rowPage
	n     uint64
	alive uint64
	cuts  uint64 // number of cuts so far; pages stamped with less may be shared with one
	buf   []byte // of the row that is being stored
}

type rowPage struct {
	at   []uint32 // where each row begins in data, plus one; 0 where none is
	data []byte
	base rowBase
	cut  uint64
	// used is how many bytes of data are rows that count; live is how many these are, and waits how many of them wait.
	used, live, waits int32
}

// minRowBytes is the least room of a page.
const minRowBytes = 48

// len returns the number of rows ever appended; dropped ones count.
func (p *rows) len() uint64 { return p.n }

// live returns the number of rows that were not dropped.
func (p *rows) live() uint64 { return p.alive }

// packed returns the bytes of row i and its page; nil when it was dropped or never was.
func (p *rows) packed(i uint64) (packedRow, *rowPage) {
	if i >= p.n {
		return nil, nil
	}
	pg := p.pages[i/pageRows]
	if pg == nil || pg.at[i%pageRows] == 0 {
		return nil, nil
	}
	return pg.packed(i % pageRows), pg
}

func (pg *rowPage) packed(k uint64) packedRow { return packedRow(pg.data[pg.at[k]-1:]) }

// state returns the state of row i, 0 when none is there.
func (p *rows) state(i uint64) State {
	if b, _ := p.packed(i); b != nil {
		return b.state()
	}
	return 0
}

// load returns row i; its state is 0 when none is there. Its texts are the table's: they stay as they are, and are not to be written.
func (p *rows) load(i uint64) (r row) {
	if b, pg := p.packed(i); b != nil {
		b.unpack(&pg.base, &r)
	}
	return r
}

// store writes row i again, which must be there.
func (p *rows) store(i uint64, r *row) {
	pg, k := p.own(i/pageRows), i%pageRows
	was := pg.packed(k)
	waited := was.state().waits()
	if waited {
		pg.waits--
	}
	pg.used -= int32(was.size())
	pg.at[k] = 0
	p.write(pg, k, r)
	// Few rows of the page change any more.
	if waited && pg.waits == 0 && len(pg.at) == pageRows && pg.spare() > int(pg.used)/32 {
		pg.rewrite(0)
	}
}

// push appends a row and returns its place.
func (p *rows) push(r *row) uint64 {
	i := p.n
	if i%pageRows == 0 {
		p.pages = append(p.pages, p.newPage(len(p.pages), r))
	}
	p.add(p.own(i/pageRows), r)
	p.n++
	return i
}

// newPage returns an empty page for rows near to r. The first page of a table grows, for most SKUs have a few orders; a later one begins with the
// room that the one before it took.
func (p *rows) newPage(k int, r *row) *rowPage {
	pg := &rowPage{cut: p.cuts, base: baseOf(r)}
	if k > 0 {
		pg.at = make([]uint32, 0, pageRows)
		if last := p.pages[k-1]; last != nil {
			pg.data = make([]byte, 0, int(last.used)+int(last.used)/16)
		}
	}
	return pg
}

// add puts a row behind those of a page.
func (p *rows) add(pg *rowPage, r *row) {
	pg.at = append(pg.at, 0)
	pg.live++
	p.alive++
	p.write(pg, uint64(len(pg.at)-1), r)
}

// write appends the bytes of a row to its page.
func (p *rows) write(pg *rowPage, k uint64, r *row) {
	p.buf = appendPacked(p.buf[:0], &pg.base, r)
	if len(pg.data)+len(p.buf) > cap(pg.data) {
		pg.rewrite(len(p.buf) + int(pg.used)/4)
	}
	pg.at[k] = uint32(len(pg.data)) + 1
	pg.data = append(pg.data, p.buf...)
	pg.used += int32(len(p.buf))
	if r.state.waits() {
		pg.waits++
	}
}

// spare is how many bytes are taken by what is no row.
func (pg *rowPage) spare() int { return cap(pg.data) - int(pg.used) }

// rewrite puts the rows that count into an array of their own, with room for more bytes.
func (pg *rowPage) rewrite(more int) {
	data := slices.Grow([]byte(nil), max(int(pg.used)+more, minRowBytes))
	for k, at := range pg.at {
		if at == 0 {
			continue
		}
		b := packedRow(pg.data[at-1:])
		pg.at[k] = uint32(len(data)) + 1
		data = append(data, b[:b.size()]...)
	}
	pg.data = data
}

// own returns a page for writing.
func (p *rows) own(k uint64) *rowPage {
	pg := p.pages[k]
	if pg.cut != p.cuts {
		own := *pg
		own.at = append(make([]uint32, 0, cap(pg.at)), pg.at...)
		own.cut = p.cuts
		pg = &own
		p.pages[k] = pg
	}
	return pg
}

// drop forgets row i for good; a full page without a row leaves memory.
func (p *rows) drop(i uint64) {
	pg, k := p.own(i/pageRows), i%pageRows
	was := pg.packed(k)
	if was.state().waits() {
		pg.waits--
	}
	pg.used -= int32(was.size())
	pg.at[k] = 0
	pg.live--
	p.alive--
	switch full := (i/pageRows+1)*pageRows <= p.n; {
	case full && pg.live == 0:
		p.pages[i/pageRows] = nil
	case full && pg.spare() > 3*int(pg.used)+minRowBytes:
		pg.rewrite(0)
	}
}

// cut returns the rows as they are now.
func (p *rows) cut() rows {
	view := rows{pages: slices.Clone(p.pages), n: p.n, alive: p.alive}
	p.cuts++
	return view
}

// all visits the rows that are there, in their order. The row is the visitor's until the next.
func (p *rows) all() iter.Seq2[uint64, *row] {
	return func(yield func(uint64, *row) bool) {
		var r row
		for k, pg := range p.pages {
			if pg == nil {
				continue
			}
			for i, at := range pg.at {
				if at == 0 {
					continue
				}
				r = row{}
				packedRow(pg.data[at-1:]).unpack(&pg.base, &r)
				if !yield(uint64(k)*pageRows+uint64(i), &r) {
					return
				}
			}
		}
	}
}

// restore puts a row back at place i, leaving dropped places before it. Places come in ascending order.
func (p *rows) restore(i uint64, r *row) {
	p.extend(i)
	k := i / pageRows
	if k == uint64(len(p.pages)) {
		p.pages = append(p.pages, nil)
	}
	if p.pages[k] == nil {
		p.pages[k] = p.newPage(int(k), r)
	}
	pg := p.pages[k]
	if pg.live == 0 {
		pg.base = baseOf(r)
	}
	pg.fill(i % pageRows)
	p.add(pg, r)
	p.n = i + 1
}

// extend makes every place below n exist, dropped where nothing was restored.
func (p *rows) extend(n uint64) {
	// The last page may have been left before its end.
	if k := p.n / pageRows; p.n%pageRows != 0 && p.pages[k] != nil {
		p.pages[k].fill(min(pageRows, n-k*pageRows))
	}
	for uint64(len(p.pages))*pageRows < n {
		p.pages = append(p.pages, nil)
	}
	// It takes the next rows, so it must be there even when all of its rows were dropped.
	if k := n / pageRows; n%pageRows != 0 {
		if p.pages[k] == nil {
			p.pages[k] = p.newPage(int(k), &row{})
		}
		p.pages[k].fill(n % pageRows)
	}
	p.n = max(p.n, n)
}

// fill makes the first n places of a page exist, as dropped ones where nothing stands.
func (pg *rowPage) fill(n uint64) {
	if short := int(n) - len(pg.at); short > 0 {
		pg.at = append(pg.at, make([]uint32, short)...)
	}
}
