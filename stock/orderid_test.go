package stock

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOrderIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := drawOrderID(t)
		s := id.String()
		if len(s) < 11 || len(s) > MaxOrderIDChars || strings.Trim(s, base62) != "" {
			t.Fatalf("%+v is %q", id, s)
		}
		if back, ok := ParseOrderID(s); !ok || back != id {
			t.Fatalf("%q is %+v, %v, want %+v", s, back, ok, id)
		}
	})
}

func TestOrderIDText(t *testing.T) {
	for _, c := range []struct {
		name string
		id   OrderID
		text string
	}{
		{"zero", OrderID{}, "00000000000"},
		{"first of a cluster", OrderID{Epoch: 1, SKU: 1, Counter: 1}, "001FQfCxG51"},
		{"two digits of the counter", OrderID{Counter: 62}, "000000000010"},
		{"all ones", OrderID{Epoch: 1<<16 - 1, Partition: Partitions - 1, SKU: 1<<32 - 1, Counter: 1<<64 - 1}, "LI65PCgmi7LygHa16AHYF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.id.String(); got != c.text {
				t.Fatalf("%+v is %q, want %q", c.id, got, c.text)
			}
			if back, ok := ParseOrderID(c.text); !ok || back != c.id {
				t.Fatalf("%q is %+v, %v", c.text, back, ok)
			}
		})
	}
}

func TestParseOrderIDRefuses(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"nothing", ""}, {"the place alone", strings.Repeat("0", 10)}, {"too long", strings.Repeat("1", 22)},
		{"a leading zero in the counter", "000000000001"}, {"two zeros for a counter", "000000000000"},
		{"a place of 2^58", "LI65PCgmi81"}, {"a place above 64 bits", "zzzzzzzzzz1"},
		{"a counter of 2^64", "0000000000LygHa16AHYG"}, {"the largest of its length", "0000000000zzzzzzzzzzz"},
		{"a hyphen", "0000000000-"}, {"a space before", " 00000000001"}, {"a line after", "00000000001\n"},
		{"a letter of two bytes", "0000000000é"}, {"a NUL", "0000000000\x00"}, {"a sign", "+0000000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if id, ok := ParseOrderID(c.text); ok {
				t.Fatalf("%q is %+v", c.text, id)
			}
		})
	}
}

// FuzzParseOrderID: what is accepted is spelled the way String spells it.
func FuzzParseOrderID(f *testing.F) {
	f.Add("00000000000")
	f.Add("LI65PCgmi7LygHa16AHYF")
	f.Add("000000000001x")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseOrderID(s); ok && id.String() != s {
			t.Fatalf("%q is %+v, which is spelled %q", s, id, id.String())
		}
	})
}
