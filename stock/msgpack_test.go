package stock

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// uintEdges are the numbers around every change of width.
var uintEdges = []uint64{
	0, 1, 31, 32, 127, 128, 255, 256, math.MaxUint16, math.MaxUint16 + 1, math.MaxUint32, math.MaxUint32 + 1,
	math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64,
}

var intEdges = []int64{
	-1, -32, -33, math.MinInt8, math.MinInt8 - 1, math.MinInt16, math.MinInt16 - 1, math.MinInt32, math.MinInt32 - 1, math.MinInt64,
}

// libraryBytes returns what msgpack/v5 in compact form writes.
func libraryBytes(t testing.TB, write func(e *msgpack.Encoder) error) []byte {
	t.Helper()
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	e.UseCompactInts(true)
	if err := write(e); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func mustBytes(t testing.TB, what any, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-8)
	t.Fatalf("%v: %d bytes, want %d; they differ at %d: % x, want % x", what, len(got), len(want), at,
		got[from:min(len(got), at+24)], want[from:min(len(want), at+24)])
}

func TestNumbersAsTheLibraryWritesThem(t *testing.T) {
	for _, n := range uintEdges {
		b := appendUint(nil, n)
		mustBytes(t, n, b, libraryBytes(t, func(e *msgpack.Encoder) error { return e.EncodeUint(n) }))
		r := mpReader{s: string(b)}
		if got := r.uint64(); got != n || r.end() != nil {
			t.Fatalf("read %d, %v, want %d", got, r.err, n)
		}
		mustBytes(t, n, appendFixedUint64(nil, n), libraryBytes(t, func(e *msgpack.Encoder) error { return e.EncodeUint64(n) }))
	}
	all := append([]int64(nil), intEdges...)
	for _, n := range uintEdges {
		all = append(all, int64(n))
	}
	for _, n := range all {
		b := appendInt(nil, n)
		mustBytes(t, n, b, libraryBytes(t, func(e *msgpack.Encoder) error { return e.EncodeInt(n) }))
		r := mpReader{s: string(b)}
		if got := r.int64(); got != n || r.end() != nil {
			t.Fatalf("read %d, %v, want %d", got, r.err, n)
		}
		b = appendFixedInt64(nil, n)
		mustBytes(t, n, b, libraryBytes(t, func(e *msgpack.Encoder) error { return e.EncodeInt64(n) }))
		r = mpReader{s: string(b)}
		if got := r.fixedInt64(); got != n || r.end() != nil {
			t.Fatalf("read fixed %d, %v, want %d", got, r.err, n)
		}
	}
}

func TestStringsAndArraysAsTheLibraryWritesThem(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 31, 32, 255, 256, math.MaxUint16, math.MaxUint16 + 1} {
		s := strings.Repeat("x", n)
		b := appendString(nil, s)
		mustBytes(t, n, b, libraryBytes(t, func(e *msgpack.Encoder) error { return e.EncodeString(s) }))
		r := mpReader{s: string(b)}
		if got := r.string(n); got != s || r.end() != nil {
			t.Fatalf("read a string of %d, %v, want %d", len(got), r.err, n)
		}
		if r = (mpReader{s: string(b)}); n > 0 && (r.string(n-1) != "" || r.err == nil) {
			t.Fatalf("a string of %d passed a bound of %d", n, n-1)
		}
		b = appendArrayHeader(nil, n)
		mustBytes(t, n, b, libraryBytes(t, func(e *msgpack.Encoder) error { return e.EncodeArrayLen(n) }))
		r = mpReader{s: string(b) + s}
		if got := r.arrayHeader(); got != n || r.remaining() != n {
			t.Fatalf("read an array of %d, %v, want %d", got, r.err, n)
		}
		if r = (mpReader{s: string(b) + s}); n > 0 && (r.skip(1) || r.arrayHeader() != 0 || r.err == nil) {
			t.Fatalf("an array of %d passed with one byte too few", n)
		}
	}
}

// skip drops the last n bytes.
func (r *mpReader) skip(n int) bool {
	r.s = r.s[:len(r.s)-n]
	return false
}

func TestOrderIDForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := drawOrderID(t)
		b := appendOrderID(nil, id)
		r := mpReader{s: string(b)}
		if got := r.orderID(); got != id || r.end() != nil {
			t.Fatalf("read %v, %v, want %v", got, r.err, id)
		}
	})
}

func drawOrderID(t *rapid.T) OrderID {
	return OrderID{
		Epoch:     rapid.Uint16().Draw(t, "epoch"),
		Partition: Partition(rapid.Uint16Range(0, Partitions-1).Draw(t, "partition")),
		SKU:       rapid.Uint32().Draw(t, "sku number"),
		Counter:   rapid.Uint64().Draw(t, "counter"),
	}
}

func TestReaderRefuses(t *testing.T) {
	readers := map[string]func(r *mpReader){
		"uint64": func(r *mpReader) { r.uint64() }, "int64": func(r *mpReader) { r.int64() }, "uint32": func(r *mpReader) { r.uint32() },
		"string": func(r *mpReader) { r.string(1 << 20) }, "bool": func(r *mpReader) { r.bool() },
		"array": func(r *mpReader) { r.arrayHeader() }, "array of 2": func(r *mpReader) { r.array(2) },
		"order id": func(r *mpReader) { r.orderID() }, "fixed int64": func(r *mpReader) { r.fixedInt64() },
		"fixed array": func(r *mpReader) { r.fixedArrayHeader() },
	}
	for _, c := range []struct{ name, reader, in string }{
		{"nothing", "uint64", ""}, {"nothing", "int64", ""}, {"nothing", "string", ""}, {"nothing", "bool", ""}, {"nothing", "array", ""},
		{"minus one", "uint64", "\xff"}, {"minus one of 8 bits", "uint64", "\xd0\xff"}, {"signed 1", "uint64", "\xd0\x01"},
		{"minus one", "uint32", "\xff"}, {"2^32", "uint32", "\xcf\x00\x00\x00\x01\x00\x00\x00\x00"},
		{"2^63", "int64", "\xcf\x80\x00\x00\x00\x00\x00\x00\x00"},
		{"127 in 8 bits", "uint64", "\xcc\x7f"}, {"255 in 16 bits", "uint64", "\xcd\x00\xff"},
		{"65535 in 32 bits", "uint64", "\xce\x00\x00\xff\xff"}, {"2^32-1 in 64 bits", "uint64", "\xcf\x00\x00\x00\x00\xff\xff\xff\xff"},
		{"positive in signed form", "int64", "\xd1\x01\x00"}, {"-32 in 8 bits", "int64", "\xd0\xe0"},
		{"-128 in 16 bits", "int64", "\xd1\xff\x80"}, {"-32768 in 32 bits", "int64", "\xd2\xff\xff\x80\x00"},
		{"-2^31 in 64 bits", "int64", "\xd3\xff\xff\xff\xff\x80\x00\x00\x00"},
		{"cut number", "uint64", "\xcd\x01"}, {"cut number", "int64", "\xd3\x80\x00"}, {"float", "int64", "\xca\x00\x00\x00\x00"},
		{"nil", "uint64", "\xc0"}, {"nil", "string", "\xc0"}, {"nil", "bool", "\xc0"}, {"nil", "array", "\xc0"},
		{"31 bytes in the 8-bit form", "string", "\xd9\x1f" + strings.Repeat("x", 31)}, {"binary", "string", "\xc4\x01x"},
		{"255 bytes in the 16-bit form", "string", "\xda\x00\xff" + strings.Repeat("x", 255)},
		{"cut string", "string", "\xa2x"}, {"bomb", "string", "\xdb\xff\xff\xff\xff"}, {"bomb", "array", "\xdd\xff\xff\xff\xff"},
		{"15 in the 16-bit form", "array", "\xdc\x00\x0f" + strings.Repeat("\x00", 15)}, {"map", "array", "\x80"},
		{"too short", "array of 2", "\x91\x00"}, {"too long", "array of 2", "\x93\x00\x00\x00"},
		{"number for a truth value", "bool", "\x01"}, {"byte follows", "bool", "\xc2\x00"},
		{"partition 1024", "order id", "\x94\x00\xcd\x04\x00\x00\x01"}, {"epoch 65536", "order id", "\x94\xce\x00\x01\x00\x00\x00\x00\x01"},
		{"short form", "fixed int64", "\x01"}, {"cut", "fixed int64", "\xd3\x00\x00\x00\x00\x00\x00\x00"},
		{"short form", "fixed array", "\x90"}, {"bomb", "fixed array", "\xdd\xff\xff\xff\xff"},
	} {
		t.Run(c.reader+"/"+c.name, func(t *testing.T) {
			r := mpReader{s: c.in}
			readers[c.reader](&r)
			err := r.end()
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("% x: error %v, want ErrMalformed", c.in, err)
			}
			if r.uint64() != 0 || r.int64() != 0 || r.string(9) != "" || r.bool() || r.arrayHeader() != 0 || r.remaining() != 0 || r.isNil() {
				t.Fatal("a read after an error returned something")
			}
			if r.end() != err {
				t.Fatalf("the first error %v became %v", err, r.err)
			}
		})
	}
}

// FuzzReader reads random bytes in a random order of types: nothing panics, and what was read writes back to the same bytes.
func FuzzReader(f *testing.F) {
	f.Add([]byte("\x94\x00\xcd\x03\xff\x00\x01\xa3abc\xc3\xc0"), []byte{0, 1, 1, 1, 1, 3, 4, 5})
	f.Add([]byte("\xdd\xff\xff\xff\xff"), []byte{0})
	f.Fuzz(func(t *testing.T, in, types []byte) {
		r := mpReader{s: string(in)}
		var out []byte
		for _, typ := range types {
			out = readAndAppend(&r, typ, out)
			if r.err != nil {
				return
			}
		}
		mustBytes(t, "read and written", out, in[:len(out)])
	})
}

func readAndAppend(r *mpReader, typ byte, out []byte) []byte {
	switch typ % 8 {
	case 0:
		return appendArrayHeader(out, r.arrayHeader())
	case 1:
		return appendUint(out, r.uint64())
	case 2:
		return appendInt(out, r.int64())
	case 3:
		return appendString(out, r.string(math.MaxInt32))
	case 4:
		return appendBool(out, r.bool())
	case 5:
		if r.isNil() {
			return appendNil(out)
		}
	case 6:
		return appendOrderID(out, r.orderID())
	case 7:
		return appendFixedInt64(out, r.fixedInt64())
	}
	return out
}
