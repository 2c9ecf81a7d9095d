package stock

import (
	"iter"
	"slices"
)

const pageRows = 256

// pages is a growing table of rows that can be cut: a cut sees the rows as they were, while the owner goes on writing, without locks. Each
// page is copied at most once per cut, before the first write to it (rule R23). The owner and the reader of a cut may be different goroutines.
type pages[T any] struct {
	pages []*page[T]
	n     uint64
	cuts  uint64 // number of cuts so far; pages stamped with less may be shared with one
}

type page[T any] struct {
	rows []T
	live int
	cut  uint64
}

// newPage returns an empty page. The first page of a table grows, for most SKUs have a few orders; later ones have their full size at once.
func newPage[T any](k int, cut uint64) *page[T] {
	size := pageRows
	if k == 0 {
		size = 0
	}
	return &page[T]{rows: make([]T, 0, size), cut: cut}
}

// len returns the number of rows ever appended; dropped ones count.
func (p *pages[T]) len() uint64 { return p.n }

// at returns row i for reading, nil when its page was dropped.
func (p *pages[T]) at(i uint64) *T {
	if i >= p.n {
		return nil
	}
	if pg := p.pages[i/pageRows]; pg != nil {
		return &pg.rows[i%pageRows]
	}
	return nil
}

// mut returns row i for writing; the row must not have been dropped with its page.
func (p *pages[T]) mut(i uint64) *T { return &p.own(i / pageRows).rows[i%pageRows] }

func (p *pages[T]) own(k uint64) *page[T] {
	pg := p.pages[k]
	if pg.cut != p.cuts {
		rows := make([]T, len(pg.rows), cap(pg.rows))
		copy(rows, pg.rows)
		pg = &page[T]{rows: rows, live: pg.live, cut: p.cuts}
		p.pages[k] = pg
	}
	return pg
}

// push appends a row and returns its place.
func (p *pages[T]) push(row T) uint64 {
	i := p.n
	if i%pageRows == 0 {
		p.pages = append(p.pages, newPage[T](len(p.pages), p.cuts))
	}
	pg := p.own(i / pageRows)
	pg.rows = append(pg.rows, row)
	pg.live++
	p.n++
	return i
}

// drop clears row i for good; a full page without a live row leaves memory.
func (p *pages[T]) drop(i uint64) {
	pg := p.own(i / pageRows)
	var zero T
	pg.rows[i%pageRows] = zero
	pg.live--
	if pg.live == 0 && (i/pageRows+1)*pageRows <= p.n {
		p.pages[i/pageRows] = nil
	}
}

// cut returns the rows as they are now.
func (p *pages[T]) cut() pages[T] {
	view := pages[T]{pages: slices.Clone(p.pages), n: p.n}
	p.cuts++
	return view
}

// all visits the rows of the pages that were not dropped, in their order; dropped rows among them are zero.
func (p *pages[T]) all() iter.Seq2[uint64, *T] {
	return func(yield func(uint64, *T) bool) {
		for k, pg := range p.pages {
			if pg == nil {
				continue
			}
			first := uint64(k) * pageRows
			for i := range pg.rows {
				if !yield(first+uint64(i), &pg.rows[i]) {
					return
				}
			}
		}
	}
}

// live returns the number of rows that were not dropped.
func (p *pages[T]) live() (n uint64) {
	for _, pg := range p.pages {
		if pg != nil {
			n += uint64(pg.live)
		}
	}
	return n
}

// restore puts a row back at place i, leaving dropped places before it. Places come in ascending order.
func (p *pages[T]) restore(i uint64, row T) {
	p.extend(i)
	k := i / pageRows
	if k == uint64(len(p.pages)) {
		p.pages = append(p.pages, nil)
	}
	pg := p.fill(k, i%pageRows)
	pg.rows = append(pg.rows, row)
	pg.live++
	p.n = i + 1
}

// extend makes every place below n exist, dropped where nothing was restored.
func (p *pages[T]) extend(n uint64) {
	// The last page may have been left before its end.
	if k := p.n / pageRows; p.n%pageRows != 0 && p.pages[k] != nil {
		p.fill(k, min(pageRows, n-k*pageRows))
	}
	for uint64(len(p.pages))*pageRows < n {
		p.pages = append(p.pages, nil)
	}
	// It takes the next rows, so it must be there even when all of its rows were dropped.
	if n%pageRows != 0 {
		p.fill(n/pageRows, n%pageRows)
	}
	p.n = max(p.n, n)
}

// fill makes the first n places of page k exist, as dropped ones where nothing stands.
func (p *pages[T]) fill(k, n uint64) *page[T] {
	if p.pages[k] == nil {
		p.pages[k] = newPage[T](int(k), p.cuts)
	}
	pg := p.pages[k]
	if short := int(n) - len(pg.rows); short > 0 {
		pg.rows = append(pg.rows, make([]T, short)...)
	}
	return pg
}
