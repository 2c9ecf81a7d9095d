package stock

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// cell is a row for the tests of pages; zero means dropped.
type cell struct{ v int }

// plain is what pages should be: a slice, copied whole for each cut.
type plain []cell

func (want plain) differs(got *pages[cell]) string {
	if got.len() != uint64(len(want)) {
		return fmt.Sprintf("%d rows, want %d", got.len(), len(want))
	}
	live := uint64(0)
	for i, c := range want {
		r := got.at(uint64(i))
		if r == nil && c.v != 0 || r != nil && *r != c {
			return fmt.Sprintf("row %d is %v, want %v", i, r, c)
		}
		if c.v != 0 {
			live++
		}
	}
	seen := uint64(0)
	for i, r := range got.all() {
		if *r != want[i] {
			return fmt.Sprintf("visited row %d as %v, want %v", i, *r, want[i])
		}
		if r.v != 0 {
			seen++
		}
	}
	if seen != live || got.live() != live {
		return fmt.Sprintf("%d rows visited, %d said to be live, want %d", seen, got.live(), live)
	}
	return ""
}

// pagesModel runs random operations on pages and on a plain slice; cuts are read by goroutines of their own while the owner goes on.
type pagesModel struct {
	t    *rapid.T
	got  pages[cell]
	want plain
	next int
	cuts []func() string
	wg   sync.WaitGroup
	errs chan string
}

func (m *pagesModel) push(n int) {
	for range n {
		m.next++
		if i := m.got.push(cell{m.next}); i != uint64(len(m.want)) {
			m.t.Fatalf("row %d got place %d", len(m.want), i)
		}
		m.want = append(m.want, cell{m.next})
	}
}

// live draws a row that was not dropped.
func (m *pagesModel) live() (uint64, bool) {
	if len(m.want) == 0 {
		return 0, false
	}
	from := rapid.IntRange(0, len(m.want)-1).Draw(m.t, "row")
	for k := range m.want {
		if i := (from + k) % len(m.want); m.want[i].v != 0 {
			return uint64(i), true
		}
	}
	return 0, false
}

func (m *pagesModel) write() {
	if i, ok := m.live(); ok {
		m.next++
		m.got.mut(i).v, m.want[i].v = m.next, m.next
	}
}

// drop drops a run of rows, so that whole pages go.
func (m *pagesModel) drop(n int) {
	i, ok := m.live()
	for ; ok && n > 0 && i < uint64(len(m.want)); i, n = i+1, n-1 {
		if m.want[i].v != 0 {
			m.got.drop(i)
			m.want[i].v = 0
		}
	}
}

func (m *pagesModel) cut() {
	view, want := m.got.cut(), slices.Clone(m.want)
	check := func() string { return want.differs(&view) }
	m.cuts = append(m.cuts, check)
	m.wg.Go(func() {
		if d := check(); d != "" {
			m.errs <- "beside the owner: " + d
		}
	})
}

// rewrite makes the table again from its live rows, as a restore does.
func (m *pagesModel) rewrite() {
	var again pages[cell]
	for i, r := range m.got.all() {
		if r.v != 0 {
			again.restore(i, *r)
		}
	}
	again.extend(m.got.len())
	m.got = again
}

func TestPagesAgainstASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &pagesModel{t: t, errs: make(chan string, 1000)}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1, 2:
				m.push(rapid.SampledFrom([]int{1, 3, pageRows - 1, pageRows, pageRows + 1, 3 * pageRows}).Draw(t, "rows"))
			case 3, 4, 5:
				m.write()
			case 6, 7:
				m.drop(rapid.SampledFrom([]int{1, 2, pageRows, 2*pageRows + 1}).Draw(t, "rows"))
			case 8:
				m.cut()
			case 9:
				m.rewrite()
			}
		}
		m.wg.Wait()
		close(m.errs)
		for e := range m.errs {
			t.Fatal(e)
		}
		for i, check := range m.cuts {
			if d := check(); d != "" {
				t.Fatalf("cut %d in the end: %s", i, d)
			}
		}
		if d := m.want.differs(&m.got); d != "" {
			t.Fatal(d)
		}
	})
}

// A page is copied once per cut at most, and not at all before it is written (rule R23).
func TestPagesAreCopiedOnce(t *testing.T) {
	const rows = 4*pageRows + 7
	for range 3 {
		var p pages[cell]
		for i := range rows {
			p.push(cell{i + 1})
		}
		before := slices.Clone(p.pages)
		view := p.cut()
		for i := range uint64(2 * pageRows) {
			p.mut(i).v = 1
		}
		copied := slices.Clone(p.pages)
		for i := range uint64(2 * pageRows) {
			p.mut(i).v = 2
			p.drop(i)
			p.mut(rows-1).v++
		}
		for k := range p.pages {
			written := k < 2
			if last := k == len(p.pages)-1; (before[k] != copied[k]) != written || (!written && !last && p.pages[k] != before[k]) {
				t.Fatalf("page %d: written %v, copied %v", k, written, before[k] != copied[k])
			}
			if view.pages[k] != before[k] {
				t.Fatalf("page %d of the cut was replaced", k)
			}
		}
		if p.pages[0] != nil || p.pages[1] != nil {
			t.Fatal("pages without a live row stay in memory")
		}
	}
}

// A SKU with a few orders takes the memory of a few rows: there are many of them.
func TestFirstPageGrows(t *testing.T) {
	var p pages[row]
	for i := range 3 * pageRows {
		p.push(row{qty: 1})
		switch n, first := i+1, cap(p.pages[0].rows); {
		case n < pageRows/2 && first > 3*n:
			t.Fatalf("%d rows take the room of %d", n, first)
		case n > pageRows && cap(p.pages[1].rows) != pageRows:
			t.Fatalf("a later page has room for %d", cap(p.pages[1].rows))
		}
	}
}

// Several cuts of a shard are written by goroutines of their own while it goes on; each is the state at its place (run it with -race).
func TestCutsAreWrittenBesideApply(t *testing.T) {
	b, apply := shard(t)
	settings := DefaultSettings()
	settings.RetentionMS, settings.EvictBatch = 50, 100
	apply(1, &SetSettings{Meta: Meta{Key: "s"}, Settings: settings})
	apply(1, create("shoe", 1_000_000))
	now := Time(1)
	var wg sync.WaitGroup
	for i := range 6000 {
		now++
		id := OrderID{Partition: PartitionOf("shoe"), SKU: 1, Counter: uint64(max(1, i-i%70))}
		apply(now, order("shoe", fmt.Sprint("u", i%900), fmt.Sprint("k", i), 1))
		apply(now, &Confirm{Meta: Meta{Key: fmt.Sprint("c", i), Deadline: now + 20}, Order: id, PaymentID: "p"})
		apply(now, &Return{Meta: Meta{Key: fmt.Sprint("r", i)}, Order: id, Restock: true})
		if i%20 == 0 {
			apply(now, &Adjust{Meta: Meta{Key: fmt.Sprint("a", i)}, SKU: "shoe", Delta: 1})
			apply(now, &FlushMark{Index: b.index})
		}
		if i%500 != 250 {
			continue
		}
		want, hash := snapshot(t, b), b.Hash()
		for range 2 {
			cut := b.Cut()
			wg.Go(func() { sameCut(t, cut, want, hash) })
		}
	}
	wg.Wait()
	if b.slots[0].ledger.rows.live() == b.slots[0].ledger.rows.len() {
		t.Error("vacuous: no order left memory")
	}
}

func sameCut(t *testing.T, cut *Cut, want []byte, hash uint64) {
	var buf bytes.Buffer
	if _, err := cut.WriteTo(&buf); err != nil || !bytes.Equal(buf.Bytes(), want) {
		t.Errorf("a cut written beside apply differs, %v", err)
		return
	}
	r, err := ReadSnapshot(&buf)
	if err != nil || r.Hash() != hash || cut.Hash() != hash {
		t.Errorf("a cut has another hash, %v", err)
	}
}
