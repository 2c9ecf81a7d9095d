package api

import (
	"strings"
	"testing"
)

const (
	placing  = "POST /v1/orders"
	batching = "POST /v1/orders:batch"
	someID   = "00000000001"
)

// badRow is one kind of bad input: it has its own status and code, the core is not asked, and a counter moves.
type badRow struct {
	name, call, body string
	headers          []string
	status           int
	code, field      string
	admin            bool
}

var withKey = []string{"Idempotency-Key: k"}

// order builds a row for a body of POST /v1/orders.
func badOrder(name, body string, code, field string) badRow {
	return badRow{name: name, call: placing, body: body, headers: withKey, status: 400, code: code, field: field}
}

func badQty(qty string) badRow {
	return badOrder("qty "+qty, `{"sku":"shoe","user":"ann","qty":`+qty+`}`, "invalid_value", "qty")
}

func badKey(name, key string) badRow {
	r := badOrder("key "+name, `{"sku":"shoe","user":"ann"}`, "idempotency_key_invalid", "Idempotency-Key")
	r.headers = []string{"Idempotency-Key: " + key}
	return r
}

func badAdmin(name, call, body, code, field string) badRow {
	return badRow{name: name, call: call, body: body, headers: withKey, status: 400, code: code, field: field, admin: true}
}

func badPatch(name, body, field string) badRow {
	return badAdmin("patch "+name, "PATCH /v1/skus/shoe", body, "invalid_value", field)
}

func badCreate(name, body, field string) badRow {
	return badAdmin("create "+name, "PUT /v1/skus/cup", body, "invalid_value", field)
}

func badPaths(code string, status int, calls ...string) []badRow {
	var rows []badRow
	for _, call := range calls {
		rows = append(rows, badRow{name: call, call: call, status: status, code: code}, badRow{name: "admin " + call, call: call, status: status,
			code: code, admin: true})
	}
	return rows
}

// long is a text of n bytes.
func long(n int) string { return strings.Repeat("x", n) }

func bodyRows() []badRow {
	return []badRow{
		badOrder("empty body", "", "malformed_json", ""),
		badOrder("spaces", " \n", "malformed_json", ""),
		badOrder("not JSON", "hello", "malformed_json", ""),
		badOrder("cut off", `{"sku":"shoe","user":"an`, "malformed_json", ""),
		badOrder("cut off after a member", `{"sku":"shoe"`, "malformed_json", ""),
		badOrder("cut off escape", `{"sku":"\u12`, "malformed_json", ""),
		badOrder("bad escape", `{"sku":"\x41","user":"ann"}`, "malformed_json", ""),
		badOrder("trailing comma", `{"sku":"shoe","user":"ann",}`, "malformed_json", ""),
		badOrder("leading comma", `{,"sku":"shoe","user":"ann"}`, "malformed_json", ""),
		badOrder("no colon", `{"sku" "shoe","user":"ann"}`, "malformed_json", ""),
		badOrder("single quotes", `{'sku':'shoe'}`, "malformed_json", ""),
		badOrder("comment", `{"sku":"shoe",/* */"user":"ann"}`, "malformed_json", ""),
		badOrder("byte order mark", "\xEF\xBB\xBF"+`{"sku":"shoe","user":"ann"}`, "malformed_json", ""),
		badOrder("second object", `{"sku":"shoe","user":"ann"}{}`, "malformed_json", ""),
		badOrder("trailing text", `{"sku":"shoe","user":"ann"} x`, "malformed_json", ""),
		badOrder("array", `[]`, "malformed_json", ""),
		badOrder("null body", `null`, "malformed_json", ""),
		badOrder("string body", `"x"`, "malformed_json", ""),
		badOrder("number body", `1`, "malformed_json", ""),
		badOrder("NaN", `{"sku":"shoe","user":"ann","qty":NaN}`, "malformed_json", ""),
		badOrder("Infinity", `{"sku":"shoe","user":"ann","qty":Infinity}`, "malformed_json", ""),
		badOrder("plus sign", `{"sku":"shoe","user":"ann","qty":+1}`, "malformed_json", ""),
		badOrder("leading zero", `{"sku":"shoe","user":"ann","qty":01}`, "malformed_json", ""),
		badOrder("lone minus", `{"sku":"shoe","user":"ann","qty":-}`, "malformed_json", ""),
		badOrder("half a literal", `{"sku":"shoe","user":"ann","qty":nul}`, "malformed_json", ""),
		badOrder("invalid UTF-8", `{"sku":"sh`+"\xFF"+`oe","user":"ann"}`, "malformed_json", ""),
		badOrder("overlong UTF-8", `{"sku":"sh`+"\xC0\xAF"+`oe","user":"ann"}`, "malformed_json", ""),
		badOrder("raw NUL", "{\"sku\":\"sh\x00oe\",\"user\":\"ann\"}", "malformed_json", ""),
		badOrder("raw line feed", "{\"sku\":\"sh\noe\",\"user\":\"ann\"}", "malformed_json", ""),
		badOrder("deep nesting", `{"sku":`+strings.Repeat("[", 30_000)+`}`, "invalid_value", "sku"),
		badOrder("NUL", `{"sku":"sh\u0000oe","user":"ann"}`, "invalid_value", "sku"),
		badOrder("C1 control", `{"sku":"shoe","user":"a\u0085nn"}`, "invalid_value", "user"),
		badOrder("DEL", "{\"sku\":\"shoe\",\"user\":\"a\x7Fnn\"}", "invalid_value", "user"),
		badOrder("lone surrogate", `{"sku":"sh\ud800oe","user":"ann"}`, "invalid_value", "sku"),
		badOrder("surrogates the wrong way round", `{"sku":"sh\udc00\ud800oe","user":"ann"}`, "invalid_value", "sku"),
		badOrder("duplicate field", `{"sku":"shoe","user":"ann","sku":"shoe"}`, "duplicate_field", "sku"),
		badOrder("duplicate field, escaped", `{"sku":"shoe","user":"ann","s\u006bu":"shoe"}`, "duplicate_field", "sku"),
		badOrder("unknown field", `{"sku":"shoe","user":"ann","price":1}`, "unknown_field", "price"),
		badOrder("wrong case", `{"SKU":"shoe","user":"ann"}`, "unknown_field", "SKU"),
		badOrder("key in the body", `{"sku":"shoe","user":"ann","key":"k"}`, "unknown_field", "key"),
		badOrder("a name of a megabyte", `{"`+long(60_000)+`":1}`, "unknown_field", long(64)+"..."),
		badOrder("sku missing", `{"user":"ann"}`, "missing_field", "sku"),
		badOrder("user missing", `{"sku":"shoe"}`, "missing_field", "user"),
		badOrder("empty object", `{}`, "missing_field", "sku"),
		badOrder("null sku", `{"sku":null,"user":"ann"}`, "invalid_value", "sku"),
		badOrder("null client_ref", `{"sku":"shoe","user":"ann","client_ref":null}`, "invalid_value", "client_ref"),
		badOrder("number for sku", `{"sku":7,"user":"ann"}`, "invalid_value", "sku"),
		badOrder("object for user", `{"sku":"shoe","user":{}}`, "invalid_value", "user"),
		badOrder("sku empty", `{"sku":"","user":"ann"}`, "invalid_value", "sku"),
		badOrder("sku too long", `{"sku":"`+long(129)+`","user":"ann"}`, "invalid_value", "sku"),
		badOrder("sku dot", `{"sku":".","user":"ann"}`, "invalid_value", "sku"),
		badOrder("sku dot dot", `{"sku":"..","user":"ann"}`, "invalid_value", "sku"),
		badOrder("user empty", `{"sku":"shoe","user":""}`, "invalid_value", "user"),
		badOrder("user too long", `{"sku":"shoe","user":"`+long(129)+`"}`, "invalid_value", "user"),
		badOrder("client_ref too long", `{"sku":"shoe","user":"ann","client_ref":"`+long(129)+`"}`, "invalid_value", "client_ref"),
		badQty("0"), badQty("-1"), badQty("-0"), badQty("1.0"), badQty("1e2"), badQty("1E2"), badQty(`"1"`), badQty("null"), badQty("true"),
		badQty("[]"), badQty("9223372036854775808"), badQty("-9223372036854775809"), badQty(long(0) + strings.Repeat("9", 400)),
	}
}

func headerRows() []badRow {
	const body = `{"sku":"shoe","user":"ann"}`
	row := func(name string, status int, code, field string, headers ...string) badRow {
		return badRow{name: name, call: placing, body: body, headers: headers, status: status, code: code, field: field}
	}
	return []badRow{
		row("key missing", 400, "idempotency_key_missing", ""),
		row("two keys", 400, "idempotency_key_invalid", "Idempotency-Key", "Idempotency-Key: k", "Idempotency-Key: k"),
		badKey("too long", long(256)), badKey("with a space", "a b"), badKey("not ASCII", "ä"), badKey("dot", "."), badKey("dot dot", ".."),
		row("no content type", 415, "unsupported_media_type", "", "Idempotency-Key: k", "Content-Type"),
		row("another content type", 415, "unsupported_media_type", "", "Idempotency-Key: k", "Content-Type", "Content-Type: text/plain"),
		row("a form", 415, "unsupported_media_type", "", "Idempotency-Key: k", "Content-Type", "Content-Type: application/x-www-form-urlencoded"),
		row("nearly the content type", 415, "unsupported_media_type", "", "Idempotency-Key: k", "Content-Type", "Content-Type: application/jsonl"),
		row("two content types", 415, "unsupported_media_type", "", "Idempotency-Key: k", "Content-Type: text/plain"),
		row("timeout 0", 400, "invalid_value", "Request-Timeout-Ms", "Idempotency-Key: k", "Request-Timeout-Ms: 0"),
		row("timeout too long", 400, "invalid_value", "Request-Timeout-Ms", "Idempotency-Key: k", "Request-Timeout-Ms: 60001"),
		row("timeout no number", 400, "invalid_value", "Request-Timeout-Ms", "Idempotency-Key: k", "Request-Timeout-Ms: 5s"),
		row("timeout overflows", 400, "invalid_value", "Request-Timeout-Ms", "Idempotency-Key: k", "Request-Timeout-Ms: 18446744073709551617"),
		row("retry unclear", 400, "invalid_value", "Idempotency-Retry", "Idempotency-Key: k", "Idempotency-Retry: yes"),
		{name: "body too large", call: placing, body: `{"sku":"` + long(DefaultMaxBodyBytes) + `"}`, headers: withKey, status: 413, code: "body_too_large"},
		{name: "key of an outcome", call: "GET /v1/skus/shoe/outcomes/a%20b", status: 400, code: "idempotency_key_invalid", field: "key"},
		{name: "key of a fence", call: "POST /v1/skus/shoe/outcomes/" + long(256) + "/fence", status: 400, code: "idempotency_key_invalid", field: "key"},
		{name: "sku of an availability", call: "GET /v1/skus/a%00b/availability", status: 400, code: "invalid_value", field: "sku"},
		{name: "sku not UTF-8", call: "GET /v1/skus/a%FFb/availability", status: 400, code: "invalid_value", field: "sku"},
		{name: "sku too long", call: "GET /v1/skus/" + long(129) + "/availability", status: 400, code: "invalid_value", field: "sku"},
	}
}

func pathRows() []badRow {
	rows := badPaths("bad_path", 400, "GET //v1/skus", "GET /v1//skus", "GET /v1/skus/", "GET /v1/./skus", "GET /v1/../v1/skus",
		"GET /v1/skus/..", "GET /v1/skus/.", "GET /v1/skus/%2e%2e/availability", "GET /v1/skus/%2E/availability", "POST /v1/orders/",
		"GET /readyz/", "GET /v1/orders/../orders", "GET /v1/skus//availability", "GET /nothing/..", "DELETE /v1/skus/../x")
	rows = append(rows, badPaths("route_not_found", 404, "GET /", "GET /v2/orders", "GET /V1/orders", "GET /favicon.ico",
		"GET /v1/orders/a/b/c/d/e/f/g/h",
		"GET /v1%2Forders/x", "BREW /coffee")...)
	return append(rows,
		badRow{name: "an order id no id can be", call: "GET /v1/orders/no-id", status: 404, code: "order_not_found"},
		badRow{name: "an order id with a slash", call: "GET /v1/orders/..%2f..", status: 404, code: "order_not_found"},
		badRow{name: "cancel of no id", call: "POST /v1/orders/" + long(27) + "/cancel", status: 404, code: "order_not_found"},
		badRow{name: "SKUs are not on the public listener", call: "PUT /v1/skus/shoe", status: 404, code: "route_not_found"},
		badRow{name: "metrics are not on the public listener", call: "GET /metrics", status: 404, code: "route_not_found"},
		badRow{name: "profiles are not on the public listener", call: "GET /debug/pprof/heap", status: 404, code: "route_not_found"},
		badRow{name: "orders are not on the admin listener", call: placing, status: 404, code: "route_not_found", admin: true},
		badRow{name: "no such profile", call: "GET /debug/pprof/none", status: 404, code: "route_not_found", admin: true},
	)
}

func callRows() []badRow {
	confirm, giveBack := "POST /v1/orders/"+someID+"/confirm", "POST /v1/orders/"+someID+"/return"
	bad := func(name, call, body, code, field string) badRow {
		return badRow{name: name, call: call, body: body, headers: withKey, status: 400, code: code, field: field}
	}
	adjust := "POST /v1/skus/shoe/adjustments"
	return []badRow{
		bad("confirm without a body", confirm, "", "malformed_json", ""),
		bad("confirm without a payment", confirm, "{}", "missing_field", "payment_id"),
		bad("confirm with an empty payment", confirm, `{"payment_id":""}`, "invalid_value", "payment_id"),
		bad("confirm with a long payment", confirm, `{"payment_id":"`+long(129)+`"}`, "invalid_value", "payment_id"),
		bad("confirm with null", confirm, `{"payment_id":null}`, "invalid_value", "payment_id"),
		bad("cancel with a long reason", "POST /v1/orders/"+someID+"/cancel", `{"reason":"`+long(257)+`"}`, "invalid_value", "reason"),
		bad("cancel with something else", "POST /v1/orders/"+someID+"/cancel", `{"why":"x"}`, "unknown_field", "why"),
		bad("return of nothing", giveBack, `{"qty":0}`, "invalid_value", "qty"),
		bad("return of null", giveBack, `{"qty":null}`, "invalid_value", "qty"),
		bad("return with a text", giveBack, `{"restock":"yes"}`, "invalid_value", "restock"),
		{name: "return without a key", call: giveBack, body: "{}", status: 400, code: "idempotency_key_missing"},
		bad("fence with a body", "POST /v1/skus/shoe/outcomes/k/fence", `{"x":1}`, "unknown_field", "x"),
		badAdmin("freeze with a body", "POST /v1/skus/shoe/freeze", `{"x":1}`, "unknown_field", "x"),
		badAdmin("adjust by nothing", adjust, `{"delta":0,"reason":"r"}`, "invalid_value", "delta"),
		badAdmin("adjust by a fraction", adjust, `{"delta":1.5,"reason":"r"}`, "invalid_value", "delta"),
		badAdmin("adjust beyond all", adjust, `{"delta":9007199254740992,"reason":"r"}`, "invalid_value", "delta"),
		badAdmin("adjust without a reason", adjust, `{"delta":1}`, "missing_field", "reason"),
		badAdmin("adjust without a delta", adjust, `{"reason":"r"}`, "missing_field", "delta"),
		badAdmin("adjust for a long reason", adjust, `{"delta":1,"reason":"`+long(257)+`"}`, "invalid_value", "reason"),
		{name: "adjust without a key", call: adjust, body: `{"delta":1,"reason":"r"}`, status: 400, code: "idempotency_key_missing", admin: true},
	}
}

func skuRows() []badRow {
	const times = "2026-01-01T00:00:00Z"
	return []badRow{
		badAdmin("create without a body", "PUT /v1/skus/cup", "", "malformed_json", ""),
		badAdmin("create without stock", "PUT /v1/skus/cup", "{}", "missing_field", "stock"),
		badAdmin("create with counters", "PUT /v1/skus/cup", `{"stock":5,"held":1}`, "unknown_field", "held"),
		badAdmin("create with a name", "PUT /v1/skus/cup", `{"stock":5,"sku":"cup"}`, "unknown_field", "sku"),
		badAdmin("create under a long name", "PUT /v1/skus/"+long(129), `{"stock":5}`, "invalid_value", "sku"),
		badAdmin("create under a NUL", "PUT /v1/skus/a%00b", `{"stock":5}`, "invalid_value", "sku"),
		badCreate("with stock below 0", `{"stock":-1}`, "stock"),
		badCreate("with too much stock", `{"stock":9007199254740992}`, "stock"),
		badCreate("with null stock", `{"stock":null}`, "stock"),
		badCreate("with a fraction", `{"stock":1.0}`, "stock"),
		badCreate("with another mode", `{"stock":1,"mode":"auction"}`, "mode"),
		badCreate("with a short hold", `{"stock":1,"hold_ttl_ms":0}`, "hold_ttl_ms"),
		badCreate("with a long hold", `{"stock":1,"hold_ttl_ms":31536000001}`, "hold_ttl_ms"),
		badCreate("with a limit below 0", `{"stock":1,"limit_per_user":-1}`, "limit_per_user"),
		badCreate("with max_qty 0", `{"stock":1,"max_qty":0}`, "max_qty"),
		badCreate("that closes before it opens", `{"stock":1,"opens_at":"`+times+`","closes_at":"`+times+`"}`, "closes_at"),
		badCreate("with hot as a number", `{"stock":1,"hot":1}`, "hot"),
		badCreate("with microseconds", `{"stock":1,"opens_at":"2026-01-01T00:00:00.0001Z"}`, "opens_at"),
		badCreate("with no offset", `{"stock":1,"opens_at":"2026-01-01T00:00:00"}`, "opens_at"),
		badCreate("with a space for T", `{"stock":1,"opens_at":"2026-01-01 00:00:00Z"}`, "opens_at"),
		badCreate("with a small z", `{"stock":1,"opens_at":"2026-01-01T00:00:00z"}`, "opens_at"),
		badCreate("with a comma", `{"stock":1,"opens_at":"2026-01-01T00:00:00,5Z"}`, "opens_at"),
		badCreate("with a bare point", `{"stock":1,"opens_at":"2026-01-01T00:00:00.Z"}`, "opens_at"),
		badCreate("with no such day", `{"stock":1,"opens_at":"2026-02-30T00:00:00Z"}`, "opens_at"),
		badCreate("before time began", `{"stock":1,"opens_at":"1970-01-01T00:00:00Z"}`, "opens_at"),
		badCreate("with a number for a time", `{"stock":1,"opens_at":1}`, "opens_at"),
		badPatch("of stock", `{"stock":5}`, "stock"), badPatch("of mode", `{"mode":"hold"}`, "mode"), badPatch("of sku", `{"sku":"x"}`, "sku"),
		badPatch("of a hold to 0", `{"hold_ttl_ms":0}`, "hold_ttl_ms"), badPatch("of max_qty to 0", `{"max_qty":0}`, "max_qty"),
		badPatch("of hot", `{"hot":"yes"}`, "hot"), badPatch("of a limit", `{"limit_per_user":9007199254740992}`, "limit_per_user"),
		badPatch("of both times", `{"opens_at":"2026-01-02T00:00:00Z","closes_at":"2026-01-01T00:00:00Z"}`, "closes_at"),
		badAdmin("patch of a counter", "PATCH /v1/skus/shoe", `{"available":5}`, "unknown_field", "available"),
		badAdmin("patch twice", "PATCH /v1/skus/shoe", `{"hot":null,"hot":true}`, "duplicate_field", "hot"),
		badAdmin("list with limit 0", "GET /v1/skus?limit=0", "", "invalid_value", "limit"),
		badAdmin("list with limit 1001", "GET /v1/skus?limit=1001", "", "invalid_value", "limit"),
		badAdmin("list with two limits", "GET /v1/skus?limit=1&limit=2", "", "invalid_value", "limit"),
		badAdmin("list with a made-up cursor", "GET /v1/skus?cursor=!", "", "invalid_value", "cursor"),
		badAdmin("list with a cursor of a NUL", "GET /v1/skus?cursor=AA", "", "invalid_value", "cursor"),
		badAdmin("list with a broken query", "GET /v1/skus?limit=%zz", "", "invalid_value", "query"),
	}
}

func batchRows() []badRow {
	item := func(item string) string { return `{"orders":[{"key":"a","sku":"shoe","user":"ann"},` + item + `]}` }
	bad := func(name, body, code, field string) badRow {
		return badRow{name: "batch " + name, call: batching, body: body, status: 400, code: code, field: field}
	}
	return []badRow{
		bad("without a body", "", "malformed_json", ""),
		bad("without orders", "{}", "missing_field", "orders"),
		bad("of nothing", `{"orders":[]}`, "invalid_value", "orders"),
		bad("of null", `{"orders":null}`, "invalid_value", "orders"),
		bad("of an object", `{"orders":{}}`, "invalid_value", "orders"),
		bad("of orders twice", `{"orders":[{"key":"a","sku":"shoe","user":"ann"}],"orders":[]}`, "duplicate_field", "orders"),
		bad("of numbers", item("5"), "invalid_value", "orders[1]"),
		bad("cut off", `{"orders":[{"key":"a","sku":"shoe","user":"ann"}`, "malformed_json", ""),
		bad("with a trailing comma", `{"orders":[{"key":"a","sku":"shoe","user":"ann"},]}`, "malformed_json", ""),
		bad("and more", item(`{"key":"b","sku":"shoe","user":"ann"}`)+"]", "malformed_json", ""),
		bad("without a sku", item(`{"key":"b","user":"ann"}`), "missing_field", "orders[1].sku"),
		bad("without a key", item(`{"sku":"shoe","user":"ann"}`), "missing_field", "orders[1].key"),
		bad("with an unknown field", item(`{"key":"b","sku":"shoe","user":"ann","x":1}`), "unknown_field", "orders[1].x"),
		bad("with a field twice", item(`{"key":"b","sku":"shoe","user":"ann","key":"c"}`), "duplicate_field", "orders[1].key"),
		bad("with a text for qty", item(`{"key":"b","sku":"shoe","user":"ann","qty":"1"}`), "invalid_value", "orders[1].qty"),
		bad("with a fraction", item(`{"key":"b","sku":"shoe","user":"ann","qty":1.0}`), "invalid_value", "orders[1].qty"),
		{name: "batch too many", call: batching, status: 413, code: "batch_too_large",
			body: `{"orders":[` + strings.Repeat(`{"key":"a","sku":"shoe","user":"ann"},`, 8192) + `{"key":"a","sku":"shoe","user":"ann"}]}`},
		{name: "batch too long", call: batching, body: long(DefaultMaxBatchBytes + 1), status: 413, code: "body_too_large"},
	}
}

// Every row of bad input gets its own status and code, nothing is executed, and a counter moves.
func TestBadInput(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":5,"max_qty":5}`)
	seen := map[string]bool{}
	for _, rows := range [][]badRow{bodyRows(), headerRows(), pathRows(), callRows(), skuRows(), batchRows()} {
		for _, r := range rows {
			s.badInput(t, r)
			seen[r.code] = true
		}
	}
	for _, code := range []string{"malformed_json", "duplicate_field", "unknown_field", "missing_field", "invalid_value", "idempotency_key_missing",
		"idempotency_key_invalid", "bad_path", "route_not_found", "order_not_found", "body_too_large", "batch_too_large", "unsupported_media_type"} {
		if !seen[code] {
			t.Errorf("no row for %s", code)
		}
	}
}

func (s *shop) badInput(t *testing.T, r badRow) {
	t.Run(r.name, func(t *testing.T) {
		calls, hash, index := s.core.Calls(), s.core.Hash(), s.core.Index()
		problems, requests := s.counter("problems_total", "code", r.code), s.counter("requests_total")
		headers := r.headers
		if r.body == "" && r.code == "malformed_json" {
			headers = append([]string{"Content-Type: application/json"}, headers...)
		}
		do := s.public
		if r.admin {
			do = s.admin
		}
		a := do(r.call, r.body, headers...)
		if a.status != r.status {
			t.Fatalf("status %d, want %d: %s", a.status, r.status, a.body)
		}
		m := a.json(t)
		wantProblem(t, a, m, r.code)
		if got, _ := m["field"].(string); got != r.field {
			t.Errorf("field %q, want %q", got, r.field)
		}
		if r.code == "invalid_value" && m["reason"] == "" {
			t.Errorf("no reason: %s", a.body)
		}
		if s.core.Calls() != calls || s.core.Hash() != hash || s.core.Index() != index {
			t.Error("the core was asked")
		}
		if s.counter("problems_total", "code", r.code) != problems+1 || s.counter("requests_total") != requests+1 {
			t.Error("no counter moved")
		}
		if a.header.Get("Location") != "" {
			t.Error("a redirect")
		}
	})
}

func TestMethods(t *testing.T) {
	s := newShop(t)
	for _, row := range []struct {
		call, allow string
		admin       bool
	}{
		{call: "GET /v1/orders", allow: "POST"},
		{call: "OPTIONS /v1/orders", allow: "POST"},
		{call: "HEAD /v1/orders", allow: "POST"},
		{call: "TRACE /v1/orders", allow: "POST"},
		{call: "post /v1/orders", allow: "POST"},
		{call: "DELETE /v1/orders/" + someID, allow: "GET, HEAD"},
		{call: "PUT /v1/orders/" + someID + "/confirm", allow: "POST"},
		{call: "POST /readyz", allow: "GET, HEAD"},
		{call: "DELETE /v1/skus/shoe", allow: "PUT, PATCH, GET, HEAD", admin: true},
		{call: "POST /v1/skus", allow: "GET, HEAD", admin: true},
		{call: "POST /metrics", allow: "GET, HEAD", admin: true},
	} {
		t.Run(row.call, func(t *testing.T) {
			do := s.public
			if row.admin {
				do = s.admin
			}
			a := do(row.call, "")
			if a.status != 405 || a.header.Get("Allow") != row.allow {
				t.Fatalf("%d, Allow %q, want %q", a.status, a.header.Get("Allow"), row.allow)
			}
			wantProblem(t, a, a.json(t), "method_not_allowed")
			if s.core.Calls() != 0 {
				t.Error("the core was asked")
			}
		})
	}
}

// Bad requests that reach the core: refused by what the core knows, and nothing changes.
func TestRefusedByState(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":5}`)
	id := s.place("k", `{"sku":"shoe","user":"ann"}`)
	s.want(s.public("POST /v1/orders/"+id+"/confirm", `{"payment_id":"p"}`), 200, "")
	unknown := id[:10] + "zzz"
	before := s.admin("GET /v1/skus/shoe", "").body
	for _, row := range []struct {
		call, body, key string
		status          int
		code            string
		admin           bool
	}{
		{placing, `{"sku":"shoe","user":"ann","qty":9223372036854775807}`, "n", 422, "qty_above_max", false},
		{placing, `{"sku":"shoe","user":"eve"}`, "k", 422, "idempotency_key_reused", false},
		{placing, `{"sku":"shoes","user":"ann"}`, "n", 404, "sku_not_found", false},
		{"GET /v1/orders/" + unknown, "", "", 404, "order_not_found", false},
		{"POST /v1/orders/" + unknown + "/cancel", "", "", 404, "order_not_found", false},
		{"POST /v1/orders/" + id + "/return", `{"qty":9223372036854775807}`, "r", 409, "invalid_state", false},
		{"GET /v1/skus/shoes/availability", "", "", 404, "sku_not_found", false},
		{"GET /v1/skus/shoes", "", "", 404, "sku_not_found", true},
		{"PATCH /v1/skus/shoes", "{}", "", 404, "sku_not_found", true},
		{"POST /v1/skus/shoes/freeze", "", "", 404, "sku_not_found", true},
		{"POST /v1/skus/shoe/adjustments", `{"delta":-5,"reason":"x"}`, "a", 409, "insufficient_stock", true},
		{"POST /v1/skus/shoe/adjustments", `{"delta":9007199254740991,"reason":"x"}`, "a", 400, "invalid_value", true},
		{"PUT /v1/skus/shoe", `{"stock":6}`, "", 409, "sku_exists", true},
	} {
		t.Run(row.call+" "+row.code, func(t *testing.T) {
			do, counted := s.public, s.counter("problems_total", "code", row.code)
			if row.admin {
				do = s.admin
			}
			var headers []string
			if row.key != "" {
				headers = []string{"Idempotency-Key: " + row.key}
			}
			a := do(row.call, row.body, headers...)
			if a.status != row.status {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			wantProblem(t, a, a.json(t), row.code)
			if s.counter("problems_total", "code", row.code) != counted+1 {
				t.Error("no counter moved")
			}
			if after := s.admin("GET /v1/skus/shoe", "").body; after != before {
				t.Errorf("it changed\n%s\n%s", before, after)
			}
		})
	}
}
