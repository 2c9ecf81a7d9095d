package stock

import "sort"

// notes is a list of notes that grows at its end and shrinks at its front, in chunks: none is moved when it grows.
type notes struct {
	chunks [][]noted // all but the last are full
	head   int       // how many of the first chunk are gone
	n      int
}

type noted struct {
	index   uint64
	counter uint32
	number  uint32
}

// notesChunk is how many notes a chunk holds. The first one grows: most journals of a single SKU have a few.
const notesChunk = 4096

func (s *notes) at(i int) noted {
	i += s.head
	return s.chunks[i/notesChunk][i%notesChunk]
}

func (s *notes) push(n noted) {
	k := len(s.chunks) - 1
	switch {
	case k < 0:
		s.chunks, k = append(s.chunks, nil), 0
	case len(s.chunks[k]) == notesChunk:
		s.chunks, k = append(s.chunks, make([]noted, 0, notesChunk)), k+1
	}
	s.chunks[k] = append(s.chunks[k], n)
	s.n++
}

// search returns the place of the first note for which is holds; it holds for all behind that.
func (s *notes) search(is func(noted) bool) int {
	return sort.Search(s.n, func(i int) bool { return is(s.at(i)) })
}

// shift forgets the first k notes.
func (s *notes) shift(k int) {
	s.n -= k
	for s.head += k; s.head >= notesChunk; s.head -= notesChunk {
		s.chunks[0] = nil
		s.chunks = s.chunks[1:]
	}
	if s.n == 0 && len(s.chunks) > 0 {
		s.chunks[0], s.head = s.chunks[0][:0], 0
	}
}

// take forgets the notes from a place on and returns them.
func (s *notes) take(from int) []noted {
	tail := make([]noted, 0, s.n-from)
	for i := from; i < s.n; i++ {
		tail = append(tail, s.at(i))
	}
	end := s.head + from
	s.n = from
	keep := (end + notesChunk - 1) / notesChunk
	clear(s.chunks[keep:])
	if s.chunks = s.chunks[:keep]; keep > 0 {
		s.chunks[keep-1] = s.chunks[keep-1][:end-(keep-1)*notesChunk]
	}
	return tail
}

func (s *notes) add(more []noted) {
	for _, n := range more {
		s.push(n)
	}
}
