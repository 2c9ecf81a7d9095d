package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// A page travels as one msgpack array, written by hand in its shortest form:
//
//	[1, shard, epoch, index, lacks from, lacks to, next, [order, ...], [SKU, ...]]
//
// where 1 is the version of this form, and a row is an array of its columns in the order of tables.go: string, integer or nil.
const (
	pageVersion = 1
	pageFields  = 9
)

// EncodePage returns the wire form of a page. Equal pages have equal bytes.
func EncodePage(p Page) []byte {
	b := make([]byte, 0, 64+256*p.Rows())
	b = append(b, 0x90|pageFields, pageVersion)
	for _, n := range []uint64{uint64(p.Shard), uint64(p.Epoch), p.Index, p.Lacks.From, p.Lacks.To} {
		b = packUint(b, n)
	}
	b = packString(b, p.Next)
	for _, rows := range [][]row{p.orders, p.skus} {
		b = packArray(b, len(rows))
		for _, r := range rows {
			b = packArray(b, len(r))
			for _, v := range r {
				b = packValue(b, v)
			}
		}
	}
	return b
}

func packValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return packString(b, v)
	case int64:
		if v >= 0 {
			return packUint(b, uint64(v))
		}
		return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
	}
	return append(b, 0xc0)
}

func packArray(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x90|byte(n))
	}
	return binary.BigEndian.AppendUint16(append(b, 0xdc), uint16(n))
}

func packUint(b []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0xcc, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), n)
}

func packString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	}
	return append(b, s...)
}

// DecodePage reads what EncodePage wrote and returns ErrBadPage for anything else: another length, form or type, a longer spelling of the same, a
// value that no row may have. It holds no part of b, and allocates no more than a small multiple of it.
func DecodePage(b []byte) (p Page, err error) {
	if len(b) > MaxPageBytes {
		return Page{}, fmt.Errorf("%w: %d bytes", ErrBadPage, len(b))
	}
	r := unpacker{b: b}
	if n, form := r.array(), r.uint(math.MaxUint8); n != pageFields || form != pageVersion {
		return Page{}, fmt.Errorf("%w: %d fields, form %d", ErrBadPage, n, form)
	}
	p.Shard, p.Epoch = uint32(r.uint(math.MaxUint32)), uint16(r.uint(maxEpoch))
	p.Index = r.uint(1<<indexBits - 1)
	p.Lacks = Span{From: r.uint(1<<indexBits - 1), To: r.uint(1<<indexBits - 1)}
	p.Next, _ = r.value().(string)
	p.orders, p.skus = r.rows(len(orderTable.columns)), r.rows(len(skuTable.columns))
	if r.bad || len(r.b) > 0 {
		return Page{}, fmt.Errorf("%w: malformed", ErrBadPage)
	}
	if err := p.check(nil); err != nil {
		return Page{}, err
	}
	if !bytes.Equal(EncodePage(p), b) {
		return Page{}, fmt.Errorf("%w: not in its shortest form", ErrBadPage)
	}
	return p, nil
}

// unpacker reads msgpack. After the first thing that it does not know, every read is zero.
type unpacker struct {
	b   []byte
	bad bool
}

func (r *unpacker) fail() {
	r.b, r.bad = nil, true
}

// take returns the next n bytes, or nil.
func (r *unpacker) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// number reads a big-endian number of a width in bytes.
func (r *unpacker) number(width int) (n uint64) {
	for _, c := range r.take(width) {
		n = n<<8 | uint64(c)
	}
	return n
}

func (r *unpacker) array() int {
	code := r.number(1)
	switch {
	case code&0xf0 == 0x90:
		return int(code & 0x0f)
	case code == 0xdc:
		return int(r.number(2))
	}
	r.fail()
	return 0
}

func (r *unpacker) uint(limit uint64) uint64 {
	n, ok := r.value().(int64)
	if !ok || n < 0 || uint64(n) > limit {
		r.fail()
		return 0
	}
	return uint64(n)
}

// value reads a string, an integer or nil.
func (r *unpacker) value() any {
	code := r.number(1)
	switch {
	case r.bad:
	case code < 0x80:
		return int64(code)
	case code&0xe0 == 0xa0:
		return string(r.take(int(code & 0x1f)))
	case code == 0xd9:
		return string(r.take(int(r.number(1))))
	case code == 0xda:
		return string(r.take(int(r.number(2))))
	case code == 0xc0:
		return nil
	case code >= 0xcc && code <= 0xcf:
		if n := r.number(1 << (code - 0xcc)); n <= math.MaxInt64 {
			return int64(n)
		}
	case code == 0xd3:
		return int64(r.number(8))
	}
	r.fail()
	return nil
}

func (r *unpacker) rows(columns int) []row {
	n := r.array()
	if n > MaxPageRows || n*columns > len(r.b) { // a value takes a byte at least
		r.fail()
		return nil
	}
	rows := make([]row, 0, n)
	for range n {
		if r.array() != columns {
			r.fail()
			return nil
		}
		values := make(row, columns)
		for i := range values {
			values[i] = r.value()
		}
		rows = append(rows, values)
	}
	return rows
}
