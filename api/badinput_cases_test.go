package api

import "strings"

const (
	placing  = "POST /v1/orders"
	batching = "POST /v1/orders:batch"
	creating = "PUT /v1/skus/cup"
	patching = "PATCH /v1/skus/shoe"
	someID   = "00000000001"
)

// badCase is one kind of bad input. What it is answered stands in the row of docs/bad-input.md that has its id.
type badCase struct {
	id, call, body string
	headers        []string
	// admin: it is sent to the admin listener; both: to each of them.
	admin, both bool
}

var withKey = []string{"Idempotency-Key: k"}

// long is a text of n bytes.
func long(n int) string { return strings.Repeat("x", n) }

// order is a case of POST /v1/orders with a key.
func order(id, body string) badCase {
	return badCase{id: id, call: placing, body: body, headers: withKey}
}

func ordered(id string, headers ...string) badCase {
	return badCase{id: id, call: placing, body: orderText, headers: headers}
}

func quantity(id, qty string) badCase { return order(id, `{"sku":"shoe","user":"ann","qty":`+qty+`}`) }

// shopper is a case of another call on the public listener, desk of one on the admin listener.
func shopper(id, call, body string) badCase {
	return badCase{id: id, call: call, body: body, headers: withKey}
}

func desk(id, call, body string) badCase {
	return badCase{id: id, call: call, body: body, headers: withKey, admin: true}
}

func batch(id, body string) badCase { return badCase{id: id, call: batching, body: body} }

func anywhere(id, call string) badCase { return badCase{id: id, call: call, both: true} }

func bodyCases() []badCase {
	return []badCase{
		order("empty-body", ""),
		order("spaces", " \n"),
		order("not-json", "hello"),
		order("cut-off", `{"sku":"shoe","user":"an`),
		order("cut-off-after-a-member", `{"sku":"shoe"`),
		order("cut-off-escape", `{"sku":"\u12`),
		order("bad-escape", `{"sku":"\x41","user":"ann"}`),
		order("trailing-comma", `{"sku":"shoe","user":"ann",}`),
		order("leading-comma", `{,"sku":"shoe","user":"ann"}`),
		order("no-colon", `{"sku" "shoe","user":"ann"}`),
		order("single-quotes", `{'sku':'shoe'}`),
		order("comment", `{"sku":"shoe",/* */"user":"ann"}`),
		order("byte-order-mark", "\xEF\xBB\xBF"+`{"sku":"shoe","user":"ann"}`),
		order("second-object", `{"sku":"shoe","user":"ann"}{}`),
		order("trailing-text", `{"sku":"shoe","user":"ann"} x`),
		order("array", `[]`),
		order("null-body", `null`),
		order("string-body", `"x"`),
		order("number-body", `1`),
		order("nan", `{"sku":"shoe","user":"ann","qty":NaN}`),
		order("infinity", `{"sku":"shoe","user":"ann","qty":Infinity}`),
		order("plus-sign", `{"sku":"shoe","user":"ann","qty":+1}`),
		order("leading-zero", `{"sku":"shoe","user":"ann","qty":01}`),
		order("lone-minus", `{"sku":"shoe","user":"ann","qty":-}`),
		order("half-a-literal", `{"sku":"shoe","user":"ann","qty":nul}`),
		order("invalid-utf-8", `{"sku":"sh`+"\xFF"+`oe","user":"ann"}`),
		order("overlong-utf-8", `{"sku":"sh`+"\xC0\xAF"+`oe","user":"ann"}`),
		order("raw-nul", "{\"sku\":\"sh\x00oe\",\"user\":\"ann\"}"),
		order("raw-line-feed", "{\"sku\":\"sh\noe\",\"user\":\"ann\"}"),
		order("deep-nesting", `{"sku":`+strings.Repeat("[", 30_000)+`}`),
		order("nul", `{"sku":"sh\u0000oe","user":"ann"}`),
		order("c1-control", `{"sku":"shoe","user":"a\u0085nn"}`),
		order("del", "{\"sku\":\"shoe\",\"user\":\"a\x7Fnn\"}"),
		order("lone-surrogate", `{"sku":"sh\ud800oe","user":"ann"}`),
		order("surrogates-the-wrong-way-round", `{"sku":"sh\udc00\ud800oe","user":"ann"}`),
		order("duplicate-field", `{"sku":"shoe","user":"ann","sku":"shoe"}`),
		order("duplicate-field-escaped", `{"sku":"shoe","user":"ann","s\u006bu":"shoe"}`),
		order("unknown-field", `{"sku":"shoe","user":"ann","price":1}`),
		order("wrong-case", `{"SKU":"shoe","user":"ann"}`),
		order("key-in-the-body", `{"sku":"shoe","user":"ann","key":"k"}`),
		order("a-name-of-a-megabyte", `{"`+long(60_000)+`":1}`),
		order("sku-missing", `{"user":"ann"}`),
		order("user-missing", `{"sku":"shoe"}`),
		order("empty-object", `{}`),
		order("null-sku", `{"sku":null,"user":"ann"}`),
		order("null-client-ref", `{"sku":"shoe","user":"ann","client_ref":null}`),
		order("number-for-sku", `{"sku":7,"user":"ann"}`),
		order("object-for-user", `{"sku":"shoe","user":{}}`),
		order("sku-empty", `{"sku":"","user":"ann"}`),
		order("sku-too-long", `{"sku":"`+long(129)+`","user":"ann"}`),
		order("sku-dot", `{"sku":".","user":"ann"}`),
		order("sku-dot-dot", `{"sku":"..","user":"ann"}`),
		order("user-empty", `{"sku":"shoe","user":""}`),
		order("user-too-long", `{"sku":"shoe","user":"`+long(129)+`"}`),
		order("client-ref-too-long", `{"sku":"shoe","user":"ann","client_ref":"`+long(129)+`"}`),
	}
}

func quantityCases() []badCase {
	return []badCase{
		quantity("qty-0", "0"), quantity("qty-minus-1", "-1"), quantity("qty-minus-0", "-0"), quantity("qty-fraction", "1.0"),
		quantity("qty-exponent", "1e2"), quantity("qty-capital-exponent", "1E2"), quantity("qty-text", `"1"`), quantity("qty-null", "null"),
		quantity("qty-true", "true"), quantity("qty-array", "[]"), quantity("qty-beyond-int64", "9223372036854775808"),
		quantity("qty-below-int64", "-9223372036854775809"), quantity("qty-400-digits", strings.Repeat("9", 400)),
	}
}

func headerCases() []badCase {
	return []badCase{
		ordered("key-missing"),
		ordered("two-keys", "Idempotency-Key: k", "Idempotency-Key: k"),
		ordered("key-too-long", "Idempotency-Key: "+long(256)),
		ordered("key-with-a-space", "Idempotency-Key: a b"),
		ordered("key-not-ascii", "Idempotency-Key: ä"),
		ordered("key-dot", "Idempotency-Key: ."),
		ordered("key-dot-dot", "Idempotency-Key: .."),
		ordered("no-content-type", "Idempotency-Key: k", "Content-Type"),
		ordered("another-content-type", "Idempotency-Key: k", "Content-Type", "Content-Type: text/plain"),
		ordered("a-form", "Idempotency-Key: k", "Content-Type", "Content-Type: application/x-www-form-urlencoded"),
		ordered("nearly-the-content-type", "Idempotency-Key: k", "Content-Type", "Content-Type: application/jsonl"),
		ordered("two-content-types", "Idempotency-Key: k", "Content-Type: text/plain"),
		ordered("timeout-0", "Idempotency-Key: k", "Request-Timeout-Ms: 0"),
		ordered("timeout-too-long", "Idempotency-Key: k", "Request-Timeout-Ms: 60001"),
		ordered("timeout-no-number", "Idempotency-Key: k", "Request-Timeout-Ms: 5s"),
		ordered("timeout-overflows", "Idempotency-Key: k", "Request-Timeout-Ms: 18446744073709551617"),
		ordered("retry-unclear", "Idempotency-Key: k", "Idempotency-Retry: yes"),
		order("body-too-large", `{"sku":"`+long(DefaultMaxBodyBytes)+`"}`),
		{id: "key-of-an-outcome", call: "GET /v1/skus/shoe/outcomes/a%20b"},
		{id: "key-of-a-fence", call: "POST /v1/skus/shoe/outcomes/" + long(256) + "/fence"},
		{id: "sku-of-an-availability", call: "GET /v1/skus/a%00b/availability"},
		{id: "sku-not-utf-8", call: "GET /v1/skus/a%FFb/availability"},
		{id: "sku-of-an-availability-too-long", call: "GET /v1/skus/" + long(129) + "/availability"},
	}
}

func pathCases() []badCase {
	return []badCase{
		anywhere("path-begins-empty", "GET //v1/skus"),
		anywhere("path-empty-segment", "GET /v1//skus"),
		anywhere("path-ends-empty", "GET /v1/skus/"),
		anywhere("path-dot", "GET /v1/./skus"),
		anywhere("path-dots", "GET /v1/../v1/skus"),
		anywhere("path-ends-in-dots", "GET /v1/skus/.."),
		anywhere("path-ends-in-dot", "GET /v1/skus/."),
		anywhere("path-dots-encoded", "GET /v1/skus/%2e%2e/availability"),
		anywhere("path-dot-encoded", "GET /v1/skus/%2E/availability"),
		anywhere("path-no-order-id", "POST /v1/orders/"),
		anywhere("path-probe-slash", "GET /readyz/"),
		anywhere("path-dots-in-orders", "GET /v1/orders/../orders"),
		anywhere("path-no-sku", "GET /v1/skus//availability"),
		anywhere("path-dots-of-nothing", "GET /nothing/.."),
		anywhere("path-dots-another-method", "DELETE /v1/skus/../x"),
		anywhere("route-root", "GET /"),
		anywhere("route-version", "GET /v2/orders"),
		anywhere("route-case", "GET /V1/orders"),
		anywhere("route-icon", "GET /favicon.ico"),
		anywhere("route-long", "GET /v1/orders/a/b/c/d/e/f/g/h"),
		anywhere("route-encoded-slash", "GET /v1%2Forders/x"),
		anywhere("route-method-too", "BREW /coffee"),
		shopper("an-order-id-no-id-can-be", "GET /v1/orders/no-id", ""),
		shopper("an-order-id-with-a-slash", "GET /v1/orders/..%2f..", ""),
		shopper("cancel-of-no-id", "POST /v1/orders/"+long(27)+"/cancel", ""),
		shopper("skus-are-not-on-the-public-listener", "PUT /v1/skus/shoe", ""),
		shopper("metrics-are-not-on-the-public-listener", "GET /metrics", ""),
		shopper("profiles-are-not-on-the-public-listener", "GET /debug/pprof/heap", ""),
		desk("orders-are-not-on-the-admin-listener", placing, ""),
		desk("no-such-profile", "GET /debug/pprof/none", ""),
	}
}

func methodCases() []badCase {
	return []badCase{
		shopper("method-get-orders", "GET /v1/orders", ""),
		shopper("method-options", "OPTIONS /v1/orders", ""),
		shopper("method-head-orders", "HEAD /v1/orders", ""),
		shopper("method-trace", "TRACE /v1/orders", ""),
		shopper("method-small", "post /v1/orders", ""),
		shopper("method-delete-order", "DELETE /v1/orders/"+someID, ""),
		shopper("method-put-confirm", "PUT /v1/orders/"+someID+"/confirm", ""),
		shopper("method-post-probe", "POST /readyz", ""),
		desk("method-delete-sku", "DELETE /v1/skus/shoe", ""),
		desk("method-post-skus", "POST /v1/skus", ""),
		desk("method-post-metrics", "POST /metrics", ""),
	}
}

func callCases() []badCase {
	const confirm, giveBack, adjust = "POST /v1/orders/" + someID + "/confirm", "POST /v1/orders/" + someID + "/return", "POST /v1/skus/shoe/adjustments"
	return []badCase{
		shopper("confirm-without-a-body", confirm, ""),
		shopper("confirm-without-a-payment", confirm, "{}"),
		shopper("confirm-with-an-empty-payment", confirm, `{"payment_id":""}`),
		shopper("confirm-with-a-long-payment", confirm, `{"payment_id":"`+long(129)+`"}`),
		shopper("confirm-with-null", confirm, `{"payment_id":null}`),
		shopper("cancel-with-a-long-reason", "POST /v1/orders/"+someID+"/cancel", `{"reason":"`+long(257)+`"}`),
		shopper("cancel-with-something-else", "POST /v1/orders/"+someID+"/cancel", `{"why":"x"}`),
		shopper("return-of-nothing", giveBack, `{"qty":0}`),
		shopper("return-of-null", giveBack, `{"qty":null}`),
		shopper("return-with-a-text", giveBack, `{"restock":"yes"}`),
		shopper("fence-with-a-body", "POST /v1/skus/shoe/outcomes/k/fence", `{"x":1}`),
		desk("freeze-with-a-body", "POST /v1/skus/shoe/freeze", `{"x":1}`),
		desk("adjust-by-nothing", adjust, `{"delta":0,"reason":"r"}`),
		desk("adjust-by-a-fraction", adjust, `{"delta":1.5,"reason":"r"}`),
		desk("adjust-beyond-all", adjust, `{"delta":9007199254740992,"reason":"r"}`),
		desk("adjust-without-a-reason", adjust, `{"delta":1}`),
		desk("adjust-without-a-delta", adjust, `{"reason":"r"}`),
		desk("adjust-for-a-long-reason", adjust, `{"delta":1,"reason":"`+long(257)+`"}`),
		{id: "return-without-a-key", call: giveBack, body: "{}"},
		{id: "adjust-without-a-key", call: adjust, body: `{"delta":1,"reason":"r"}`, admin: true},
	}
}

func skuCases() []badCase {
	const times = "2026-01-01T00:00:00Z"
	return []badCase{
		desk("create-without-a-body", creating, ""),
		desk("create-without-stock", creating, "{}"),
		desk("create-with-counters", creating, `{"stock":5,"held":1}`),
		desk("create-with-a-name", creating, `{"stock":5,"sku":"cup"}`),
		desk("create-under-a-long-name", "PUT /v1/skus/"+long(129), `{"stock":5}`),
		desk("create-under-a-nul", "PUT /v1/skus/a%00b", `{"stock":5}`),
		desk("create-with-stock-below-0", creating, `{"stock":-1}`),
		desk("create-with-too-much-stock", creating, `{"stock":9007199254740992}`),
		desk("create-with-null-stock", creating, `{"stock":null}`),
		desk("create-with-a-fraction", creating, `{"stock":1.0}`),
		desk("create-with-another-mode", creating, `{"stock":1,"mode":"auction"}`),
		desk("create-with-a-short-hold", creating, `{"stock":1,"hold_ttl_ms":0}`),
		desk("create-with-a-long-hold", creating, `{"stock":1,"hold_ttl_ms":31536000001}`),
		desk("create-with-a-limit-below-0", creating, `{"stock":1,"limit_per_user":-1}`),
		desk("create-with-max-qty-0", creating, `{"stock":1,"max_qty":0}`),
		desk("create-that-closes-before-it-opens", creating, `{"stock":1,"opens_at":"`+times+`","closes_at":"`+times+`"}`),
		desk("create-with-hot-as-a-number", creating, `{"stock":1,"hot":1}`),
		desk("create-with-microseconds", creating, `{"stock":1,"opens_at":"2026-01-01T00:00:00.0001Z"}`),
		desk("create-with-no-offset", creating, `{"stock":1,"opens_at":"2026-01-01T00:00:00"}`),
		desk("create-with-a-space-for-t", creating, `{"stock":1,"opens_at":"2026-01-01 00:00:00Z"}`),
		desk("create-with-a-small-z", creating, `{"stock":1,"opens_at":"2026-01-01T00:00:00z"}`),
		desk("create-with-a-comma", creating, `{"stock":1,"opens_at":"2026-01-01T00:00:00,5Z"}`),
		desk("create-with-a-bare-point", creating, `{"stock":1,"opens_at":"2026-01-01T00:00:00.Z"}`),
		desk("create-with-no-such-day", creating, `{"stock":1,"opens_at":"2026-02-30T00:00:00Z"}`),
		desk("create-before-time-began", creating, `{"stock":1,"opens_at":"1970-01-01T00:00:00Z"}`),
		desk("create-with-a-number-for-a-time", creating, `{"stock":1,"opens_at":1}`),
		desk("patch-of-stock", patching, `{"stock":5}`),
		desk("patch-of-mode", patching, `{"mode":"hold"}`),
		desk("patch-of-sku", patching, `{"sku":"x"}`),
		desk("patch-of-a-hold-to-0", patching, `{"hold_ttl_ms":0}`),
		desk("patch-of-max-qty-to-0", patching, `{"max_qty":0}`),
		desk("patch-of-hot", patching, `{"hot":"yes"}`),
		desk("patch-of-a-limit", patching, `{"limit_per_user":9007199254740992}`),
		desk("patch-of-both-times", patching, `{"opens_at":"2026-01-02T00:00:00Z","closes_at":"2026-01-01T00:00:00Z"}`),
		desk("patch-of-a-counter", patching, `{"available":5}`),
		desk("patch-twice", patching, `{"hot":null,"hot":true}`),
		desk("list-with-limit-0", "GET /v1/skus?limit=0", ""),
		desk("list-with-limit-1001", "GET /v1/skus?limit=1001", ""),
		desk("list-with-two-limits", "GET /v1/skus?limit=1&limit=2", ""),
		desk("list-with-a-made-up-cursor", "GET /v1/skus?cursor=!", ""),
		desk("list-with-a-cursor-of-a-nul", "GET /v1/skus?cursor=AA", ""),
		desk("list-with-a-broken-query", "GET /v1/skus?limit=%zz", ""),
	}
}

func clusterCases() []badCase {
	return []badCase{
		shopper("cluster-on-the-public-listener", "GET /v1/cluster", ""),
		desk("cluster-posted", "POST /v1/cluster", `{}`),
		desk("cluster-nodes-read", "GET /v1/cluster/nodes", ""),
		desk("cluster-node-patched", "PATCH /v1/cluster/nodes/n1", `{}`),
		desk("cluster-backup-read", "GET /v1/backup", ""),
		desk("add-without-a-body", "POST /v1/cluster/nodes", ""),
		desk("add-without-an-id", "POST /v1/cluster/nodes", `{"peer":"a:1"}`),
		desk("add-without-a-peer", "POST /v1/cluster/nodes", `{"id":"n4"}`),
		desk("add-under-no-id", "POST /v1/cluster/nodes", `{"id":"","peer":"a:1"}`),
		desk("add-under-a-number", "POST /v1/cluster/nodes", `{"id":4,"peer":"a:1"}`),
		desk("add-with-a-nul", "POST /v1/cluster/nodes", `{"id":"n4","peer":"a\u0000:1"}`),
		desk("add-with-votes", "POST /v1/cluster/nodes", `{"id":"n4","peer":"a:1","voter":true}`),
		desk("add-and-perhaps-not", "POST /v1/cluster/nodes?dry_run=maybe", `{"id":"n4","peer":"a:1"}`),
		desk("remove-and-perhaps-not", "DELETE /v1/cluster/nodes/n1?dry_run=1", ""),
		desk("remove-no-id", "DELETE /v1/cluster/nodes/a%00b", ""),
		desk("remove-nobody", "DELETE /v1/cluster/nodes/", ""),
		desk("transfer-of-no-number", "POST /v1/cluster/shards/one/transfer", ""),
		desk("transfer-of-a-huge-number", "POST /v1/cluster/shards/4294967296/transfer", ""),
		desk("transfer-to-nobody", "POST /v1/cluster/shards/1/transfer", `{"to":""}`),
		desk("transfer-to-null", "POST /v1/cluster/shards/1/transfer", `{"to":null}`),
		desk("transfer-by-force", "POST /v1/cluster/shards/1/transfer", `{"force":true}`),
		desk("snapshot-with-a-body", "POST /v1/cluster/shards/1/snapshot", `{"x":1}`),
		desk("rebuild-nowhere", "POST /v1/cluster/shards/1/rebuild", `{}`),
		desk("balance-with-a-body", "POST /v1/cluster/balance", `{"x":1}`),
		desk("abort-of-no-id", "DELETE /v1/cluster/changes/a%00b", ""),
		desk("backup-with-a-body", "POST /v1/backup", `{"shard":1}`),
		desk("settings-without-a-body", "PATCH /v1/cluster/settings", ""),
		desk("settings-of-a-minute", "PATCH /v1/cluster/settings", `{"retention_ms":60000}`),
		desk("settings-of-nothing-open", "PATCH /v1/cluster/settings", `{"max_open_orders_per_sku":0}`),
		desk("settings-of-65-nodes", "PATCH /v1/cluster/settings", `{"max_nodes":65}`),
		desk("settings-in-words", "PATCH /v1/cluster/settings", `{"retention_ms":"1h"}`),
		desk("settings-of-shards", "PATCH /v1/cluster/settings", `{"shards":8}`),
		desk("settings-twice", "PATCH /v1/cluster/settings", `{"max_nodes":5,"max_nodes":7}`),
	}
}

func batchCases() []badCase {
	item := func(item string) string { return `{"orders":[{"key":"a","sku":"shoe","user":"ann"},` + item + `]}` }
	return []badCase{
		batch("batch-without-a-body", ""),
		batch("batch-without-orders", "{}"),
		batch("batch-of-nothing", `{"orders":[]}`),
		batch("batch-of-null", `{"orders":null}`),
		batch("batch-of-an-object", `{"orders":{}}`),
		batch("batch-of-orders-twice", `{"orders":[{"key":"a","sku":"shoe","user":"ann"}],"orders":[]}`),
		batch("batch-of-numbers", item("5")),
		batch("batch-cut-off", `{"orders":[{"key":"a","sku":"shoe","user":"ann"}`),
		batch("batch-with-a-trailing-comma", `{"orders":[{"key":"a","sku":"shoe","user":"ann"},]}`),
		batch("batch-and-more", item(`{"key":"b","sku":"shoe","user":"ann"}`)+"]"),
		batch("batch-without-a-sku", item(`{"key":"b","user":"ann"}`)),
		batch("batch-without-a-key", item(`{"sku":"shoe","user":"ann"}`)),
		batch("batch-with-an-unknown-field", item(`{"key":"b","sku":"shoe","user":"ann","x":1}`)),
		batch("batch-with-a-field-twice", item(`{"key":"b","sku":"shoe","user":"ann","key":"c"}`)),
		batch("batch-with-a-text-for-qty", item(`{"key":"b","sku":"shoe","user":"ann","qty":"1"}`)),
		batch("batch-with-a-fraction", item(`{"key":"b","sku":"shoe","user":"ann","qty":1.0}`)),
		batch("batch-too-many", `{"orders":[`+strings.Repeat(`{"key":"a","sku":"shoe","user":"ann"},`, 8192)+`{"key":"a","sku":"shoe","user":"ann"}]}`),
		batch("batch-too-long", long(DefaultMaxBatchBytes+1)),
	}
}
