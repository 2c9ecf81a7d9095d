package placement

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// weight returns the random weight of a key at a place: xxhash64 of the key's eight bytes (little endian) followed by the place's name.
func weight(key uint64, place string) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], key)
	h := xxhash.New()
	_, _ = h.Write(b[:])
	_, _ = h.WriteString(place)
	return h.Sum64()
}

// ranks returns the rank of each place for a key: 0 for the highest weight. Equal weights rank by name.
func ranks(key uint64, places []string) []int {
	order := make([]int, len(places))
	weights := make([]uint64, len(places))
	for i, p := range places {
		order[i], weights[i] = i, weight(key, p)
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(places[a], places[b]))
	})
	rank := make([]int, len(places))
	for r, i := range order {
		rank[i] = r
	}
	return rank
}
