package meta

import (
	"encoding/binary"
	"fmt"
)

// maxDepth bounds the nesting of what is decoded; the deepest that is written is 6.
const maxDepth = 8

// scan returns an error unless b is exactly one msgpack value that the library may be let loose on: every declared length fits the bytes that
// follow, arrays nest at most maxDepth deep, and nothing occurs that is never written (maps, floats, extensions). It allocates nothing.
func scan(b []byte) error {
	var open [maxDepth + 1]uint64 // elements still to come, by depth
	off, depth := 0, 0
	open[0] = 1
	for {
		for depth >= 0 && open[depth] == 0 {
			depth--
		}
		if depth < 0 {
			break
		}
		open[depth]--
		head, size, elements := scanHead(b[off:])
		rest := uint64(len(b) - off - head)
		switch {
		case head == 0:
			return fmt.Errorf("%w: no value of a known form at byte %d", ErrMalformed, off)
		case size+elements > rest:
			return fmt.Errorf("%w: length beyond the input at byte %d", ErrMalformed, off)
		case elements > 0 && depth == maxDepth:
			return fmt.Errorf("%w: nested deeper than %d at byte %d", ErrMalformed, maxDepth, off)
		}
		off += head + int(size)
		if elements > 0 {
			depth++
			open[depth] = elements
		}
	}
	if off != len(b) {
		return fmt.Errorf("%w: something follows the end at byte %d", ErrMalformed, off)
	}
	return nil
}

// scanHead returns the length of the head of the value that b begins with, and what it declares: a number of bytes, or of elements. The length
// is 0 when there is none, or of a form that is never written.
func scanHead(b []byte) (head int, size, elements uint64) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	switch c := b[0]; {
	case int8(c) >= -32, c == 0xc0, c == 0xc2, c == 0xc3: // small numbers, nil, truth values
		return 1, 0, 0
	case c&0xf0 == 0x90: // short array
		return 1, 0, uint64(c & 0x0f)
	case c&0xe0 == 0xa0: // short string
		return 1, uint64(c & 0x1f), 0
	case c >= 0xcc && c <= 0xcf: // unsigned
		return 1, 1 << (c - 0xcc), 0
	case c >= 0xd0 && c <= 0xd3: // signed
		return 1, 1 << (c - 0xd0), 0
	case (c == 0xc4 || c == 0xd9) && len(b) >= 2: // bytes, string
		return 2, uint64(b[1]), 0
	case c == 0xda && len(b) >= 3:
		return 3, uint64(binary.BigEndian.Uint16(b[1:])), 0
	case c == 0xdc && len(b) >= 3: // array
		return 3, 0, uint64(binary.BigEndian.Uint16(b[1:]))
	}
	return 0, 0, 0
}
