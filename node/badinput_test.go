package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/internal/badinputtest"
)

// store is a node with a SKU for each state that refuses something, and the orders that are refused something.
type store struct {
	*Node
	t      testing.TB
	client *client.Client
	// ids of orders by their key
	ids map[string]string
}

func openStore(t *testing.T) *store {
	s := &store{Node: open(t, config(t.TempDir())), t: t, ids: map[string]string{}}
	s.client = s.Node.client(t)
	hour := func(n int) *time.Time {
		at := time.Now().Add(time.Duration(n) * time.Hour).Truncate(time.Second)
		return &at
	}
	for _, spec := range []client.SKUSpec{
		{SKU: "shoe", Stock: 1000, MaxQty: 2}, {SKU: "early", Stock: 5, OpensAt: hour(1)}, {SKU: "late", Stock: 5, ClosesAt: hour(-1)},
		{SKU: "ice", Stock: 5}, {SKU: "one-each", Stock: 5, LimitPerUser: 1}, {SKU: "sold", Stock: 1, Mode: "on_order"},
		{SKU: "held", Stock: 1}, {SKU: "few", Stock: 1, MaxQty: 9}, {SKU: "short", Stock: 5, HoldTTLMS: 1}, {SKU: "full", Stock: 9007199254740991},
	} {
		if _, err := s.client.CreateSKU(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	for key, sku := range map[string]string{"open": "shoe", "paid": "shoe", "dropped": "shoe", "one": "one-each", "gone": "sold", "taken": "held", "due": "short"} {
		placed, err := s.client.PlaceOrder(t.Context(), key, client.NewOrder{SKU: sku, User: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		s.ids[key] = placed.ID
	}
	_, paid := s.client.Confirm(t.Context(), s.ids["paid"], "p1")
	_, dropped := s.client.Cancel(t.Context(), s.ids["dropped"], "")
	_, frozen := s.client.Freeze(t.Context(), "ice")
	_, fenced := s.client.Fence(t.Context(), "shoe", "never")
	for _, err := range []error{paid, dropped, frozen, fenced} {
		if err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the short hold is over", func() bool {
		o, err := s.client.Order(t.Context(), s.ids["due"])
		return err == nil && o.State == "expired"
	})
	return s
}

// state is the hash of all shards' states and the length of their logs.
func (s *store) state(t *testing.T) (hash, length uint64) {
	t.Helper()
	for _, shard := range s.shards {
		h, _, err := shard.replica.Load().Hash(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hash, length = hash*31+h, length+shard.group.Load().CommitIndex()
	}
	return hash, length
}

// ask sends a call with a body and a key, to the listener that has it.
func (s *store) ask(t *testing.T, call, body, key string) (int, map[string]any) {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	addr := s.Addrs().HTTP
	if admin, ok := strings.CutPrefix(path, "admin:"); ok {
		addr, path = s.Addrs().Admin, admin
	}
	for name, id := range s.ids {
		path = strings.Replace(path, "{"+name+"}", id, 1)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, m
}

// counted sums the samples of a metric of this node whose text holds part.
func (n *Node) counted(t *testing.T, name, part string) float64 {
	t.Helper()
	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != "holdfast_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if strings.Contains(m.String(), part) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// Bad requests that only the state can refuse: nothing changes, neither the state's hash nor the log's length.
func TestBadInputOfState(t *testing.T) {
	s := openStore(t)
	defer drain(t, s.Node)
	const order, some = "POST /v1/orders", `{"sku":"shoe","user":"ann"}`
	stranger := s.ids["open"][:len(s.ids["open"])-2] + "zzz"
	var cases []badinputtest.Case
	for _, c := range []struct{ id, call, body, key string }{
		{"sku-unknown", order, `{"sku":"shoes","user":"ann"}`, "n"},
		{"sku-not-started", order, `{"sku":"early","user":"ann"}`, "n"},
		{"sku-ended", order, `{"sku":"late","user":"ann"}`, "n"},
		{"sku-frozen", order, `{"sku":"ice","user":"ann"}`, "n"},
		{"sku-sold-out", order, `{"sku":"sold","user":"eve"}`, "n"},
		{"sku-all-held", order, `{"sku":"held","user":"eve"}`, "n"},
		{"sku-too-few", order, `{"sku":"few","user":"eve","qty":2}`, "n"},
		{"qty-above-max", order, `{"sku":"shoe","user":"ann","qty":3}`, "n"},
		{"qty-largest", order, `{"sku":"shoe","user":"ann","qty":9223372036854775807}`, "n"},
		{"limit-reached", order, `{"sku":"one-each","user":"ann"}`, "n"},
		{"key-with-another-body", order, `{"sku":"shoe","user":"eve"}`, "open"},
		{"key-fenced", order, some, "never"},
		{"order-unknown", "GET /v1/orders/" + stranger, "", ""},
		{"order-unknown-cancelled", "POST /v1/orders/" + stranger + "/cancel", "{}", ""},
		{"order-unknown-confirmed", "POST /v1/orders/" + stranger + "/confirm", `{"payment_id":"p"}`, ""},
		{"outcome-unknown", "GET /v1/skus/shoe/outcomes/none", "", ""},
		{"confirm-after-expiry", "POST /v1/orders/{due}/confirm", `{"payment_id":"p"}`, ""},
		{"confirm-cancelled", "POST /v1/orders/{dropped}/confirm", `{"payment_id":"p"}`, ""},
		{"paid-twice", "POST /v1/orders/{paid}/confirm", `{"payment_id":"p1"}`, ""},
		{"paid-with-another-id", "POST /v1/orders/{paid}/confirm", `{"payment_id":"p2"}`, ""},
		{"cancel-paid", "POST /v1/orders/{paid}/cancel", "{}", ""},
		{"cancel-expired", "POST /v1/orders/{due}/cancel", "{}", ""},
		{"return-held", "POST /v1/orders/{open}/return", "{}", "r"},
		{"return-too-much", "POST /v1/orders/{paid}/return", `{"qty":9223372036854775807}`, "r"},
		{"availability-unknown", "GET /v1/skus/shoes/availability", "", ""},
		{"desk-sku-unknown", "GET admin:/v1/skus/shoes", "", ""},
		{"desk-patch-unknown", "PATCH admin:/v1/skus/shoes", "{}", ""},
		{"desk-freeze-unknown", "POST admin:/v1/skus/shoes/freeze", "{}", ""},
		{"desk-adjust-unknown", "POST admin:/v1/skus/shoes/adjustments", `{"delta":1,"reason":"r"}`, "a"},
		{"desk-adjust-below-zero", "POST admin:/v1/skus/few/adjustments", `{"delta":-2,"reason":"r"}`, "a"},
		{"desk-adjust-beyond-all", "POST admin:/v1/skus/full/adjustments", `{"delta":1,"reason":"r"}`, "a"},
		{"desk-created-otherwise", "PUT admin:/v1/skus/shoe", `{"stock":1001,"max_qty":2}`, ""},
		{"desk-opens-after-it-closes", "PATCH admin:/v1/skus/late", `{"opens_at":"2999-01-01T00:00:00Z"}`, ""},
	} {
		cases = append(cases, badinputtest.Case{ID: c.id, Do: func(t *testing.T, r badinputtest.Row) { s.refuses(t, r, c.call, c.body, c.key) }})
	}
	badinputtest.Run(t, "node state", cases)
}

// throughTheLog are the rows that are decided in apply, since what they ask for has no bearing on buyers in a hurry. Each costs an entry, and
// changes nothing that anybody can read.
var throughTheLog = []string{"return-held", "return-too-much", "desk-adjust-below-zero", "desk-adjust-beyond-all", "desk-created-otherwise",
	"desk-opens-after-it-closes"}

// view is what callers can read of the state, without the position in the log.
func (s *store) view(t *testing.T) (all string) {
	t.Helper()
	page, err := s.client.SKUs(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	all = fmt.Sprintf("%+v", page)
	for _, key := range slices.Sorted(maps.Keys(s.ids)) {
		o, err := s.client.Order(t.Context(), s.ids[key])
		if err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintf("%+v", o)
	}
	return all
}

func (s *store) refuses(t *testing.T, r badinputtest.Row, call, body, key string) {
	part := "" // of all requests
	if r.Counted == "api_problems_total" {
		part = `"` + r.Code() + `"`
	}
	view := s.view(t)
	hash, length := s.state(t)
	counted := s.counted(t, r.Counted, part)
	status, m := s.ask(t, call, body, key)
	if code, _ := m["code"].(string); status != r.Status || code != r.Code() {
		t.Errorf("%d %v, want %d %s", status, m, r.Status, r.Code())
	}
	if field, _ := m["field"].(string); field != r.Names() {
		t.Errorf("it names %q, want %q", field, r.Names())
	}
	if h, l := s.state(t); slices.Contains(throughTheLog, r.ID) {
		if l != length+1 {
			t.Errorf("the log's length from %d to %d", length, l)
		}
	} else if h != hash || l != length {
		t.Errorf("the state's hash went from %x to %x, the log's length from %d to %d", hash, h, length, l)
	}
	if s.counted(t, r.Counted, part) != counted+1 {
		t.Errorf("%s did not move by one", r.Counted)
	}
	if after := s.view(t); after != view {
		t.Errorf("it changed\n%s\n%s", view, after)
	}
	if status, m := s.ask(t, "POST /v1/orders", `{"sku":"shoe","user":"ann"}`, "after-"+r.ID); status != http.StatusCreated {
		t.Errorf("a good order afterwards: %d %v", status, m)
	}
}

// What does not speak the peer protocol is dropped, is counted, and costs nobody an order.
func TestBadInputOnThePeerPort(t *testing.T) {
	s := openStore(t)
	defer drain(t, s.Node)
	var cases []badinputtest.Case
	for id, text := range map[string]string{
		"peer-random-bytes": "\xd5\x1c\x93\x0b\x7e\x44\xa8\x02\x99\xfe\x31\x60\x5d\x8a\xc7\x13", "peer-http": "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"peer-tls": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "peer-cut-off": "HF", "peer-a-megabyte": strings.Repeat("x", 1<<20),
	} {
		cases = append(cases, badinputtest.Case{ID: id, Do: func(t *testing.T, r badinputtest.Row) { s.drops(t, r, text) }})
	}
	badinputtest.Run(t, "node peer", cases)
}

func (s *store) drops(t *testing.T, r badinputtest.Row, text string) {
	hash, length := s.state(t)
	part := `"` + r.Says[0] + `"`
	counted := s.counted(t, r.Counted, part)
	c, err := net.DialTimeout("tcp", s.Addrs().Peer, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The other side may hang up before it has read all.
	_, _ = io.WriteString(c, text)
	if half, ok := c.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("an answer %q, %v", b, err)
	}
	await(t, fmt.Sprint("counted as ", r.Says[0]), func() bool { return s.counted(t, r.Counted, part) == counted+1 })
	if h, l := s.state(t); h != hash || l != length {
		t.Error("the state or the log changed")
	}
	if _, err := s.client.PlaceOrder(context.Background(), "after-"+r.ID, client.NewOrder{SKU: "shoe", User: "ann"}); err != nil {
		t.Errorf("a good order afterwards: %v", err)
	}
}
