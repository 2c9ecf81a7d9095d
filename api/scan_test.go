package api

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

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
		"2026-11-11T12:00:00+24:00":      0,
		"2026-11-11T12:00:00+10:60":      0,
		"2026-11-11T12:00:00+23:59":      stock.TimeOf(noon.Add(-23*time.Hour - 59*time.Minute)),
		"2026-11-11T2:00:00Z":            0,
		"2026-11-11T12:00:00+0100":       0,
		"1970-01-01T00:00:00Z":           0,
		"1969-12-31T23:59:59Z":           0,
		"10000-01-01T00:00:00Z":          0,
		"":                               0,
		"2026-11-11T12:00:00.Z":          0,
		"2026-11-11T12:00:00Z ":          0,
		"2026-11-11T12:00:00.123+00:00Z": 0,
		"2026-11-11T12:00:00,1234Z":      0,
		"2026-11-11T2:00:00.12344Z":      0,
		"2026-11-11T2:00:00,12344Z":      0,
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
