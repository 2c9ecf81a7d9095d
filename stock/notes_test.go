package stock

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func (s *notes) all() (all []noted) {
	for i := range s.n {
		all = append(all, s.at(i))
	}
	return all
}

func TestNotesAgainstASlice(t *testing.T) {
	size := rapid.SampledFrom([]int{1, 2, notesChunk - 1, notesChunk, notesChunk + 1, 2*notesChunk + 5})
	rapid.Check(t, func(t *rapid.T) {
		var got notes
		var want []noted
		next := uint64(0)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			n := size.Draw(t, "notes")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				for range n {
					next++
					got.push(noted{next, uint32(next), 1})
					want = append(want, noted{next, uint32(next), 1})
				}
			case 2, 3:
				n = min(n, len(want))
				got.shift(n)
				want = want[n:]
			case 4:
				n = min(n, len(want))
				if tail := got.take(n); !slices.Equal(tail, want[n:]) {
					t.Fatalf("%d notes were taken from %d on, want %d", len(tail), n, len(want)-n)
				}
				want = slices.Clone(want[:n])
			}
			if !slices.Equal(got.all(), want) {
				t.Fatalf("%d notes, want %d", got.n, len(want))
			}
			from := next / 2
			i := slices.IndexFunc(want, func(n noted) bool { return n.index > from })
			if i < 0 {
				i = len(want)
			}
			if at := got.search(func(n noted) bool { return n.index > from }); at != i {
				t.Fatalf("found at %d, want %d", at, i)
			}
			if most := (got.head+got.n)/notesChunk + 1; len(got.chunks) > most {
				t.Fatalf("%d notes in %d chunks", got.n, len(got.chunks))
			}
		}
	})
}
