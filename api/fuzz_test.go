package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/stock"
)

// agree compares what the decoder and the reference say is wrong with a body, and checks the problem that goes out.
func agree(t *testing.T, body []byte, p *problem, want *verdict) {
	t.Helper()
	if p == nil || want == nil {
		if p != nil || want != nil {
			t.Fatalf("%q: the decoder says %+v, the reference %+v", body, said(p), want)
		}
		return
	}
	out := appendProblem(nil, p, long(128))
	var m struct{ Code, Field string }
	if err := json.Unmarshal(out, &m); err != nil || len(out) > maxProblemBytes {
		t.Fatalf("%q: a problem of %d bytes: %v %s", body, len(out), err, out)
	}
	if status := rowOf(p.code).status; status != 400 && status != 413 {
		t.Fatalf("%q: status %d", body, status)
	}
	if !utf8.ValidString(want.field) {
		return // an unknown name with half of a surrogate pair: each shows it in its way
	}
	if m.Code != want.code || m.Field != clip(want.field, maxFieldBytes) {
		t.Fatalf("%q: the decoder says %s %q, the reference %+v", body, m.Code, m.Field, want)
	}
}

func said(p *problem) string {
	if p == nil {
		return "nothing"
	}
	return string(appendProblem(nil, p, ""))
}

func seedBodies(f *testing.F, add func(c badCase)) {
	for _, c := range handlerCases() {
		if len(c.body) < 4096 {
			add(c)
		}
	}
}

// FuzzOrderBody: the scanner and the reference agree on which bodies are orders, on what they say, and else on what is wrong first.
func FuzzOrderBody(f *testing.F) {
	seedBodies(f, func(c badCase) { f.Add([]byte(c.body)) })
	f.Add([]byte(`{"\u0073ku":"\"\\\/ \u00e9\ud83d\ude00\b\f\n","user":"é😀","qty":12,"client_ref":"\ufffd"}`))
	f.Add([]byte(` { "qty" : 1 , "user":"u" , "sku":"s" } `))
	f.Fuzz(func(t *testing.T, body []byte) {
		want, v := refOrder(body)
		var got orderBody
		p := decodeOrder(body, &got)
		agree(t, body, p, v)
		if p == nil && (got != want || !json.Valid(body)) {
			t.Fatalf("%q: %+v, want %+v", body, got, want)
		}
	})
}

// FuzzBatchBody: the same of a batch, order by order.
func FuzzBatchBody(f *testing.F) {
	seedBodies(f, func(c badCase) {
		if c.call == batching {
			f.Add([]byte(c.body))
		}
	})
	f.Add([]byte(`{"orders":[{"key":"a","sku":"s","user":"u"},{"key":"b","sku":"s","user":"u","qty":0},{"key":"","sku":"","user":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		want, bads, v := refBatch(body, 3)
		items, p := decodeBatch(body, 3)
		agree(t, body, p, v)
		if p != nil {
			return
		}
		if len(items) != len(want) || !json.Valid(body) {
			t.Fatalf("%q: %d orders, want %d", body, len(items), len(want))
		}
		for i := range items {
			agree(t, body, items[i].bad, bads[i])
			if items[i].bad == nil && items[i] != want[i] {
				t.Fatalf("%q order %d: %+v, want %+v", body, i, items[i], want[i])
			}
		}
	})
}

// otherCalls are the calls whose bodies FuzzOtherBodies draws, with a body that is in order.
var otherCalls = []struct{ name, body string }{
	{"confirm", `{"payment_id":"p"}`}, {"cancel", `{"reason":"r"}`}, {"return", `{"qty":1,"restock":false}`},
	{"create", `{"stock":5,"mode":"on_order","hold_ttl_ms":1,"limit_per_user":0,"max_qty":1,"opens_at":"2026-01-01T00:00:00.5+01:00","closes_at":null,"hot":true}`},
	{"patch", `{"hold_ttl_ms":null,"opens_at":null,"closes_at":"2026-01-01T00:00:00Z","hot":null,"max_qty":2}`},
	{"adjust", `{"delta":-9007199254740991,"reason":""}`}, {"freeze", `{}`},
}

func decodeOther(call string, b []byte) (said any, p *problem) {
	switch call {
	case "confirm":
		return decodeConfirm(b)
	case "cancel":
		return decodeCancel(b)
	case "return":
		qty, restock, p := decodeReturn(b)
		return givenBack{qty, restock}, p
	case "create":
		return decodeCreate(b, "cup")
	case "patch":
		return decodeUpdate(b)
	case "adjust":
		delta, reason, p := decodeAdjust(b)
		return adjustment{delta, reason}, p
	}
	return nil, decodeNothing(b)
}

// FuzzOtherBodies: the same of all other calls; which draws the call.
func FuzzOtherBodies(f *testing.F) {
	for i, c := range otherCalls {
		f.Add(byte(i), []byte(c.body))
	}
	seedBodies(f, func(c badCase) {
		for i, part := range []string{"/confirm", "/cancel", "/return", "PUT ", "PATCH ", "/adjustments", "/freeze"} {
			if c.body != "" && strings.Contains(c.call, part) {
				f.Add(byte(i), []byte(c.body))
			}
		}
	})
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		call := otherCalls[int(which)%len(otherCalls)].name
		want, v := refOther(call, body)
		got, p := decodeOther(call, body)
		agree(t, body, p, v)
		if p == nil && (!reflect.DeepEqual(got, want) || !json.Valid(body)) {
			t.Fatalf("%s %q: %+v, want %+v", call, body, got, want)
		}
	})
}

// What is in order is accepted, by both: else the fuzz targets would compare refusals only.
func TestReferenceAccepts(t *testing.T) {
	for _, c := range otherCalls {
		got, p := decodeOther(c.name, []byte(c.body))
		want, v := refOther(c.name, []byte(c.body))
		if p != nil || v != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s, %+v", c.name, said(p), v)
		}
	}
	if o, v := refOrder([]byte(orderText)); v != nil || o != (orderBody{sku: "shoe", user: "ann", qty: 1}) {
		t.Errorf("%+v %+v", o, v)
	}
}

// FuzzIdempotencyKey: a header's key, and the same key in a path, are taken exactly when docs/api.md says so.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{"k", "", ".", "..", "...", long(255), long(256), "a b", "ä", "\x00", "~!", "\x7f", "%2e"} {
		f.Add(key, "", false)
		f.Add(key, key, true)
	}
	f.Fuzz(func(t *testing.T, key, second string, twice bool) {
		h := map[string][]string{"Idempotency-Key": {key}}
		if twice {
			h["Idempotency-Key"] = append(h["Idempotency-Key"], second)
		}
		got, p := idempotencyKey(h)
		if good := refKey(key) && !twice; good != (p == nil) || good && got != key {
			t.Fatalf("%q %q: %q %+v", key, second, got, p)
		}
		if p != nil && p.code != codeOfKey || stock.CheckKey(key) == "" != refKey(key) {
			t.Fatalf("%q: %s", key, said(p))
		}
	})
}
