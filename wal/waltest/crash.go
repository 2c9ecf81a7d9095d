package waltest

import (
	"bytes"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const sectorBytes = 512

// Crash forks the file system as it could look after the power was cut now; r decides. The fork has no hook, no locks
// and nothing that is not durable.
func (s *FS) Crash(r *rand.Rand) *FS {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := maps.Clone(s.kept)
	mood := r.IntN(3) // all names lost, all kept, or each by chance
	for _, c := range s.undone {
		if mood == 1 || mood == 2 && r.IntN(2) == 0 {
			c.do(names)
		}
	}
	return fork(names, func(n *inode) []byte { return n.crash(r) })
}

// Kill forks the file system as it looks after the process was killed: everything written is there, and may still be
// lost when the power is cut later.
func (s *FS) Kill() *FS {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make(map[*inode]*inode)
	copied := func(names map[string]*inode) map[string]*inode {
		c := make(map[string]*inode, len(names))
		for name, n := range names {
			c[name] = n.copyInto(copies)
		}
		return c
	}
	f := NewFS()
	f.names, f.kept = copied(s.names), copied(s.kept)
	for _, c := range s.undone {
		if c.node != nil {
			c.node = c.node.copyInto(copies)
		}
		f.undone = append(f.undone, c)
	}
	return f
}

func (n *inode) copyInto(copies map[*inode]*inode) *inode {
	c := copies[n]
	if c == nil {
		c = &inode{name: n.name, now: slices.Clone(n.now), synced: slices.Clone(n.synced), writes: slices.Clone(n.writes)}
		copies[n] = c
	}
	return c
}

// Clone forks the file system as it is read now, all of it durable.
func (s *FS) Clone() *FS {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fork(s.names, func(n *inode) []byte { return slices.Clone(n.now) })
}

func fork(names map[string]*inode, content func(*inode) []byte) *FS {
	f := NewFS()
	for _, name := range slices.Sorted(maps.Keys(names)) { // in order: the same seed must give the same fork
		f.WriteFile(name, content(names[name]))
	}
	return f
}

// crash returns what could be left of the file. A crash that took exactly one bit of what was written is drawn again:
// nobody can tell it from a flipped bit, which the log must refuse, and does.
func (n *inode) crash(r *rand.Rand) []byte {
	for {
		left := n.draw(r)
		if !slices.ContainsFunc(n.writes, func(w write) bool { return w.lacksOneBit(left, n.now) }) {
			return left
		}
	}
}

// lacksOneBit reports whether exactly one bit of the write differs in what is left of the file from what it is now. The
// zeros at its end do not count: they follow a batch and are no part of it.
func (w write) lacksOneBit(left, now []byte) bool {
	lost := 0
	for i := range bytes.TrimRight(w.bytes, "\x00") {
		at, was := int(w.offset)+i, byte(0)
		if at < len(left) {
			was = left[at]
		}
		lost += bits.OnesCount8(was ^ now[at])
	}
	return lost == 1
}

// draw returns what could be left of the file, whatever that is.
func (n *inode) draw(r *rand.Rand) []byte {
	left := slices.Clone(n.synced)
	switch r.IntN(4) {
	case 0:
		return left
	case 1:
		return slices.Clone(n.now)
	}
	for _, w := range n.writes {
		for _, piece := range w.sectors() {
			switch r.IntN(8) {
			case 0:
				piece.bytes = piece.bytes[:r.IntN(len(piece.bytes)+1)]
			case 1, 2, 3:
				continue
			}
			left = piece.do(left)
		}
	}
	return left
}

// sectors cuts a write at the sectors' bounds.
func (w write) sectors() []write {
	var all []write
	for len(w.bytes) > 0 {
		n := min(len(w.bytes), sectorBytes-int(w.offset%sectorBytes))
		all = append(all, write{offset: w.offset, bytes: w.bytes[:n]})
		w = write{offset: w.offset + int64(n), bytes: w.bytes[n:]}
	}
	return all
}
