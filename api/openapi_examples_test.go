package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// scene is one request of the document's story: what it sends, if anything, and what comes back are the examples of its operation.
type scene struct {
	call, path string
	headers    []string
	status     int
	// silent: the document has no example of the answer, or shows that of another request.
	silent bool
}

func story() []scene {
	const sku, order = "/v1/skus/sneaker", "/v1/orders/" + exampleID
	const second = "/v1/orders/" + exampleSecondID
	key := func(k string) []string { return []string{"Idempotency-Key: " + k} }
	return []scene{
		{call: "PUT /v1/skus/{sku}", path: sku, status: 201},
		{call: "PUT /v1/skus/{sku}", path: sku, status: 200},
		{call: "GET /v1/skus/{sku}", path: sku, status: 200},
		{call: "GET /v1/skus", path: "/v1/skus?limit=100&cursor=", status: 200},
		{call: "POST /v1/orders", path: "/v1/orders", headers: key("cart-7"), status: 201},
		{call: "POST /v1/orders", path: "/v1/orders", headers: key("cart-7"), status: 201},
		{call: "GET /v1/orders/{id}", path: order, status: 200},
		{call: "GET /v1/skus/{sku}/outcomes/{key}", path: sku + "/outcomes/cart-7", status: 200},
		{call: "GET /v1/skus/{sku}/availability", path: sku + "/availability", status: 200},
		{call: "GET /v1/skus/{sku}/availability", path: sku + "/availability", headers: []string{"If-None-Match: *"}, status: 304, silent: true},
		{call: "POST /v1/orders/{id}/confirm", path: order + "/confirm", status: 200},
		{call: "POST /v1/orders/{id}/return", path: order + "/return", headers: key("back-1"), status: 200},
		{call: "POST /v1/orders:batch", path: "/v1/orders:batch", status: 200},
		{call: "POST /v1/orders/{id}/cancel", path: second + "/cancel", status: 200},
		{call: "POST /v1/skus/{sku}/outcomes/{key}/fence", path: sku + "/outcomes/cart-10/fence", status: 200},
		{call: "PATCH /v1/skus/{sku}", path: sku, status: 200},
		{call: "POST /v1/skus/{sku}/adjustments", path: sku + "/adjustments", headers: key("found-1"), status: 200},
		{call: "POST /v1/skus/{sku}/freeze", path: sku + "/freeze", status: 200},
		{call: "POST /v1/skus/{sku}/unfreeze", path: sku + "/unfreeze", status: 200},
		{call: "GET /v1/cluster", path: "/v1/cluster", status: 200},
		{call: "GET /v1/cluster/shards", path: "/v1/cluster/shards", status: 200, silent: true},
		{call: "PATCH /v1/cluster/settings", path: "/v1/cluster/settings", status: 200},
		{call: "POST /v1/cluster/nodes", path: "/v1/cluster/nodes?dry_run=true", status: 200, silent: true},
		{call: "POST /v1/cluster/nodes", path: "/v1/cluster/nodes", status: 202},
		{call: "DELETE /v1/cluster/changes/{change}", path: "/v1/cluster/changes/c1", status: 200},
		{call: "DELETE /v1/cluster/nodes/{node}", path: "/v1/cluster/nodes/n3?dry_run=true", status: 200, silent: true},
		{call: "DELETE /v1/cluster/nodes/{node}", path: "/v1/cluster/nodes/n3", status: 202},
		{call: "DELETE /v1/cluster/changes/{change}", path: "/v1/cluster/changes/c2", status: 200, silent: true},
		{call: "POST /v1/cluster/balance", path: "/v1/cluster/balance?dry_run=true", status: 200, silent: true},
		{call: "POST /v1/cluster/balance", path: "/v1/cluster/balance", status: 202},
		{call: "DELETE /v1/cluster/changes/{change}", path: "/v1/cluster/changes/c3", status: 200, silent: true},
		{call: "POST /v1/cluster/shards/{shard}/rebuild", path: "/v1/cluster/shards/1/rebuild?dry_run=true", status: 200, silent: true},
		{call: "POST /v1/cluster/shards/{shard}/rebuild", path: "/v1/cluster/shards/1/rebuild", status: 202},
		{call: "POST /v1/cluster/shards/{shard}/transfer", path: "/v1/cluster/shards/1/transfer", status: 200},
		{call: "POST /v1/cluster/shards/{shard}/snapshot", path: "/v1/cluster/shards/1/snapshot", status: 200},
		{call: "POST /v1/backup", path: "/v1/backup", status: 200, silent: true},
		{call: "GET /livez", path: "/livez", status: 200},
		{call: "GET /readyz", path: "/readyz", status: 200},
		{call: "GET /version", path: "/version", status: 200, silent: true},
		{call: "GET /openapi.json", path: "/openapi.json", status: 200, silent: true},
		{call: "GET /openapi.json", path: "/openapi.json", headers: []string{"If-None-Match: *"}, status: 304, silent: true},
		{call: "GET /metrics", path: "/metrics", status: 200, silent: true},
		{call: "GET /debug/pprof/{profile}", path: "/debug/pprof/heap?debug=1", status: 200, silent: true},
	}
}

// The examples of the document are the requests and the answers of one story on a fresh node, and every answer that the document knows,
// problems apart, comes up in it.
func TestExamplesAreReal(t *testing.T) {
	s := newShop(t)
	j := judgeOf(t, s.server.admin)
	seen, shown := map[string]bool{}, 0
	for _, row := range story() {
		method, template, _ := strings.Cut(row.call, " ")
		name := fmt.Sprintf("%s %d", row.call, row.status)
		sent, place := j.at("#/paths", template, strings.ToLower(method), "requestBody", "content", "application/json")
		body := exampleIn(t, sent)
		if body != "" {
			if err := j.validJSON(place+"/schema", body); err != nil {
				t.Errorf("%s: the example of the request: %v", name, err)
			}
		}
		do := s.public
		if rt, _ := s.server.public.find(mustRequest(t, method, row.path), new([2]string)); rt == nil {
			do = s.admin
		}
		a := do(method+" "+row.path, body, append([]string{"X-Request-Id: " + exampleRequest}, row.headers...)...)
		if a.status != row.status {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		answered, _ := j.at("#/paths", template, strings.ToLower(method), "responses", fmt.Sprint(row.status), "content", "application/json")
		if want := exampleIn(t, answered); want != "" && !row.silent {
			shown++
			if want != sorted(t, a.body) {
				t.Errorf("%s: the example is\n%s\nand the answer\n%s", name, want, a.body)
			}
		} else if !row.silent {
			t.Errorf("%s: no example: %s", name, a.body)
		}
		seen[name] = true
	}
	documented := 0
	for call, c := range calls {
		for _, a := range c.answers {
			documented++
			if !seen[fmt.Sprintf("%s %d", call, a.status)] {
				t.Errorf("%s %d does not come up", call, a.status)
			}
		}
	}
	if documented < 25 || shown < 20 {
		t.Errorf("%d answers are documented and %d shown", documented, shown)
	}
}

func mustRequest(t testing.TB, method, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// exampleIn returns the example of a body, with its members in the order of their names.
func exampleIn(t testing.TB, media map[string]any) string {
	t.Helper()
	value, ok := media["example"]
	if !ok {
		return ""
	}
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sorted is a JSON text with its members in the order of their names.
func sorted(t testing.TB, text string) string {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return exampleIn(t, map[string]any{"example": value})
}
