package stock

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

func TestScanAccepts(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"small number", "\x05"}, {"small negative number", "\xff"}, {"nil", "\xc0"}, {"false", "\xc2"}, {"true", "\xc3"},
		{"uint8", "\xcc\x01"}, {"uint64", "\xcf\x00\x00\x00\x00\x00\x00\x00\x01"}, {"int8", "\xd0\x01"}, {"int64", "\xd3" + strings.Repeat("\x01", 8)},
		{"no text", "\xa0"}, {"text", "\xa3abc"}, {"text of 8 bits", "\xd9\x03abc"}, {"text of 16 bits", "\xda\x00\x03abc"},
		{"text of 32 bits", "\xdb\x00\x00\x00\x03abc"}, {"binary", "\xc4\x01x"}, {"no elements", "\x90"}, {"two elements", "\x92\x01\xa1x"},
		{"two elements in 16 bits", "\xdc\x00\x02\x01\x02"}, {"two elements in 32 bits", "\xdd\x00\x00\x00\x02\x01\x02"},
		{"after an empty array", "\x93\x90\x90\x01"}, {"arrays side by side", "\x92\x92\x01\x02\x91\x91\x03"},
		{"as deep as may be", strings.Repeat("\x91", 16) + "\x05"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, more := range []string{"", "\x05", "\xdd\xff"} {
				if n, err := scanValue(c.value+more, 16); err != nil || n != len(c.value) {
					t.Fatalf("% x and % x: %d, %v, want %d", c.value, more, n, err, len(c.value))
				}
			}
			for cut := range len(c.value) {
				if _, err := scanValue(c.value[:cut], 16); !errors.Is(err, ErrMalformed) {
					t.Fatalf("% x passed: %v", c.value[:cut], err)
				}
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"nothing", ""}, {"array of 2 GiB in 5 bytes", "\xdd\x7f\xff\xff\xff"}, {"array of 4 GiB in 5 bytes", "\xdd\xff\xff\xff\xff"},
		{"text of 4 GiB in 5 bytes", "\xdb\xff\xff\xff\xff"}, {"array one longer than its input", "\x93\x01\x01"},
		{"text one longer than its input", "\xa4abc"}, {"map bomb", "\xdf\xff\xff\xff\xff"}, {"binary bomb", "\xc6\xff\xff\xff\xff"},
		{"extension bomb", "\xc9\xff\xff\xff\xff\x01"}, {"map", "\x81\xa1a\x01"}, {"map of 16 bits", "\xde\x00\x00"}, {"binary of 16 bits", "\xc5\x00\x01x"},
		{"extension", "\xd4\x01x"}, {"float", "\xca\x00\x00\x00\x00"}, {"double", "\xcb" + strings.Repeat("\x00", 8)}, {"unused code", "\xc1"},
		{"one too deep", strings.Repeat("\x91", 17) + "\x05"}, {"a million deep", strings.Repeat("\x91", 1_000_000) + "\x05"},
		{"deep in its last element", "\x93\x01\x02" + strings.Repeat("\x91", 16) + "\x05"},
		{"lengths that fit one by one only", "\x92\x95\x01\x02\x03\x04\x05\x95\x01\x02\x03\x04"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, err := scanValue(c.value, 16); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%d, %v, want ErrMalformed", n, err)
			}
		})
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	value := strings.Repeat("\x91", 16) + "\xa3abc"
	if allocs := testing.AllocsPerRun(100, func() { _, _ = scanValue(value, 16) }); allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

// A tree of numbers and texts within the depth is scanned to its end.
func TestScanFindsTheEndOfWhatTheLibraryWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		value := drawTree(rt, 16)
		b := libraryBytes(t, func(e *msgpack.Encoder) error { return e.Encode(value) })
		if n, err := scanValue(string(b)+"\x05", 16); err != nil || n != len(b) {
			rt.Fatalf("%v: %d, %v, want %d", value, n, err, len(b))
		}
	})
}

func drawTree(t *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case kind < 3 && depth > 0:
		list := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			list = append(list, drawTree(t, depth-1))
		}
		return list
	case kind < 6:
		return rapid.Int64().Draw(t, "number")
	case kind < 8:
		return rapid.String().Draw(t, "text")
	}
	return rapid.Bool().Draw(t, "truth")
}

// FuzzScan: whatever passes the scan decodes by the library without an error, to its last byte and within bounds.
func FuzzScan(f *testing.F) {
	f.Add([]byte("\x93\x01\xa3abc\x92\xc0\xc3"))
	f.Add([]byte("\xdd\x7f\xff\xff\xff"))
	f.Add([]byte(strings.Repeat("\x91", 40) + "\x05"))
	f.Fuzz(func(t *testing.T, in []byte) {
		n, err := scanValue(string(in), 16)
		if err != nil {
			return
		}
		d := msgpack.NewDecoder(bytes.NewReader(in))
		spent := allocated(func() { _, err = d.DecodeInterface() })
		if left := d.Buffered().(*bytes.Reader).Len(); err != nil || len(in)-left != n {
			t.Fatalf("scanned %d of % x, the library %d: %v", n, in, len(in)-left, err)
		}
		if limit := allocationBound(in); spent > limit {
			t.Fatalf("%d bytes allocated for %d, bound %d", spent, n, limit)
		}
	})
}
