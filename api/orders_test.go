package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast/stock"
)

func TestOrderLife(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":10,"max_qty":5}`)
	a := s.public("POST /v1/orders", `{"sku":"shoe","user":"ann","qty":2,"client_ref":"basket 7"}`, "Idempotency-Key: k1")
	m := s.want(a, 201, "")
	id := m["id"].(string)
	want := `{"id":"` + id + `","sku":"shoe","user":"ann","qty":2,"state":"held","mode":"hold","client_ref":"basket 7",` +
		`"expires_at":"2026-11-11T12:10:00.000Z","created_at":"2026-11-11T12:00:00.000Z","updated_at":"2026-11-11T12:00:00.000Z","as_of_index":3}`
	if a.body != want {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}
	if got := a.header.Get("Location"); got != "/v1/orders/"+id {
		t.Errorf("Location %q", got)
	}
	if got := a.header.Get("Server-Timing"); !strings.HasPrefix(got, "admit;dur=0.000, commit;dur=0.000") {
		t.Errorf("Server-Timing %q", got)
	}
	if s.want(s.public("GET /v1/orders/"+id, ""), 200, "")["state"] != "held" {
		t.Error("GET shows another state")
	}
	s.clock.advance(1500 * time.Millisecond)
	m = s.want(s.public("POST /v1/orders/"+id+"/confirm", `{"payment_id":"p1"}`), 200, "")
	if m["state"] != "confirmed" || m["payment_id"] != "p1" || m["updated_at"] != "2026-11-11T12:00:01.500Z" {
		t.Errorf("confirmed: %v", m)
	}
	s.want(s.public("POST /v1/orders/"+id+"/confirm", `{"payment_id":"p1"}`), 200, "")
	m = s.want(s.public("POST /v1/orders/"+id+"/confirm", `{"payment_id":"p2"}`), 409, "duplicate_payment")
	if m["first_payment_id"] != "p1" {
		t.Errorf("duplicate payment: %v", m)
	}
	m = s.want(s.public("POST /v1/orders/"+id+"/cancel", ""), 409, "invalid_state")
	if m["state"] != "confirmed" {
		t.Errorf("cancel of a sold order: %v", m)
	}
	s.returns(id)
}

func (s *shop) returns(id string) {
	s.t.Helper()
	a := s.public("POST /v1/orders/"+id+"/return", `{"qty":1,"restock":false}`, "Idempotency-Key: r1")
	if m := s.want(a, 200, ""); m["returned_qty"] != 1.0 || m["state"] != "confirmed" {
		s.t.Errorf("returned one: %v", m)
	}
	again := s.public("POST /v1/orders/"+id+"/return", `{"qty":1,"restock":false}`, "Idempotency-Key: r1")
	if again.body != a.body || again.header.Get("Idempotent-Replayed") != "true" {
		s.t.Errorf("the return's key: %v %s", again.header, again.body)
	}
	m := s.want(s.public("POST /v1/orders/"+id+"/return", `{"qty":2}`, "Idempotency-Key: r2"), 409, "invalid_state")
	if m["returnable"] != 1.0 {
		s.t.Errorf("too many back: %v", m)
	}
	m = s.want(s.public("POST /v1/orders/"+id+"/return", `{}`, "Idempotency-Key: r3"), 200, "")
	if m["state"] != "returned" || m["returned_qty"] != 2.0 {
		s.t.Errorf("all back: %v", m)
	}
	k := s.want(s.admin("GET /v1/skus/shoe", ""), 200, "")
	if k["stock"] != 9.0 || k["available"] != 9.0 || k["sold"] != 0.0 {
		s.t.Errorf("after the returns: %v", k)
	}
}

// 100 clicks with one key take one unit and get the same bytes; the order's later life does not change them.
func TestReplay(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":10}`)
	const body = `{"sku":"shoe","user":"ann"}`
	first := s.public("POST /v1/orders", body, "Idempotency-Key: k")
	id := first.json(t)["id"].(string)
	if first.header.Get("Idempotent-Replayed") != "" {
		t.Error("the first answer is no replay")
	}
	s.want(s.public("POST /v1/orders/"+id+"/cancel", `{"reason":"changed my mind"}`), 200, "")
	s.want(s.public("POST /v1/orders/"+id+"/cancel", `{}`), 200, "")
	s.want(s.admin("POST /v1/skus/shoe/freeze", ""), 200, "")
	for range 99 {
		a := s.public("POST /v1/orders", body, "Idempotency-Key: k")
		if a.status != 201 || a.body != first.body || a.header.Get("Idempotent-Replayed") != "true" {
			t.Fatalf("%d %v %s, first %s", a.status, a.header, a.body, first.body)
		}
		if a.header.Get("Location") != "/v1/orders/"+id {
			t.Fatalf("Location %q", a.header.Get("Location"))
		}
	}
	m := s.want(s.public("POST /v1/orders", `{"sku":"shoe","user":"ann","qty":2}`, "Idempotency-Key: k"), 422, "idempotency_key_reused")
	if d := m["differs"].([]any); len(d) != 1 || d[0] != "qty" {
		t.Errorf("differs: %v", m)
	}
}

// Each refusal has its status, code and members.
func TestRefusals(t *testing.T) {
	s := newShop(t)
	const order = `{"sku":"%","user":"ann"}`
	place := func(sku, key string) answer {
		return s.public("POST /v1/orders", strings.Replace(order, "%", sku, 1), "Idempotency-Key: "+key)
	}
	s.sku("later", `{"stock":1,"opens_at":"2026-11-11T12:00:02.500Z"}`)
	a := place("later", "k")
	if m := s.want(a, 403, "not_started"); m["opens_at"] != "2026-11-11T12:00:02.500Z" || m["retryable"] != true {
		t.Errorf("not started: %v", m)
	}
	if got := a.header.Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After %q", got)
	}
	s.sku("over", `{"stock":1,"closes_at":"2026-11-11T13:00:00+02:00"}`)
	if m := s.want(place("over", "k"), 403, "ended"); m["closes_at"] != "2026-11-11T11:00:00.000Z" || m["retryable"] != false {
		t.Errorf("ended: %v", m)
	}
	s.sku("few", `{"stock":3,"max_qty":4,"limit_per_user":3,"hold_ttl_ms":1000}`)
	m := s.want(s.public("POST /v1/orders", `{"sku":"few","user":"u","qty":5}`, "Idempotency-Key: a"), 422, "qty_above_max")
	if m["max_qty"] != 4.0 {
		t.Errorf("above max: %v", m)
	}
	m = s.want(s.public("POST /v1/orders", `{"sku":"few","user":"u","qty":4}`, "Idempotency-Key: a"), 409, "limit_exceeded")
	if m["limit"] != 3.0 || m["used"] != 0.0 {
		t.Errorf("over the limit: %v", m)
	}
	id := s.place("b", `{"sku":"few","user":"u","qty":2}`)
	m = s.want(s.public("POST /v1/orders", `{"sku":"few","user":"v","qty":2}`, "Idempotency-Key: c"), 409, "insufficient_stock")
	if m["available"] != 1.0 || m["retryable"] != true {
		t.Errorf("insufficient: %v", m)
	}
	s.place("d", `{"sku":"few","user":"v"}`)
	m = s.want(place("few", "e"), 409, "sold_out_pending")
	if m["held"] != 3.0 || m["next_release_at"] != "2026-11-11T12:00:01.000Z" || m["retryable"] != true {
		t.Errorf("pending: %v", m)
	}
	s.clock.advance(time.Second)
	m = s.want(s.public("POST /v1/orders/"+id+"/confirm", `{"payment_id":"p"}`), 409, "order_expired")
	if m["expired_at"] != "2026-11-11T12:00:01.000Z" {
		t.Errorf("expired: %v", m)
	}
	s.sku("none", `{"stock":0}`)
	if m := s.want(place("none", "k"), 409, "sold_out"); m["retryable"] != false {
		t.Errorf("sold out: %v", m)
	}
	s.want(s.admin("POST /v1/skus/none/freeze", `{}`), 200, "")
	s.want(place("none", "k"), 423, "frozen")
	s.want(place("unknown", "k"), 404, "sku_not_found")
}

func TestOutcomesAndFence(t *testing.T) {
	s := newShop(t)
	s.sku("red%2Fblue", `{"stock":2}`)
	const path = "/v1/skus/red%2Fblue/outcomes/"
	first := s.public("POST /v1/orders", `{"sku":"red/blue","user":"ann"}`, "Idempotency-Key: a/b%")
	s.want(first, 201, "")
	for _, call := range []string{"GET " + path + "a%2Fb%25", "POST " + path + "a%2Fb%25/fence"} {
		a := s.public(call, "")
		if want := `{"outcome":"accepted","order":` + first.body + `}`; a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s", call, a.status, a.body)
		}
	}
	s.want(s.public("GET "+path+"k2", ""), 404, "outcome_not_seen")
	for range 2 {
		if a := s.public("POST "+path+"k2/fence", "{}"); a.status != 200 || a.body != `{"outcome":"fenced"}` {
			t.Errorf("fence: %d %s", a.status, a.body)
		}
	}
	if a := s.public("GET "+path+"k2", ""); a.body != `{"outcome":"fenced"}` {
		t.Errorf("after the fence: %s", a.body)
	}
	s.want(s.public("POST /v1/orders", `{"sku":"red/blue","user":"ann"}`, "Idempotency-Key: k2"), 409, "fenced")
	s.want(s.public("GET /v1/skus/unknown/outcomes/k", ""), 404, "sku_not_found")
}

// A refusal that rests on no leadership check says so, by itself and in a batch; others and acceptances do not.
func TestUnconfirmedRefusals(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":5}`)
	fast := false
	s.core.Before = func(_ context.Context, r stock.Request) stock.Outcome {
		if place, ok := r.(*stock.Place); ok && place.User == "bob" {
			return stock.Outcome{Code: stock.SoldOut, Unconfirmed: fast}
		}
		return stock.Outcome{}
	}
	marked := func(a answer) bool { return a.header.Get("Holdfast-Refusal") == "unconfirmed" }
	for _, fast = range []bool{true, false} {
		a := s.public(placing, `{"sku":"shoe","user":"bob"}`, "Idempotency-Key: b")
		if s.want(a, 409, "sold_out"); marked(a) != fast {
			t.Errorf("a refusal, fast %v: %v", fast, a.header)
		}
		if a := s.public(batching, `{"orders":[{"key":"a","sku":"shoe","user":"ann"},{"key":"b","sku":"shoe","user":"bob"}]}`); a.status != 200 || marked(a) != fast {
			t.Errorf("a batch with one, fast %v: %d %v", fast, a.status, a.header)
		}
		if a := s.public(batching, `{"orders":[{"key":"a","sku":"shoe","user":"ann"}]}`); a.status != 200 || marked(a) {
			t.Errorf("a batch without: %d %v", a.status, a.header)
		}
		if a := s.public(placing, `{"sku":"shoe","user":"ann"}`, "Idempotency-Key: a"); a.status != 201 || marked(a) {
			t.Errorf("an acceptance: %d %v", a.status, a.header)
		}
	}
}
