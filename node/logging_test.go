package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/api"
	"holdfast/internal/logtest"
)

const (
	aTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	aKey   = "hf_0123456789012345678901234567890123456789012"
)

// teller makes calls with a marker in every place that takes something of the caller's.
type teller struct {
	t *testing.T
	n *Node
}

func (c *teller) ask(call, body string, headers ...string) (status int, answer string) {
	c.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	addr := c.n.Addrs().HTTP
	if rest, admin := strings.CutPrefix(path, "admin"); admin {
		addr, path = c.n.Addrs().Admin, rest
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+aKey)
	r.Header.Set("X-Request-Id", "the-id")
	r.Header.Set("Traceparent", "00-"+aTrace+"-00f067aa0ba902b7-01")
	for _, name := range []string{"User-Agent", "Referer", "Cookie", "Tracestate", "Baggage", "X-Forwarded-For", "X-Marker"} {
		r.Header.Set(name, "marker=marker")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func keyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

var orderID = regexp.MustCompile(`"id":"([0-9A-Za-z]+)"`)

// sweep makes every call, in order and out of order, and returns the ids of the orders.
func (c *teller) sweep() (ids []string) {
	c.t.Helper()
	const order = `{"sku":"marker-sku","user":"marker-user","client_ref":"marker-ref"}`
	c.ask("PUT admin/v1/skus/marker-sku", `{"stock":5,"hot":true}`)
	for _, key := range []string{"marker-1", "marker-2"} {
		_, answer := c.ask("POST /v1/orders", order, "Idempotency-Key: "+key)
		if m := orderID.FindStringSubmatch(answer); m != nil {
			ids = append(ids, m[1])
		}
	}
	if len(ids) != 2 {
		c.t.Fatal("no orders")
	}
	for _, call := range [][2]string{
		{"POST /v1/orders:batch", `{"orders":[{"key":"marker-3","sku":"marker-sku","user":"marker-user"},{"key":"marker","sku":"marker-none","user":"m"}]}`},
		{"GET /v1/orders/" + ids[0], ""}, {"POST /v1/orders/" + ids[0] + "/confirm", `{"payment_id":"marker-payment"}`},
		{"POST /v1/orders/" + ids[0] + "/confirm", `{"payment_id":"marker-other"}`}, {"POST /v1/orders/" + ids[1] + "/cancel", `{"reason":"marker"}`},
		{"POST /v1/orders/" + ids[0] + "/return", `{"qty":1}`}, {"GET /v1/skus/marker-sku/outcomes/marker-1", ""},
		{"POST /v1/skus/marker-sku/outcomes/marker-9/fence", ""}, {"GET /v1/skus/marker-sku/availability", ""},
		{"GET admin/v1/skus?cursor=marker", ""}, {"GET admin/v1/skus/marker-sku", ""}, {"PATCH admin/v1/skus/marker-sku", `{"hot":false,"max_qty":2}`},
		{"POST admin/v1/skus/marker-sku/adjustments", `{"delta":1,"reason":"marker"}`}, {"POST admin/v1/skus/marker-sku/freeze", ""},
		{"POST admin/v1/skus/marker-sku/unfreeze", ""}, {"GET admin/metrics", ""}, {"GET /readyz?marker", ""},
		// What is wrong with a request is not repeated either.
		{"POST /v1/orders", `{"sku":"marker-sku","marker":1}`}, {"POST /v1/orders", `marker`}, {"POST /v1/orders", `{"sku":7,"user":"marker"}`},
		{"GET /v1/marker/marker", ""}, {"DELETE /v1/orders/marker", ""}, {"MARKER /v1/orders/marker", ""}, {"GET /v1/skus/marker%0Ax/availability", ""},
		{"PUT admin/v1/skus/marker-x", `{"stock":-1,"mode":"marker"}`}, {"POST /v1/orders/marker/confirm", `{"payment_id":"marker"}`},
	} {
		c.ask(call[0], call[1], "Idempotency-Key: marker-key-"+call[0][:3])
	}
	c.ask("GET /v1/skus/marker-sku/availability", "", "Authorization: Bearer marker-key")
	c.ask("GET /livez", "", "Traceparent: marker", "X-Request-Id: "+strings.Repeat("marker", 30))
	return ids
}

// Nothing that a caller sent is in the log at its most talkative, and every line of it is a record; requests carry their names.
func TestNothingOfACallerIsLogged(t *testing.T) {
	var log logtest.Journal
	dir := t.TempDir()
	cfg := config(filepath.Join(dir, "node"))
	cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.RequestLog = api.RequestLog{Which: api.LogAll, PerSecond: 1000, Slow: 1}
	hash := keyHash("of another")
	keys := filepath.Join(dir, "keys.yaml")
	if err := os.WriteFile(keys, []byte("- {name: ops, role: admin, sha256: "+keyHash(aKey)+"}\n- {name: old, role: order, sha256: "+hash+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Access.APIKeys = keys
	n := open(t, cfg)
	c := &teller{t, n}
	ids := c.sweep()
	if err := n.Reload(); err != nil {
		t.Error(err)
	}
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	for _, secret := range append(ids, "marker", "MARKER", aKey, aKey[3:20], hash) {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%q is in the log: ...%s...", secret, text[max(0, at-200):min(len(text), at+100)])
		}
	}
	requests := 0
	for line := range strings.Lines(text) {
		var r struct {
			Time, Level, Msg, Route, Caller string
			RequestID                       string `json:"request_id"`
			TraceID                         string `json:"trace_id"`
			SpanID                          string `json:"span_id"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Time == "" || r.Level == "" || r.Msg == "" {
			t.Errorf("%v: %s", err, line)
		}
		if r.Msg != "request" {
			continue
		}
		requests++
		if r.RequestID == "" || len(r.TraceID) != 32 || len(r.SpanID) != 16 || r.Route == "" {
			t.Errorf("%s", line)
		}
		if r.RequestID == "the-id" && r.TraceID != aTrace {
			t.Errorf("not the caller's trace: %s", line)
		}
	}
	if requests < 30 || !strings.Contains(text, `"caller":"ops"`) || !strings.Contains(text, `"route":"POST /v1/orders/{id}/confirm"`) {
		t.Errorf("%d requests in\n%s", requests, text)
	}
}
