package stock

import "fmt"

// ScanWire returns ErrMalformed unless message is exactly one msgpack value that a library may be let loose on; see scanValue. Arrays may nest
// maxDepth deep, at most 31.
func ScanWire(message []byte, maxDepth int) error {
	n, err := scanValue(string(message), maxDepth)
	if err == nil && n != len(message) {
		err = fmt.Errorf("%w: something follows the end at byte %d", ErrMalformed, n)
	}
	return err
}

// scanValue returns the length of the msgpack value that s begins with, after a walk over it that allocates nothing: every declared length
// fits the bytes that follow, arrays nest at most maxDepth deep, and nothing occurs that this module does not write (maps, long binary strings,
// floats, extensions). A library that decodes the value afterwards cannot be made to allocate more than the value's size calls for, or to
// overflow its stack. Forms longer than necessary pass.
func scanValue(s string, maxDepth int) (int, error) {
	// open[d] is how many elements of the array at depth d are still to come. It is on the stack.
	var open [32]int
	maxDepth = min(maxDepth, len(open)-1)
	off, depth := 0, 0
	open[0] = 1
	for {
		for depth >= 0 && open[depth] == 0 {
			depth--
		}
		if depth < 0 {
			return off, nil
		}
		open[depth]--
		head, size, elements := scanHead(s[off:])
		rest := len(s) - off - head
		switch {
		case head == 0:
			return 0, fmt.Errorf("%w: no value of a known form at byte %d", ErrMalformed, off)
		case uint64(size)+uint64(elements) > uint64(rest):
			return 0, fmt.Errorf("%w: length beyond the input at byte %d", ErrMalformed, off)
		case elements > 0 && depth == maxDepth:
			return 0, fmt.Errorf("%w: nested deeper than %d at byte %d", ErrMalformed, maxDepth, off)
		}
		off += head + int(size)
		if elements > 0 {
			depth++
			open[depth] = int(elements)
		}
	}
}

// scanHead returns the length of the head of the value that s begins with, and what the head declares: a number of bytes or of elements.
// The length is 0 when there is none, or of a form that is never written.
func scanHead(s string) (head int, size, elements uint32) {
	if len(s) == 0 {
		return 0, 0, 0
	}
	switch c := s[0]; {
	case int8(c) >= -32, c == mpNil, c == mpFalse, c == mpTrue:
		return 1, 0, 0
	case c&0xf0 == mpFixArray:
		return 1, 0, uint32(c & 0x0f)
	case c&0xe0 == mpFixString:
		return 1, uint32(c & 0x1f), 0
	case c >= mpUint8 && c <= mpUint64:
		return 1, 1 << (c - mpUint8), 0
	case c >= mpInt8 && c <= mpInt64:
		return 1, 1 << (c - mpInt8), 0
	case (c == mpString8 || c == mpBinary8) && len(s) >= 2:
		return 2, uint32(s[1]), 0
	case c == mpString16 && len(s) >= 3:
		return 3, uint32(be16(s[1:])), 0
	case c == mpString32 && len(s) >= 5:
		return 5, be32(s[1:]), 0
	case c == mpArray16 && len(s) >= 3:
		return 3, 0, uint32(be16(s[1:]))
	case c == mpArray32 && len(s) >= 5:
		return 5, 0, be32(s[1:])
	}
	return 0, 0, 0
}
