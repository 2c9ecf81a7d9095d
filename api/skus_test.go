package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/stock"
)

var errLost = errors.New("lost")

// forgetful is a core that answers less than it is asked.
type forgetful struct{ Core }

func (forgetful) Do(context.Context, stock.Request) stock.Outcome {
	return stock.Outcome{Code: stock.OK}
}
func (forgetful) DoAll(context.Context, []stock.Request) []stock.Outcome { return nil }
func (forgetful) SKUs(context.Context, string, int) ([]stock.SKU, bool, error) {
	return nil, false, errLost
}

// watch notes what every command carries.
func watch(metas *[]*stock.Meta) func(context.Context, stock.Request) stock.Outcome {
	return func(_ context.Context, r stock.Request) stock.Outcome {
		if c, ok := r.(stock.Command); ok {
			*metas = append(*metas, c.Head())
		}
		return stock.Outcome{}
	}
}

func TestSKUAdministration(t *testing.T) {
	s := newShop(t)
	a := s.admin("PUT /v1/skus/shoe", `{"stock":10,"opens_at":null,"closes_at":"2026-11-12T00:00:00+01:00"}`)
	want := `{"sku":"shoe","stock":10,"available":10,"held":0,"sold":0,"mode":"hold","hold_ttl_ms":600000,"limit_per_user":0,"max_qty":1,` +
		`"opens_at":null,"closes_at":"2026-11-11T23:00:00.000Z","frozen":false,"hot":false,"shard":1,"leader":"n1","as_of_index":2}`
	if a.status != 201 || a.body != want {
		t.Fatalf("%d %s\nwant %s", a.status, a.body, want)
	}
	again := s.admin("PUT /v1/skus/shoe", `{"stock":10,"mode":"hold","hold_ttl_ms":600000,"limit_per_user":0,"max_qty":1,"hot":false,`+
		`"closes_at":"2026-11-11T23:00:00Z"}`)
	if again.status != 200 || again.body != want {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	m := s.want(s.admin("PUT /v1/skus/shoe", `{"stock":11,"mode":"on_order"}`), 409, "sku_exists")
	if fmt.Sprint(m["differs"]) != "[stock mode closes_at]" {
		t.Errorf("differs: %v", m["differs"])
	}
	m = s.want(s.admin("PATCH /v1/skus/shoe", `{"max_qty":3,"limit_per_user":2,"hold_ttl_ms":null,"hot":true,"closes_at":null,`+
		`"opens_at":"2026-11-11T12:00:00.001Z"}`), 200, "")
	if m["max_qty"] != 3.0 || m["limit_per_user"] != 2.0 || m["hold_ttl_ms"] != 600000.0 || m["hot"] != true || m["closes_at"] != nil ||
		m["opens_at"] != "2026-11-11T12:00:00.001Z" {
		t.Errorf("patched: %v", m)
	}
	if m := s.want(s.admin("PATCH /v1/skus/shoe", `{}`), 200, ""); m["max_qty"] != 3.0 {
		t.Errorf("an empty patch: %v", m)
	}
	m = s.want(s.admin("PATCH /v1/skus/shoe", `{"closes_at":"2026-11-11T12:00:00Z"}`), 400, "invalid_value")
	if m["field"] != "closes_at" {
		t.Errorf("closes before it opens: %v", m)
	}
	s.adjustments()
}

func (s *shop) adjustments() {
	s.t.Helper()
	const adjust = "POST /v1/skus/shoe/adjustments"
	first := s.admin(adjust, `{"delta":-4,"reason":"broken in transit"}`, "Idempotency-Key: a1")
	if m := s.want(first, 200, ""); m["stock"] != 6.0 || m["available"] != 6.0 {
		s.t.Errorf("adjusted: %v", m)
	}
	again := s.admin(adjust, `{"delta":-4,"reason":"broken in transit"}`, "Idempotency-Key: a1")
	if again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
		s.t.Errorf("again: %v %s", again.header, again.body)
	}
	s.want(s.admin(adjust, `{"delta":-5,"reason":"broken in transit"}`, "Idempotency-Key: a1"), 422, "idempotency_key_reused")
	if m := s.want(s.admin(adjust, `{"delta":-7,"reason":"x"}`, "Idempotency-Key: a2"), 409, "insufficient_stock"); m["available"] != 6.0 {
		s.t.Errorf("below zero: %v", m)
	}
	for _, call := range []string{"freeze", "freeze", "unfreeze", "unfreeze"} {
		m := s.want(s.admin("POST /v1/skus/shoe/"+call, ""), 200, "")
		if m["frozen"] != (call == "freeze") {
			s.t.Errorf("%s: %v", call, m)
		}
	}
}

// Names that need an escape go through paths, bodies and pages unharmed.
func TestPages(t *testing.T) {
	s := newShop(t)
	names := []string{"%20", "%25", "%2F%2F", "%22x%5C", "a", "a%20b", "b+c", "%C3%A9", "...", "A", "%E2%80%8B", long(128)}
	for _, name := range names {
		s.sku(name, `{"stock":1}`)
		s.want(s.admin("GET /v1/skus/"+name, ""), 200, "")
	}
	seen, cursor, pages := []string{}, "", 0
	for {
		m := s.want(s.admin("GET /v1/skus?limit=5&cursor="+cursor, ""), 200, "")
		for _, k := range m["skus"].([]any) {
			seen = append(seen, k.(map[string]any)["sku"].(string))
		}
		pages++
		next, more := m["next_cursor"]
		if !more {
			break
		}
		cursor = next.(string)
	}
	want := []string{" ", `"x\`, "%", "...", "//", "A", "a", "a b", "b+c", long(128), "é", "\u200B"}
	if strings.Join(seen, "|") != strings.Join(want, "|") || pages != 3 {
		t.Errorf("%d pages: %q", pages, seen)
	}
	if a := newShop(t).admin("GET /v1/skus", ""); a.body != `{"skus":[]}` {
		t.Errorf("no SKU: %s", a.body)
	}
}

// What the core must not do is answered internal, and counted.
func TestBrokenCore(t *testing.T) {
	s := newShop(t, func(c *Config) { c.Core = forgetful{c.Core} })
	s.want(s.public(placing, `{"sku":"s","user":"u"}`, "Idempotency-Key: k"), 500, "internal")
	s.want(s.public("GET /v1/skus/s/outcomes/k", ""), 500, "internal")
	s.want(s.admin("GET /v1/skus/s", ""), 500, "internal")
	s.want(s.admin("GET /v1/skus", ""), 500, "internal")
	s = newShop(t)
	for _, code := range []stock.Code{200, endOfCodes} {
		s.core.Before = func(context.Context, stock.Request) stock.Outcome { return stock.Outcome{Code: code} }
		s.want(s.public(placing, `{"sku":"s","user":"u"}`, "Idempotency-Key: k"), 500, "internal")
	}
	s.core.Before = func(context.Context, stock.Request) stock.Outcome { panic("a bug") }
	s.want(s.public(placing, `{"sku":"s","user":"u"}`, "Idempotency-Key: k"), 500, "internal")
	if s.counter("panics_total") != 1 || s.counter("problems_total", "code", "internal") != 3 || s.counter("in_flight") != 0 {
		t.Error("the counters do not say so")
	}
}

// Commands carry the caller's key in the caller's scope; those that have none carry none, and none carries a deadline: both are the core's.
func TestKeysAndCallers(t *testing.T) {
	s := newShop(t, withKeys(t, entryOf("shop", "admin", "one"), entryOf("other", "admin", "two")))
	s.key = "one"
	var metas []*stock.Meta
	s.core.Before = watch(&metas)
	s.sku("shoe", `{"stock":5}`)
	id := s.place("k", `{"sku":"shoe","user":"u"}`)
	s.key = "two"
	if s.place("k", `{"sku":"shoe","user":"u"}`) == id {
		t.Error("another caller's key is another key")
	}
	s.want(s.public("POST /v1/orders/"+id+"/confirm", `{"payment_id":"p"}`, "Idempotency-Key: k"), 200, "")
	s.admin("POST /v1/skus/shoe/freeze", "")
	s.public("POST /v1/skus/shoe/outcomes/k/fence", "")
	want := []stock.Meta{{Caller: "shop"}, {Caller: "shop", Key: "k"}, {Caller: "other", Key: "k"}, {Caller: "other"}, {Caller: "other"},
		{Caller: "other", Key: "k"}}
	for i, m := range metas {
		if i >= len(want) || *m != want[i] {
			t.Errorf("command %d: %+v", i, *m)
		}
	}
	if len(metas) != len(want) {
		t.Errorf("%d commands", len(metas))
	}
}
