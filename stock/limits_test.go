package stock

import (
	"strings"
	"testing"
)

func TestCheckText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		minBytes   int
		want       string
	}{
		{"letters", "sneaker", 1, ""}, {"as long as may be", strings.Repeat("x", 8), 1, ""}, {"one byte more", strings.Repeat("x", 9), 1, "is longer than 8 bytes"},
		{"counted in bytes", "éééé", 1, ""}, {"counted in bytes, one letter more", "ééééé", 1, "is longer than 8 bytes"},
		{"empty", "", 1, "must not be empty"}, {"empty where it may be", "", 0, ""}, {"a space", " ", 1, ""}, {"spaces around", " x ", 1, ""},
		{"invalid UTF-8", "a\xff", 1, "is not valid UTF-8"}, {"a surrogate", "\xed\xa0\x80", 1, "is not valid UTF-8"},
		{"an overlong form", "\xc0\xaf", 1, "is not valid UTF-8"}, {"NUL", "a\x00", 1, "contains a control character"},
		{"tab", "\t", 1, "contains a control character"}, {"U+001F", "\x1f", 1, "contains a control character"}, {"U+0020", "\x20", 1, ""},
		{"U+007E", "~", 1, ""}, {"U+007F", "\x7f", 1, "contains a control character"}, {"U+0080", "\u0080", 1, "contains a control character"},
		{"U+009F", "\u009f", 1, "contains a control character"}, {"U+00A0", "\u00a0", 1, ""}, {"the replacement character", "\ufffd", 1, ""},
		{"a slash", "a/b", 1, ""}, {"beyond 16 bits", "😀", 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CheckText(c.text, c.minBytes, 8); got != c.want {
				t.Fatalf("%q: %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestCheckSKU(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a name", "sneaker-42", ""}, {"128 bytes", strings.Repeat("x", 128), ""}, {"129 bytes", strings.Repeat("x", 129), "is longer than 128 bytes"},
		{"empty", "", "must not be empty"}, {"dot", ".", "must not be . or .."}, {"two dots", "..", "must not be . or .."}, {"three dots", "...", ""},
		{"a line", "a\nb", "contains a control character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CheckSKU(c.text); got != c.want {
				t.Fatalf("%q: %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestCheckKey(t *testing.T) {
	const outside = "contains a byte outside 0x21 to 0x7E"
	for _, c := range []struct{ name, text, want string }{
		{"a uuid", "7f9c24e8-3b12-4fef-91e0-5b6d6f8a2c11", ""}, {"quoted", `"abc"`, ""}, {"lowest", "!", ""}, {"highest", "~", ""},
		{"255 bytes", strings.Repeat("k", 255), ""}, {"256 bytes", strings.Repeat("k", 256), "is longer than 255 bytes"}, {"empty", "", "must not be empty"},
		{"dot", ".", "must not be . or .."}, {"two dots", "..", "must not be . or .."}, {"three dots", "...", ""},
		{"a space", "a b", outside}, {"DEL", "a\x7f", outside}, {"NUL", "\x00", outside}, {"a letter of two bytes", "é", outside},
		{"a byte of 0x80", "\x80", outside},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CheckKey(c.text); got != c.want {
				t.Fatalf("%q: %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestSpecCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *Spec)
		field  string
	}{
		{"as it is", func(*Spec) {}, ""},
		{"no name", func(s *Spec) { s.SKU = "" }, "sku"}, {"a dot", func(s *Spec) { s.SKU = "." }, "sku"},
		{"no stock", func(s *Spec) { s.Stock = 0 }, ""}, {"stock below zero", func(s *Spec) { s.Stock = -1 }, "stock"},
		{"largest stock", func(s *Spec) { s.Stock = 1<<53 - 1 }, ""}, {"one unit more", func(s *Spec) { s.Stock = 1 << 53 }, "stock"},
		{"no mode", func(s *Spec) { s.Mode = 0 }, "mode"}, {"on_order", func(s *Spec) { s.Mode = ModeOnOrder }, ""},
		{"on_payment", func(s *Spec) { s.Mode = ModeOnPayment }, ""}, {"mode 4", func(s *Spec) { s.Mode = 4 }, "mode"},
		{"ttl 0", func(s *Spec) { s.HoldTTLMS = 0 }, "hold_ttl_ms"}, {"ttl 1", func(s *Spec) { s.HoldTTLMS = 1 }, ""},
		{"365 days", func(s *Spec) { s.HoldTTLMS = 365 * 24 * 3600 * 1000 }, ""},
		{"a millisecond more", func(s *Spec) { s.HoldTTLMS = 365*24*3600*1000 + 1 }, "hold_ttl_ms"},
		{"limit below zero", func(s *Spec) { s.LimitPerUser = -1 }, "limit_per_user"}, {"no limit", func(s *Spec) { s.LimitPerUser = 0 }, ""},
		{"largest limit", func(s *Spec) { s.LimitPerUser = MaxStock }, ""},
		{"limit above", func(s *Spec) { s.LimitPerUser = MaxStock + 1 }, "limit_per_user"},
		{"max_qty 0", func(s *Spec) { s.MaxQty = 0 }, "max_qty"}, {"max_qty above the limit", func(s *Spec) { s.MaxQty, s.LimitPerUser = 9, 1 }, ""},
		{"max_qty beyond", func(s *Spec) { s.MaxQty = MaxStock + 1 }, "max_qty"},
		{"opens only", func(s *Spec) { s.OpensAt = 5 }, ""}, {"closes only", func(s *Spec) { s.ClosesAt = 5 }, ""},
		{"opens before it closes", func(s *Spec) { s.OpensAt, s.ClosesAt = 4, 5 }, ""},
		{"closes as it opens", func(s *Spec) { s.OpensAt, s.ClosesAt = 5, 5 }, "closes_at"},
		{"closes before", func(s *Spec) { s.OpensAt, s.ClosesAt = 6, 5 }, "closes_at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := Spec{SKU: "sku", Stock: 1, Mode: ModeHold, HoldTTLMS: DefaultHoldTTLMS, MaxQty: 1}
			c.change(&spec)
			field, reason := spec.Check()
			if field != c.field || (reason == "") != (field == "") {
				t.Fatalf("%q %q, want field %q", field, reason, c.field)
			}
		})
	}
}
