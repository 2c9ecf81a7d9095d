package historytest

import "slices"

// moves are the log indexes at which units of a SKU moved, in order, as far as any answer tells. Every effect has its place among them, so the search
// need not try others; and an answer that shows an index which does not fit is wrong.
type moves []uint64

func newMoves(all []told, holds bool) (m moves) {
	for i := range all {
		if v := all[i].placedAt; v > 0 {
			m = append(m, v)
		}
		if v := all[i].settledAt; v > 0 && holds {
			m = append(m, v)
		}
	}
	slices.Sort(m)
	return m
}

// upTo returns how many moves there were up to an index.
func (m moves) upTo(index uint64) int {
	n, _ := slices.BinarySearch(m, index+1)
	return n
}

// move notes that units moved at an index of the log, 0 when nobody was told; false when they cannot have: another move comes first.
func (m moves) move(s *state, index uint64) bool {
	if index == 0 {
		s.blurred = true
		return true
	}
	if s.moved < m.upTo(index-1) || s.moved >= m.upTo(index) {
		return false
	}
	s.index, s.blurred = index, false
	s.moved++
	return true
}

// read compares the index that a reader of the counters was shown.
func (m moves) read(s *state, index uint64) bool {
	switch {
	case index == 0:
		return true
	case index < s.index || !s.blurred && index != s.index || s.moved != m.upTo(index):
		return false
	}
	s.index, s.blurred = index, false
	return true
}
