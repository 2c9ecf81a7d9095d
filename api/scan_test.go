package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/stock"
)

// accepted lists bodies that are in order, with what they say.
func TestScanAccepts(t *testing.T) {
	for _, row := range []struct {
		body string
		want orderBody
	}{
		{`{"sku":"shoe","user":"ann"}`, orderBody{sku: "shoe", user: "ann", qty: 1}},
		{" \t\r\n{ \"user\" : \"ann\" ,\n\"sku\":\"shoe\" } \n", orderBody{sku: "shoe", user: "ann", qty: 1}},
		{`{"sku":"shoe","user":"ann","qty":7,"client_ref":"x"}`, orderBody{sku: "shoe", user: "ann", qty: 7, clientRef: "x"}},
		{`{"sku":"shoe","user":"ann","qty":9223372036854775807,"client_ref":""}`, orderBody{sku: "shoe", user: "ann", qty: maxInt64}},
		{`{"\u0073ku":"\"\\\/ \u00e9\ud83d\ude00","user":"é😀"}`, orderBody{sku: `"\/ é😀`, user: "é😀", qty: 1}},
		{`{"sku":" ","user":"` + long(128) + `"}`, orderBody{sku: " ", user: long(128), qty: 1}},
		{`{"sku":"\uFFFD","user":"...", "client_ref":"a/b"}`, orderBody{sku: "\uFFFD", user: "...", qty: 1, clientRef: "a/b"}},
	} {
		var got orderBody
		if p := decodeOrder([]byte(row.body), &got); p != nil || got != row.want {
			t.Errorf("%s: %+v, %+v", row.body, got, p)
		}
	}
}

func TestScanIntegers(t *testing.T) {
	for _, row := range []struct {
		text string
		n    int64
		fits bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"10", 10, true}, {"-7", -7, true},
		{"9223372036854775807", 9223372036854775807, true}, {"9223372036854775808", 0, false}, {"9223372036854775809", 0, false},
		{"-9223372036854775808", -9223372036854775808, true}, {"-9223372036854775809", 0, false}, {"92233720368547758070", 0, false},
	} {
		s := scanner{b: []byte(row.text)}
		n, fits, p := s.integer("n")
		if p != nil || fits != row.fits || fits && n != row.n || s.i != len(row.text) {
			t.Errorf("%s: %d %v %v", row.text, n, fits, p)
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]stock.Time{
		"2026-11-11T12:00:00Z":           stock.TimeOf(noon),
		"2026-11-11T12:00:00.5Z":         stock.TimeOf(noon) + 500,
		"2026-11-11T12:00:00.05Z":        stock.TimeOf(noon) + 50,
		"2026-11-11T12:00:00.005Z":       stock.TimeOf(noon) + 5,
		"2026-11-11T20:00:00.000+08:00":  stock.TimeOf(noon),
		"2026-11-11T06:30:00-05:30":      stock.TimeOf(noon),
		"1970-01-01T00:00:00.001Z":       1,
		"9999-12-31T23:59:59.999Z":       253402300799999,
		"2026-11-11T12:00:00.0000Z":      0,
		"2026-11-11T12:00:00":            0,
		"2026-11-11t12:00:00Z":           0,
		"2026-11-11T12:00:60Z":           0,
		"2026-11-11T12:00:00+25:00":      0,
		"2026-11-11T2:00:00Z":            0,
		"2026-11-11T12:00:00+0100":       0,
		"1970-01-01T00:00:00Z":           0,
		"1969-12-31T23:59:59Z":           0,
		"10000-01-01T00:00:00Z":          0,
		"":                               0,
		"2026-11-11T12:00:00.Z":          0,
		"2026-11-11T12:00:00Z ":          0,
		"2026-11-11T12:00:00.123+00:00Z": 0,
	} {
		got, ok := parseTime(text)
		if ok != (want != 0) || got != want {
			t.Errorf("%q: %d %v, want %d", text, got, ok, want)
		}
		if ok {
			b := appendTime(nil, got)
			if again, _ := parseTime(string(b[1 : len(b)-1])); again != got || len(b) != len(`"2026-11-11T12:00:00.000Z"`) {
				t.Errorf("%s is shown as %s", text, b)
			}
		}
	}
}

// strictOrder is what encoding/json makes of a body with every strictness it has, and by a walk over its tokens for what it has not:
// duplicates, names of another case, null.
func strictOrder(b []byte, withKey bool) (*orderBody, error) {
	if !utf8.Valid(b) || bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")) {
		return nil, errors.New("not UTF-8")
	}
	members, err := flatObject(b)
	if err != nil {
		return nil, err
	}
	o := &orderBody{qty: 1}
	fields := map[string]any{"sku": &o.sku, "user": &o.user, "qty": &o.qty, "client_ref": &o.clientRef}
	if withKey {
		fields["key"] = &o.key
	}
	for name, raw := range members {
		if fields[name] == nil {
			return nil, fmt.Errorf("unknown %q", name)
		}
		if string(raw) == "null" {
			return nil, errors.New("null")
		}
		if err := json.Unmarshal(raw, fields[name]); err != nil {
			return nil, err
		}
		if strings.Contains(string(raw), `\u`) && loneSurrogate(raw) {
			return nil, errors.New("lone surrogate")
		}
	}
	for _, name := range []string{"sku", "user"} {
		if members[name] == nil {
			return nil, fmt.Errorf("missing %q", name)
		}
	}
	if withKey && members["key"] == nil {
		return nil, errors.New("missing key")
	}
	return o, inRange(o, withKey)
}

func inRange(o *orderBody, withKey bool) error {
	switch {
	case o.qty < 1, stock.CheckSKU(o.sku) != "", stock.CheckText(o.user, 1, 128) != "", stock.CheckText(o.clientRef, 0, 128) != "":
		return errors.New("out of range")
	case withKey && stock.CheckKey(o.key) != "":
		return errors.New("bad key")
	}
	return nil
}

// flatObject reads one object with distinct names, and nothing after it.
func flatObject(b []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		if members[name.(string)] != nil {
			return nil, errors.New("duplicate")
		}
		members[name.(string)] = raw
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("trailing")
	}
	return members, nil
}

// loneSurrogate reports whether decoding replaced something: encoding/json puts U+FFFD where a surrogate stands alone.
func loneSurrogate(raw json.RawMessage) bool {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return false
	}
	plain := strings.Count(strings.ToLower(string(raw)), `\ufffd`) + strings.Count(string(raw), "\uFFFD")
	return strings.Count(s, "\uFFFD") > plain
}

// FuzzOrderBody: the scanner and encoding/json, made strict, agree on which bodies are orders and on what they say.
func FuzzOrderBody(f *testing.F) {
	for _, c := range handlerCases() {
		if len(c.body) < 4096 {
			f.Add([]byte(c.body))
		}
	}
	f.Add([]byte(`{"\u0073ku":"\"\\\/ \u00e9\ud83d\ude00\b\f\n","user":"é😀","qty":12,"client_ref":"\ufffd"}`))
	f.Add([]byte(` { "qty" : 1 , "user":"u" , "sku":"s" } `))
	f.Fuzz(func(t *testing.T, body []byte) {
		want, err := strictOrder(body, false)
		var got orderBody
		p := decodeOrder(body, &got)
		if (p == nil) != (err == nil) {
			t.Fatalf("%q: the scanner says %+v, encoding/json says %v", body, p, err)
		}
		if p == nil {
			if got != *want {
				t.Fatalf("%q: %+v, want %+v", body, got, *want)
			}
			return
		}
		if b := appendProblem(nil, p, long(128)); len(b) > maxProblemBytes || !json.Valid(b) {
			t.Fatalf("%q: a problem of %d bytes: %s", body, len(b), b)
		}
		if status := rowOf(p.code).status; status != 400 {
			t.Fatalf("%q: status %d", body, status)
		}
	})
}

// FuzzBatchBody: the same of a batch, item by item.
func FuzzBatchBody(f *testing.F) {
	for _, r := range batchCases() {
		if len(r.body) < 4096 {
			f.Add([]byte(r.body))
		}
	}
	f.Add([]byte(`{"orders":[{"key":"a","sku":"s","user":"u"},{"key":"b","sku":"s","user":"u","qty":0},{"key":"","sku":"","user":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		items, p := decodeBatch(body, 3)
		members, err := flatObject(body)
		var raws []json.RawMessage
		if err == nil {
			err = json.Unmarshal(members["orders"], &raws)
		}
		if p != nil {
			if err == nil && len(members) == 1 && utf8.Valid(body) && len(raws) > 0 && len(raws) <= 3 && allWell(raws) {
				t.Fatalf("%q is refused: %+v", body, p)
			}
			return
		}
		if err != nil || len(raws) != len(items) {
			t.Fatalf("%q is taken; encoding/json says %v", body, err)
		}
		for i, raw := range raws {
			want, err := strictOrder(raw, true)
			if (items[i].bad == nil) != (err == nil) {
				t.Fatalf("%q item %d: %+v, encoding/json says %v", body, i, items[i].bad, err)
			}
			if err == nil && !reflect.DeepEqual(items[i], *want) {
				t.Fatalf("%q item %d: %+v, want %+v", body, i, items[i], *want)
			}
		}
	})
}

func allWell(raws []json.RawMessage) bool {
	for _, raw := range raws {
		if _, err := strictOrder(raw, true); err != nil {
			return false
		}
	}
	return true
}

func BenchmarkDecodeOrder(b *testing.B) {
	body := []byte(`{"sku":"shoe-42-black","user":"user-000123","qty":1,"client_ref":"basket-9"}`)
	b.Run("by=scanner", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var o orderBody
			if p := decodeOrder(body, &o); p != nil {
				b.Fatal(p)
			}
		}
	})
	b.Run("by=encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var o struct {
				SKU       *string `json:"sku"`
				User      *string `json:"user"`
				Qty       *int64  `json:"qty"`
				ClientRef *string `json:"client_ref"`
			}
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(&o); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendTime(b *testing.B) {
	var buf []byte
	b.Run("by=parts", func(b *testing.B) {
		for b.Loop() {
			buf = appendTime(buf[:0], stock.TimeOf(noon))
		}
	})
	b.Run("by=layout", func(b *testing.B) {
		for b.Loop() {
			buf = noon.AppendFormat(buf[:0], "2006-01-02T15:04:05.000Z")
		}
	})
}
