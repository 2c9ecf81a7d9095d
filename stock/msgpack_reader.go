package stock

import (
	"fmt"
	"math"
)

// mpReader reads what the append functions write, and nothing else: a value in a longer form than necessary, of another type or beyond its
// type's range is refused, so whatever is accepted writes back to the same bytes. It reads a string, not a slice, so the strings it returns
// can share the input's memory; whoever keeps one for long clones it, else it keeps the whole input alive.
//
// The first error stays in err and every later read returns zero: check err (or end) once, and before a value decides anything for good.
// No read panics, and a count that was read is never above the bytes that follow it.
type mpReader struct {
	s   string
	off int
	err error
}

// remaining returns how many bytes are not read yet; 0 after an error.
func (r *mpReader) remaining() int { return len(r.s) - r.off }

// fail stops the reader because what comes next is malformed.
func (r *mpReader) fail(what string) {
	r.stop(fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, r.off))
}

// stop keeps the first error and moves the reader to its end, where every read fails.
func (r *mpReader) stop(err error) {
	if r.err == nil {
		r.err = err
	}
	r.s, r.off = "", 0
}

// end returns the first error; bytes that nobody read are one.
func (r *mpReader) end() error {
	if r.err == nil && r.remaining() > 0 {
		r.fail("something follows the end")
	}
	return r.err
}

// array reads the header of an array that must have n elements.
func (r *mpReader) array(n int) {
	if r.arrayHeader() != n && r.err == nil {
		r.fail("array of another length")
	}
}

// arrayHeader reads the header of an array: the number of elements, at most the bytes that remain.
func (r *mpReader) arrayHeader() int {
	if r.off < len(r.s) && r.s[r.off]&0xf0 == mpFixArray {
		n := int(r.s[r.off] & 0x0f)
		r.off++
		return r.bounded(n)
	}
	return r.wideArrayHeader()
}

func (r *mpReader) wideArrayHeader() int {
	rest := r.s[r.off:]
	switch {
	case len(rest) >= 3 && rest[0] == mpArray16 && be16(rest[1:]) >= 1<<4:
		r.off += 3
		return r.bounded(int(be16(rest[1:])))
	case len(rest) >= 5 && rest[0] == mpArray32 && be32(rest[1:]) >= 1<<16:
		r.off += 5
		return r.bounded(int(be32(rest[1:])))
	}
	r.fail("not an array")
	return 0
}

func (r *mpReader) bounded(n int) int {
	if uint(n) > uint(r.remaining()) {
		r.fail("array longer than its input")
		return 0
	}
	return n
}

// uint64 reads an unsigned number.
func (r *mpReader) uint64() uint64 {
	if i := r.off; i < len(r.s) && r.s[i] < 1<<7 {
		r.off = i + 1
		return uint64(r.s[i])
	}
	return r.wideUint64()
}

func (r *mpReader) wideUint64() uint64 {
	rest := r.s[r.off:]
	switch {
	case len(rest) >= 2 && rest[0] == mpUint8 && rest[1] >= 1<<7:
		r.off += 2
		return uint64(rest[1])
	case len(rest) >= 3 && rest[0] == mpUint16 && be16(rest[1:]) >= 1<<8:
		r.off += 3
		return uint64(be16(rest[1:]))
	case len(rest) >= 5 && rest[0] == mpUint32 && be32(rest[1:]) >= 1<<16:
		r.off += 5
		return uint64(be32(rest[1:]))
	case len(rest) >= 9 && rest[0] == mpUint64 && be64(rest[1:]) >= 1<<32:
		r.off += 9
		return be64(rest[1:])
	}
	r.fail("not an unsigned number in its shortest form")
	return 0
}

// uint32 reads an unsigned number of at most 32 bits.
func (r *mpReader) uint32() uint32 { return uint32(r.uintMax(math.MaxUint32)) }

// uintMax reads an unsigned number of at most limit.
func (r *mpReader) uintMax(limit uint64) uint64 {
	n := r.uint64()
	if n > limit {
		r.fail("number above its range")
		return 0
	}
	return n
}

// int64 reads a signed number.
func (r *mpReader) int64() int64 {
	if i := r.off; i < len(r.s) && int8(r.s[i]) >= -32 {
		r.off = i + 1
		return int64(int8(r.s[i]))
	}
	return r.wideInt64()
}

func (r *mpReader) wideInt64() int64 {
	rest := r.s[r.off:]
	if len(rest) > 0 && rest[0] >= mpUint8 && rest[0] <= mpUint64 {
		return int64(r.uintMax(math.MaxInt64))
	}
	var n int64
	var width int
	low := int64(0) // the first number that has a shorter form
	switch {
	case len(rest) >= 2 && rest[0] == mpInt8:
		n, width, low = int64(int8(rest[1])), 2, -32
	case len(rest) >= 3 && rest[0] == mpInt16:
		n, width, low = int64(int16(be16(rest[1:]))), 3, math.MinInt8
	case len(rest) >= 5 && rest[0] == mpInt32:
		n, width, low = int64(int32(be32(rest[1:]))), 5, math.MinInt16
	case len(rest) >= 9 && rest[0] == mpInt64:
		n, width, low = int64(be64(rest[1:])), 9, math.MinInt32
	}
	if width == 0 || n >= low {
		r.fail("not a number in its shortest form")
		return 0
	}
	r.off += width
	return n
}

// string reads a string of at most maxBytes bytes. It shares the input's memory.
func (r *mpReader) string(maxBytes int) string {
	n, head := 0, 0
	rest := r.s[r.off:]
	switch {
	case len(rest) >= 1 && rest[0]&0xe0 == mpFixString:
		n, head = int(rest[0]&0x1f), 1
	case len(rest) >= 2 && rest[0] == mpString8 && rest[1] >= 1<<5:
		n, head = int(rest[1]), 2
	case len(rest) >= 3 && rest[0] == mpString16 && be16(rest[1:]) >= 1<<8:
		n, head = int(be16(rest[1:])), 3
	case len(rest) >= 5 && rest[0] == mpString32 && be32(rest[1:]) >= 1<<16:
		n, head = int(be32(rest[1:])), 5
	default:
		r.fail("not a string in its shortest form")
		return ""
	}
	if uint(n) > uint(maxBytes) || uint(n) > uint(len(rest)-head) {
		r.fail("string too long")
		return ""
	}
	r.off += head + n
	return rest[head : head+n]
}

// bool reads a truth value.
func (r *mpReader) bool() bool {
	if r.off < len(r.s) && r.s[r.off]&^1 == mpFalse {
		r.off++
		return r.s[r.off-1] == mpTrue
	}
	r.fail("not a truth value")
	return false
}

// isNil reports whether nil comes next, and reads it if so.
func (r *mpReader) isNil() bool {
	if r.off < len(r.s) && r.s[r.off] == mpNil {
		r.off++
		return true
	}
	return false
}

// fixed reads a value of code and width bytes behind it, as the appendFixed functions write.
func (r *mpReader) fixed(code byte, width int) string {
	rest := r.s[r.off:]
	if len(rest) <= width || rest[0] != code {
		r.fail("not a number of fixed width")
		return "\x00\x00\x00\x00\x00\x00\x00\x00"[:width]
	}
	r.off += 1 + width
	return rest[1 : 1+width]
}

func (r *mpReader) fixedUint64() uint64 { return be64(r.fixed(mpUint64, 8)) }
func (r *mpReader) fixedInt64() int64   { return int64(be64(r.fixed(mpInt64, 8))) }

func (r *mpReader) fixedArrayHeader() int { return r.bounded(int(be32(r.fixed(mpArray32, 4)))) }

// orderID reads what appendOrderID writes.
func (r *mpReader) orderID() OrderID {
	r.array(4)
	return OrderID{
		Epoch:     uint16(r.uintMax(math.MaxUint16)),
		Partition: Partition(r.uintMax(Partitions - 1)),
		SKU:       r.uint32(),
		Counter:   r.uint64(),
	}
}

func be16(s string) uint16 { return uint16(s[1]) | uint16(s[0])<<8 }

func be32(s string) uint32 {
	return uint32(s[3]) | uint32(s[2])<<8 | uint32(s[1])<<16 | uint32(s[0])<<24
}

func be64(s string) uint64 {
	return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
		uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
}
