package stock

import "math/bits"

// index finds places by the hash of what stands there. It holds 32 bits of each hash and the place, nothing of what it finds, so the collector has
// nothing to look at; who asks compares what stands at the places that seek names. Nothing depends on the order of its slots.
//
// It is extendible hashing (Fagin et al., 1979) over small tables of open addressing: a table that is full grows by a part of itself up to
// indexSlots, and is then split in two. So no add moves more than about a thousand entries, whatever the size of the whole, unless somebody chose the
// keys by their hashes: a table whose split would need a directory too large for its entries doubles instead.
type index struct {
	only indexTable
	// tables stand by the first depth bits of the hash; one that was split less often than others stands several times. nil: there is only one.
	tables []*indexTable
	depth  uint8
	n      int
}

// indexTable probes linearly. A slot is hash << 32 | place; 0 is an empty one.
type indexTable struct {
	slots []uint64
	n     int
	depth uint8 // how many first bits the hashes of the table have in common
}

const (
	// indexSlots is how large a table grows before it is split.
	indexSlots = 1024
	// indexDepth bounds the directory.
	indexDepth = 24
	// indexSparse is how many entries there are at least for each place of a directory that is doubled. With fair hashes there are hundreds; with
	// ones chosen by somebody who knows the hash every few hundred entries would double it.
	indexSparse = 64
)

// indexSizes are the sizes of a table: small ones double; large ones grow by less, in steps that the allocator has size classes for.
var indexSizes = [...]int{8, 16, 32, 64, 128, 256, 512, 608, 672, 768, 848, indexSlots}

// crowded reports whether a table of a size must grow before it holds n.
func crowded(n, size int) bool { return n*16 > size*13 }

// sizeFor returns the size of a table that holds n and has room for some more.
func sizeFor(n int) int {
	for _, size := range indexSizes {
		if n*4 <= size*3 {
			return size
		}
	}
	size := 2 * indexSlots
	for n*4 > size*3 {
		size *= 2
	}
	return size
}

func (x *index) len() int { return x.n }

// reserve makes room for n entries in an empty index.
func (x *index) reserve(n int) {
	switch {
	case n == 0:
		return
	case n*4 <= indexSlots*3:
		x.only.resize(sizeFor(n))
		return
	}
	x.depth = uint8(min(bits.Len(uint(n/(indexSlots/2))), indexDepth))
	x.tables = make([]*indexTable, 1<<x.depth)
	each := n>>x.depth + n>>x.depth/8
	for i := range x.tables {
		x.tables[i] = &indexTable{slots: make([]uint64, sizeFor(each)), depth: x.depth}
	}
}

func (x *index) table(hash uint32) *indexTable {
	if x.tables == nil {
		return &x.only
	}
	return x.tables[hash>>(32-x.depth)]
}

// add notes a place under a hash; the place is not 0, and does not stand there yet.
func (x *index) add(hash, place uint32) {
	t := x.table(hash)
	for crowded(t.n+1, len(t.slots)) {
		x.widen(t, hash)
		t = x.table(hash)
	}
	t.put(uint64(hash)<<32 | uint64(place))
	t.n++
	x.n++
}

// remove takes a place out from under a hash.
func (x *index) remove(hash, place uint32) {
	t := x.table(hash)
	if !t.take(uint64(hash)<<32 | uint64(place)) {
		return
	}
	t.n--
	x.n--
	if size := len(t.slots); size > indexSizes[0] && t.n*4 < size {
		t.resize(sizeFor(t.n))
	}
}

// seek begins a look at the places under a hash.
func (x *index) seek(hash uint32) probe {
	t := x.table(hash)
	if t.n == 0 {
		return probe{}
	}
	return probe{slots: t.slots, at: t.home(hash), hash: hash}
}

// probe goes over the places under one hash. It is over when the index changes.
type probe struct {
	slots []uint64
	at    int
	hash  uint32
}

// next returns the next place, 0 after the last.
func (p *probe) next() uint32 {
	if len(p.slots) == 0 {
		return 0
	}
	for {
		s := p.slots[p.at]
		if s == 0 {
			return 0
		}
		if p.at++; p.at == len(p.slots) {
			p.at = 0
		}
		if uint32(s>>32) == p.hash {
			return uint32(s)
		}
	}
}

// home is where a hash stands when nothing is in its way. The first bits of a hash are the directory's, so others come first here.
func (t *indexTable) home(hash uint32) int {
	return int(uint64(bits.RotateLeft32(hash, 16)) * uint64(len(t.slots)) >> 32)
}

func (t *indexTable) put(s uint64) {
	i := t.home(uint32(s >> 32))
	for t.slots[i] != 0 {
		if i++; i == len(t.slots) {
			i = 0
		}
	}
	t.slots[i] = s
}

// take empties a slot and moves those behind it that would not be found any more.
func (t *indexTable) take(s uint64) bool {
	size := len(t.slots)
	if size == 0 {
		return false
	}
	i := t.home(uint32(s >> 32))
	for t.slots[i] != s {
		if t.slots[i] == 0 {
			return false
		}
		i = (i + 1) % size
	}
	for j := (i + 1) % size; t.slots[j] != 0; j = (j + 1) % size {
		// The entry at j stays when its home lies behind the gap, on the way from there to j.
		if home := t.home(uint32(t.slots[j] >> 32)); (j-home+size)%size >= (j-i+size)%size {
			t.slots[i], i = t.slots[j], j
		}
	}
	t.slots[i] = 0
	return true
}

func (t *indexTable) resize(size int) {
	old := t.slots
	t.slots = make([]uint64, size)
	for _, s := range old {
		if s != 0 {
			t.put(s)
		}
	}
}

// widen makes room in a table: it grows, or is split when it is large and its hashes differ in the next bit.
func (x *index) widen(t *indexTable, hash uint32) {
	size := len(t.slots)
	if size >= indexSlots {
		if x.split(t, hash) {
			return
		}
		t.resize(2 * size)
		return
	}
	for _, s := range indexSizes {
		if s > size {
			t.resize(s)
			return
		}
	}
}

// split deals a table's entries out to two by the next bit of their hashes. It does nothing when all have the same, for two tables would be as full
// as the one is, and when the directory would become too large for what it leads to.
func (x *index) split(t *indexTable, hash uint32) bool {
	if t.depth >= indexDepth || t.depth == x.depth && x.n < indexSparse<<(x.depth+1) {
		return false
	}
	bit, ones := 63-t.depth, 0
	for _, s := range t.slots {
		ones += int(s >> bit & 1)
	}
	if ones == 0 || ones == t.n {
		return false
	}
	halves := [2]*indexTable{{n: t.n - ones, depth: t.depth + 1}, {n: ones, depth: t.depth + 1}}
	for _, h := range halves {
		h.slots = make([]uint64, sizeFor(h.n))
	}
	for _, s := range t.slots {
		if s != 0 {
			halves[s>>bit&1].put(s)
		}
	}
	x.direct(t, hash, halves)
	return true
}

// direct puts the halves of a table into its places of the directory.
func (x *index) direct(t *indexTable, hash uint32, halves [2]*indexTable) {
	if x.tables == nil {
		x.tables = []*indexTable{t}
	}
	if t.depth == x.depth {
		wider := make([]*indexTable, 2*len(x.tables))
		for i, t := range x.tables {
			wider[2*i], wider[2*i+1] = t, t
		}
		x.tables = wider
		x.depth++
	}
	span := 1 << (x.depth - t.depth)
	first := int(hash>>(32-x.depth)) &^ (span - 1)
	for i := range span {
		x.tables[first+i] = halves[i*2/span]
	}
	x.only = indexTable{}
}
