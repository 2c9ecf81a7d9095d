package stock

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// agendaModel runs random operations on an agenda and on a sorted slice.
type agendaModel struct {
	t    *rapid.T
	got  agenda
	want []scheduled
	now  Time
	next uint64
}

func (m *agendaModel) push(e scheduled) {
	m.got.push(e)
	i, found := slices.BinarySearchFunc(m.want, e, func(a, b scheduled) int {
		switch {
		case a.before(b):
			return -1
		case b.before(a):
			return 1
		}
		return 0
	})
	if !found {
		m.want = slices.Insert(m.want, i, e)
	}
}

func (m *agendaModel) some(n int) {
	step := rapid.SampledFrom([]Time{0, 1, 1 << 20, 1 << 31, 1 << 33}).Draw(m.t, "step")
	back := rapid.SampledFrom([]Time{0, 0, 5, 1 << 21, 1 << 34}).Draw(m.t, "back")
	for i := range n {
		m.now += step
		m.next++
		m.push(scheduled{max(0, m.now-back*Time(i%7)), m.next})
	}
}

// tidy drops about every so many.
func (m *agendaModel) tidy(rounds int) {
	keep := rapid.Uint64Range(1, 20).Draw(m.t, "keep")
	is := func(e scheduled) bool { return e.counter%keep == 0 }
	before := m.got.len()
	for range rounds {
		m.got.tidy(0, is)
	}
	if before > tidyFrom && m.got.len() == before && rounds > before {
		m.t.Logf("nothing was out of date")
	}
	left := m.all()
	gone := slices.DeleteFunc(slices.Clone(m.want), func(e scheduled) bool { return slices.Contains(left, e) })
	if slices.ContainsFunc(gone, is) {
		m.t.Fatal("an entry that is not out of date was taken out")
	}
	m.want = slices.DeleteFunc(m.want, func(e scheduled) bool { return slices.Contains(gone, e) })
}

func (m *agendaModel) all() (all []scheduled) {
	for _, c := range m.got.chunks {
		for i := range c.entries {
			all = append(all, c.at(i))
		}
	}
	return all
}

func (m *agendaModel) check() {
	if all := m.all(); !slices.Equal(all, m.want) || m.got.len() != len(all) {
		m.t.Fatalf("%d entries, said to be %d, want %d", len(all), m.got.len(), len(m.want))
	}
	for _, c := range m.got.chunks {
		if len(c.entries) == 0 || len(c.entries) > agendaEntries {
			m.t.Fatalf("a chunk of %d", len(c.entries))
		}
	}
}

func TestAgendaAgainstASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &agendaModel{t: t}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				m.some(rapid.SampledFrom([]int{1, 10, agendaEntries, 2*agendaEntries + 1}).Draw(t, "entries"))
			case 3, 4:
				for range min(len(m.want), rapid.SampledFrom([]int{1, 100, agendaEntries + 3}).Draw(t, "pops")) {
					if e, ok := m.got.first(); !ok || e != m.want[0] {
						t.Fatalf("first is %v, want %v", e, m.want[0])
					}
					m.got.pop()
					m.want = m.want[1:]
				}
			case 5:
				m.tidy(rapid.SampledFrom([]int{1, 100, 3000}).Draw(t, "rounds"))
			}
			m.check()
		}
	})
}

// Deadlines saturate; entries at the end of time stand behind all others.
func TestAgendaAtTheEndOfTime(t *testing.T) {
	var a agenda
	for i, at := range []Time{math.MaxInt64, 5, math.MaxInt64 - 1, 0, math.MaxInt64} {
		a.push(scheduled{at, uint64(i + 1)})
	}
	for _, want := range []scheduled{{0, 4}, {5, 2}, {math.MaxInt64 - 1, 3}, {math.MaxInt64, 1}, {math.MaxInt64, 5}} {
		if e, ok := a.first(); !ok || e != want {
			t.Errorf("%v, want %v", e, want)
		}
		a.pop()
	}
	if _, ok := a.first(); ok || a.len() != 0 {
		t.Error("something is left")
	}
}

// What is in order takes eight bytes an entry, and what is left of many takes no more than twice that.
func TestAgendaIsCompact(t *testing.T) {
	var a agenda
	const n = 100_000
	for i := range uint64(n) {
		a.push(scheduled{Time(i / 3), i + 1})
	}
	if a.room() > n+agendaEntries {
		t.Errorf("%d entries have the room of %d", n, a.room())
	}
	is := func(e scheduled) bool { return e.counter%50 == 0 }
	for range n {
		a.tidy(n/50, is)
	}
	if a.len() > 2*n/50+tidyFrom || a.room() > 3*a.len()+2*agendaEntries {
		t.Errorf("%d entries are left, with the room of %d in %d chunks", a.len(), a.room(), len(a.chunks))
	}
}
