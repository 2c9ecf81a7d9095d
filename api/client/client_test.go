package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/api"
	"holdfast/api/apitest"
	"holdfast/api/client"
	"holdfast/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// health is what /readyz looks at.
type health struct{ checks []api.Check }

func (h *health) Ready() []api.Check { return h.checks }

// serve returns a client of a real server over loopback sockets.
func serve(t *testing.T) (*client.Client, *apitest.Core, *health) {
	t.Helper()
	core := apitest.NewCore(func() stock.Time { return stock.TimeOf(time.Now()) })
	h := &health{checks: []api.Check{{Name: "recovered", OK: true}}}
	server, err := api.New(api.Config{Core: core, Health: h, Build: api.Build{Version: "1.2.3"}})
	if err != nil {
		t.Fatal(err)
	}
	public, admin := listen(t), listen(t)
	served := make(chan error, 1)
	go func() { served <- server.Serve(public, admin) }()
	c, err := client.New(client.Config{Addr: public.Addr().String(), AdminAddr: "http://" + admin.Addr().String() + "/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	return c, core, h
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestOrders(t *testing.T) {
	c, _, _ := serve(t)
	ctx := t.Context()
	const sku = "red/blue %?#"
	k := ok[client.SKU](t)(c.CreateSKU(ctx, client.SKUSpec{SKU: sku, Stock: 5, MaxQty: 3}))
	if k.SKU != sku || k.Stock != 5 || k.Available != 5 || k.MaxQty != 3 || k.Mode != "hold" || k.HoldTTLMS != 600_000 || k.Leader != "n1" {
		t.Errorf("%+v", k)
	}
	p := ok[client.Placed](t)(c.PlaceOrder(ctx, "k/1", client.NewOrder{SKU: sku, User: "ann", Qty: 2, ClientRef: "ü"}))
	if p.State != "held" || p.Qty != 2 || p.ClientRef != "ü" || p.Replayed || p.Attempts != 1 || p.RequestID == "" || p.ExpiresAt == nil {
		t.Errorf("%+v", p)
	}
	again := ok[client.Placed](t)(c.PlaceOrderUntilKnown(ctx, "k/1", client.NewOrder{SKU: sku, User: "ann", Qty: 2, ClientRef: "ü"}))
	if !again.Replayed || again.ID != p.ID {
		t.Errorf("%+v", again)
	}
	o := ok[client.Order](t)(c.Confirm(ctx, p.ID, "p1"))
	if o.State != "confirmed" || o.PaymentID != "p1" {
		t.Errorf("%+v", o)
	}
	if o := ok[client.Order](t)(c.Return(ctx, "r1", p.ID, client.ReturnUnits{Qty: 1, Discard: true})); o.ReturnedQty != 1 {
		t.Errorf("%+v", o)
	}
	if o := ok[client.Order](t)(c.Return(ctx, "r2", p.ID, client.ReturnUnits{})); o.State != "returned" {
		t.Errorf("%+v", o)
	}
	p2 := ok[client.Placed](t)(c.PlaceOrder(ctx, "k2", client.NewOrder{SKU: sku, User: "bob"}))
	if o := ok[client.Order](t)(c.Cancel(ctx, p2.ID, "no")); o.State != "cancelled" {
		t.Errorf("%+v", o)
	}
	if o := ok[client.Order](t)(c.Order(ctx, p2.ID)); o.State != "cancelled" {
		t.Errorf("%+v", o)
	}
	if out := ok[client.Outcome](t)(c.Outcome(ctx, sku, "k/1")); out.Outcome != client.Accepted || out.Order.State != "held" {
		t.Errorf("%+v", out)
	}
	if out := ok[client.Outcome](t)(c.Fence(ctx, sku, "k3")); out.Outcome != client.Fenced || out.Order != nil {
		t.Errorf("%+v", out)
	}
	if a := ok[client.Availability](t)(c.Availability(ctx, sku)); a.SKU != sku || a.Available != 4 || a.State != "open" || a.ServerTime.IsZero() {
		t.Errorf("%+v", a)
	}
}

func TestBatch(t *testing.T) {
	c, _, _ := serve(t)
	ok[client.SKU](t)(c.CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1}))
	results := ok[[]client.BatchResult](t)(c.PlaceBatch(t.Context(), []client.BatchItem{
		{Key: "a", SKU: "shoe", User: "ann"}, {Key: "b", SKU: "shoe", User: "bob"}, {Key: "a", SKU: "shoe", User: "ann"}, {Key: "", SKU: "shoe", User: "x"},
	}))
	if len(results) != 4 || results[0].Err() != nil || results[0].Order.User != "ann" || !results[2].Replayed {
		t.Fatalf("%+v", results)
	}
	if err := results[1].Err(); client.CodeOf(err) != "sold_out_pending" || !client.IsRefused(err) {
		t.Errorf("%v", err)
	}
	if client.CodeOf(results[3].Err()) != "idempotency_key_invalid" || results[3].Status != 400 {
		t.Errorf("%+v", results[3])
	}
	_, err := c.PlaceBatch(t.Context(), nil)
	if client.CodeOf(err) != "invalid_value" {
		t.Errorf("%v", err)
	}
}

func TestSKUs(t *testing.T) {
	c, _, h := serve(t)
	ctx := t.Context()
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprint("sku ", i))
		ok[client.SKU](t)(c.CreateSKU(ctx, client.SKUSpec{SKU: want[i], Stock: 1, Mode: "on_order"}))
	}
	var seen []string
	for cursor := ""; ; {
		page := ok[client.SKUPage](t)(c.SKUs(ctx, cursor, 2))
		for _, k := range page.SKUs {
			seen = append(seen, k.SKU)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
	opens := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	k := ok[client.SKU](t)(c.UpdateSKU(ctx, "sku 0", client.SKUPatch{MaxQty: new(int64(4)), OpensAt: &opens, Hot: new(true)}))
	if k.MaxQty != 4 || k.OpensAt == nil || !k.OpensAt.Equal(opens) || !k.Hot {
		t.Errorf("%+v", k)
	}
	if k := ok[client.SKU](t)(c.UpdateSKU(ctx, "sku 0", client.SKUPatch{ClearOpensAt: true})); k.OpensAt != nil || k.MaxQty != 4 {
		t.Errorf("%+v", k)
	}
	if k := ok[client.SKU](t)(c.AdjustSKU(ctx, "a1", "sku 0", 9, "found some")); k.Stock != 10 {
		t.Errorf("%+v", k)
	}
	if k := ok[client.SKU](t)(c.Freeze(ctx, "sku 0")); !k.Frozen {
		t.Errorf("%+v", k)
	}
	if k := ok[client.SKU](t)(c.Unfreeze(ctx, "sku 0")); k.Frozen {
		t.Errorf("%+v", k)
	}
	if k := ok[client.SKU](t)(c.SKU(ctx, "sku 0")); k.Sold != 0 || k.Available != 10 {
		t.Errorf("%+v", k)
	}
	if v := ok[client.Version](t)(c.Version(ctx)); v.Version != "1.2.3" {
		t.Errorf("%+v", v)
	}
	if r := ok[client.Readiness](t)(c.Ready(ctx)); !r.Ready || len(r.Checks) != 1 {
		t.Errorf("%+v", r)
	}
	h.checks = append(h.checks, api.Check{Name: "shard 1", Detail: "no leader"})
	// The public listener keeps what was found to itself.
	if r := ok[client.Readiness](t)(c.Ready(ctx)); r.Ready || len(r.Checks) != 2 || r.Checks[0] != (client.Check{Name: "shard 1"}) {
		t.Errorf("%+v", r)
	}
}

// A problem keeps its members.
func TestProblem(t *testing.T) {
	c, _, _ := serve(t)
	ctx := t.Context()
	opens := time.Now().Add(90 * time.Second)
	ok[client.SKU](t)(c.CreateSKU(ctx, client.SKUSpec{SKU: "later", Stock: 1, OpensAt: new(opens.UTC().Truncate(time.Millisecond))}))
	_, err := c.PlaceOrder(ctx, "k", client.NewOrder{SKU: "later", User: "u"})
	p, isProblem := errors.AsType[*client.Problem](err)
	if !isProblem || p.Code != "not_started" || p.Status != 403 || !p.Retryable || p.OpensAt == nil || p.RequestID == "" {
		t.Fatalf("%+v", err)
	}
	if p.RetryAfter < 80*time.Second || p.RetryAfter > 90*time.Second || !strings.Contains(p.Error(), "not_started (403)") {
		t.Errorf("%v %v", p.RetryAfter, p)
	}
	_, err = c.PlaceOrder(ctx, "a b", client.NewOrder{SKU: "later", User: "u"})
	if client.CodeOf(err) != "idempotency_key_invalid" || !client.IsRefused(err) || !client.IsNotExecuted(err) || client.IsUnknown(err) {
		t.Errorf("%v", err)
	}
	_, err = c.CreateSKU(ctx, client.SKUSpec{SKU: "later", Stock: 2})
	if p, _ := errors.AsType[*client.Problem](err); p == nil || !slices.Equal(p.Differs, []string{"stock", "opens_at"}) {
		t.Errorf("%+v", err)
	}
	for _, name := range []string{"", ".", ".."} {
		if _, err = c.SKU(ctx, name); client.CodeOf(err) != "bad_path" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, addr := range []string{"ftp://x", "http://", "http://x/path", "http://x?q", "http://[::1", "::"} {
		if _, err := client.New(client.Config{Addr: addr}); !errors.Is(err, client.ErrAddr) {
			t.Errorf("%q: %v", addr, err)
		}
	}
	c := ok[*client.Client](t)(client.New(client.Config{AdminAddr: "127.0.0.1:1"}))
	_, err := c.PlaceOrder(t.Context(), "k", client.NewOrder{})
	if !errors.Is(err, client.ErrAddr) || !client.IsNotExecuted(err) || client.IsUnknown(err) {
		t.Errorf("without an address: %v", err)
	}
	l := listen(t)
	l.Close()
	c = ok[*client.Client](t)(client.New(client.Config{Addr: l.Addr().String()}))
	_, err = c.PlaceOrder(t.Context(), "k", client.NewOrder{})
	if !strings.HasPrefix(err.Error(), "client: not sent: ") || !client.IsUnreachable(err) || !client.IsNotExecuted(err) ||
		client.IsUnknown(err) || client.IsRefused(err) {
		t.Errorf("nobody listens: %v", err)
	}
}

// The request that net/http would send again by itself, unmarked, is sent once; only its caller may send it again.
func TestNoSilentResend(t *testing.T) {
	var orders atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{}`)
			return
		}
		orders.Add(1)
		if got := r.Header.Get("Idempotency-Key"); got != "k" {
			t.Errorf("the key arrives as %q", got)
		}
		panic(http.ErrAbortHandler) // the connection breaks, after the order was read
	}))
	defer server.Close()
	c := ok[*client.Client](t)(client.New(client.Config{Addr: server.URL}))
	defer c.Close()
	ok[client.Order](t)(c.Order(t.Context(), "x")) // the connection is used again: only then does net/http resend
	_, err := c.PlaceOrder(t.Context(), "k", client.NewOrder{SKU: "s", User: "u"})
	if !strings.HasPrefix(err.Error(), "client: outcome unknown: ") || orders.Load() != 1 || !client.IsUnknown(err) ||
		client.IsNotExecuted(err) || client.IsRefused(err) {
		t.Errorf("sent %d times: %v", orders.Load(), err)
	}
}

// What a refusal says beyond its code is in its text, times in UTC with three decimals; a payment id is not.
func TestProblemText(t *testing.T) {
	at := time.Date(2030, 1, 31, 11, 0, 0, 0, time.FixedZone("", 3600))
	for want, p := range map[string]client.Problem{
		"sku_not_found (404): None.":                          {Code: "sku_not_found", Status: 404, Detail: "None."},
		"frozen (423): Frozen":                                {Code: "frozen", Status: 423, Title: "Frozen"},
		"limit_exceeded (409): Over. (limit 1; used 0)":       {Code: "limit_exceeded", Status: 409, Detail: "Over.", Limit: 1},
		"insufficient_stock (409): Few. (available 0)":        {Code: "insufficient_stock", Status: 409, Detail: "Few."},
		"invalid_value (400): No. (qty must be an integer)":   {Code: "invalid_value", Status: 400, Detail: "No.", Field: "qty", Reason: "must be an integer"},
		"unknown_field (400): No. (price)":                    {Code: "unknown_field", Status: 400, Detail: "No.", Field: "price"},
		"sku_exists (409): Otherwise. (differs: stock, mode)": {Code: "sku_exists", Status: 409, Detail: "Otherwise.", Differs: []string{"stock", "mode"}},
		"not_started (403): Later. (opens_at 2030-01-31T10:00:00.000Z)": {
			Code: "not_started", Status: 403, Detail: "Later.", OpensAt: &at},
		"duplicate_payment (409): Paid.": {Code: "duplicate_payment", Status: 409, Detail: "Paid.", FirstPaymentID: "pay-1"},
	} {
		if got := p.Error(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// A listener with a certificate has not read a request without TLS: nothing happened, and the error says what to do.
func TestListenerThatSpeaksTLS(t *testing.T) {
	for text, sent := range map[string]bool{"400 Bad Request: this listener speaks TLS, use https": false, "400 Bad Request": true} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, http.StatusBadRequest) }))
		c, err := client.New(client.Config{Addr: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.PlaceOrder(t.Context(), "k", client.NewOrder{SKU: "shoe", User: "ann"})
		if client.IsUnknown(err) != sent || client.IsNotExecuted(err) == sent || strings.Contains(err.Error(), "use https") == sent {
			t.Errorf("%s: %v", text, err)
		}
		c.Close()
		s.Close()
	}
}
