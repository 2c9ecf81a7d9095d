package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/bench/audit"
	"holdfast/bench/sale"
	"holdfast/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestSaleOverHTTP(t *testing.T) {
	ctx := limited(t)
	cfg := node.DefaultConfig()
	cfg.DataDir, cfg.HTTP, cfg.Admin, cfg.Peer, cfg.WALSegmentBytes = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", 4<<20
	n, err := node.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	target, err := Open(ctx, Config{
		Addrs: []string{n.Addrs().HTTP, "http://" + n.Addrs().HTTP}, AdminAddrs: []string{"127.0.0.1:1", n.Addrs().Admin},
		Storage: filepath.Join(cfg.DataDir, "orders.db"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if a := target.About(); a.Nodes != 1 || a.Replicas != 1 || a.Sink != "sqlite" || a.Durability != "fsync on 1 of 1 replicas" {
		t.Fatalf("%+v", a)
	}
	skus := []sale.SKU{{Name: "shoe", Stock: 20, LimitPerUser: 1}, {Name: "a hat/\"ü\"", Stock: 1000}}
	l := audit.NewLedger(audit.Config{})
	l.Sell(skus...)
	if err := target.Create(ctx, skus); err != nil {
		t.Fatal(err)
	}
	verdicts := make(map[string]int)
	for call := range 8 {
		orders := make([]sale.Order, 1+10*(call%2))
		for i := range orders {
			orders[i] = sale.Order{Key: fmt.Sprint("k", call, "-", i), User: fmt.Sprint("user <", call, ">-", i), SKU: skus[i%2].Name, Qty: 1}
		}
		answers := make([]sale.Answer, len(orders))
		target.Place(ctx, orders, answers)
		l.ToldAll(0, orders, answers)
		for _, a := range answers {
			verdicts[fmt.Sprint(a.Verdict, a.Reason)]++
		}
	}
	// Four single shoes; in each batch of 11, six shoes and five hats.
	if want := map[string]int{"1": 40, "2sold_out_pending": 8}; fmt.Sprint(verdicts) != fmt.Sprint(want) {
		t.Fatalf("%v, want %v", verdicts, want)
	}
	if err := target.Create(ctx, skus[:1]); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	settle(ctx, t, target, l)
	found, err := audit.Check(ctx, l, target)
	if err != nil || found.Broken() || found.Accepted != 42 || found.Checked != 42 || found.Stored != 42 || found.Unresolved != 0 {
		t.Fatalf("%+v %v", found, err)
	}
}

// settle takes each step, and asks what became of an order and of one that never was.
func settle(ctx context.Context, t *testing.T, target sale.Target, l *audit.Ledger) {
	t.Helper()
	s := target.(sale.Settler)
	orders := []sale.Order{{Key: "x", SKU: "a hat/\"ü\"", User: "x", Qty: 3}, {Key: "y", SKU: "a hat/\"ü\"", User: "y", Qty: 2}}
	answers := make([]sale.Answer, 2)
	target.Place(ctx, orders, answers)
	l.ToldAll(0, orders, answers)
	for _, c := range []struct {
		order int
		step  sale.Step
		want  sale.Verdict
	}{{0, sale.Pay, sale.Accepted}, {0, sale.Return, sale.Accepted}, {0, sale.Cancel, sale.Refused}, {1, sale.Cancel, sale.Accepted}} {
		a := s.Settle(ctx, c.step, answers[c.order].ID, "step")
		if a.Verdict != c.want {
			t.Fatalf("step %d with order %d: %+v", c.step, c.order, a)
		}
		l.Settled(0, orders[c.order], answers[c.order].ID, c.step, a)
	}
	if a, err := target.Resolve(ctx, orders[0]); err != nil || a.ID != answers[0].ID {
		t.Fatalf("%+v %v", a, err)
	}
	if a, err := target.Resolve(ctx, sale.Order{Key: "never", SKU: "shoe", User: "z", Qty: 1}); err != nil || a.Verdict != sale.Failed {
		t.Fatalf("%+v %v", a, err)
	}
}

// TestWhatAnAnswerMeans holds what is made of everything that may come back.
func TestWhatAnAnswerMeans(t *testing.T) {
	type reply struct {
		status int
		body   string
	}
	var next atomic.Pointer[reply]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		re := next.Load()
		if re.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(re.status)
		_, _ = w.Write([]byte(re.body))
	}))
	defer server.Close()
	d, err := newDoor(&Config{Timeout: DefaultTimeout, Clients: 1}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	target := &Target{doors: []*door{d}}
	problem := func(code string) string {
		return fmt.Sprintf(`{"type":"urn:x","code":%q,"detail":"a \"b\" {[","x":[1,{"y":2}]}`, code)
	}
	item := func(status int, code string) string {
		return fmt.Sprintf(`{"status":%d,"problem":%s}`, status, problem(code))
	}
	for name, c := range map[string]struct {
		status int
		body   string
		orders int
		want   sale.Answer
	}{
		"accepted":                  {201, `{"id":"abc","sku":"s"}`, 1, sale.Answer{Verdict: sale.Accepted, ID: "abc"}},
		"accepted without an id":    {201, `{"sku":"s"}`, 1, sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}},
		"cut off":                   {201, `{"id":"abc","sku":"s`, 1, sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}},
		"refused":                   {409, problem("sold_out"), 1, sale.Answer{Verdict: sale.Refused, Reason: "sold_out"}},
		"overloaded":                {503, problem("overloaded"), 1, sale.Answer{Verdict: sale.Failed, Reason: "overloaded"}},
		"unknown":                   {504, problem("outcome_unknown"), 1, sale.Answer{Verdict: sale.Unknown, Reason: "outcome_unknown"}},
		"a bug":                     {500, problem("internal"), 1, sale.Answer{Verdict: sale.Unknown, Reason: "internal"}},
		"a proxy's 503":             {503, `{}`, 1, sale.Answer{Verdict: sale.Unknown}},
		"a proxy's page":            {502, `<html>`, 1, sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}},
		"no answer":                 {0, ``, 1, sale.Answer{Verdict: sale.Unknown, Reason: "no_answer"}},
		"a batch":                   {200, `{"results":[` + item(409, "sold_out") + ` , ` + item(503, "no_leader") + `]}`, 2, sale.Answer{Verdict: sale.Failed, Reason: "no_leader"}},
		"a batch with escapes":      {200, `{"results":[{"order":{"sku":"\"","id":"\u0061"},"status":201},{"status":201,"order":{"sku":"}\\","id":"b"}}]}`, 2, sale.Answer{Verdict: sale.Accepted, ID: "b"}},
		"a batch that is too short": {200, `{"results":[` + item(409, "sold_out") + `]}`, 2, sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}},
		"a batch that is too long":  {200, `{"results":[` + item(409, "a") + `,` + item(409, "a") + `,` + item(409, "a") + `]}`, 2, sale.Answer{Verdict: sale.Unknown, Reason: "unreadable"}},
		"a batch, refused":          {413, problem("too_large"), 2, sale.Answer{Verdict: sale.Refused, Reason: "too_large"}},
		"a batch, not admitted":     {503, problem("draining"), 2, sale.Answer{Verdict: sale.Failed, Reason: "draining"}},
		"a batch without an answer": {0, ``, 2, sale.Answer{Verdict: sale.Unknown, Reason: "no_answer"}},
	} {
		next.Store(&reply{c.status, c.body})
		answers := make([]sale.Answer, c.orders)
		target.Place(context.Background(), make([]sale.Order, c.orders), answers)
		if got := answers[c.orders-1]; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	d, err := newDoor(&Config{Timeout: DefaultTimeout, Clients: 1}, addr)
	if err != nil {
		t.Fatal(err)
	}
	answers := make([]sale.Answer, 3)
	(&Target{doors: []*door{d}}).Place(context.Background(), make([]sale.Order, 3), answers)
	for _, a := range answers {
		if a != (sale.Answer{Verdict: sale.Failed, Reason: "not_sent"}) {
			t.Fatalf("%+v", a)
		}
	}
	if _, err := Open(context.Background(), Config{Addrs: []string{addr}, AdminAddrs: []string{addr}}); err == nil {
		t.Fatal("opened")
	}
	for _, cfg := range []Config{{}, {Addrs: []string{addr}}, {Addrs: []string{"ftp://x"}, AdminAddrs: []string{addr}}} {
		if _, err := Open(context.Background(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// FuzzRead compares what is read by hand with what encoding/json reads.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"id":"abc","n":1.5e3,"o":{"id":"no","a":[true,null,"]"]}}`, `{}`, ` { "code" : "\u0061\"" } `, `{"id":"a"}x`, `{"id"`, `{"id":1}`, `[]`, `{"a":}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var want struct {
			ID   *json.RawMessage `json:"id"`
			Code *json.RawMessage `json:"code"`
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil || json.Unmarshal(body, &want) != nil {
			_ = (&result{status: 409}).read(body) // It may be read as something, and must end.
			return
		}
		var id, code string
		_ = json.Unmarshal(members["id"], &id)
		_ = json.Unmarshal(members["code"], &code)
		got := result{status: 409}
		if err := got.read(body); members != nil && (err != nil || string(got.id) != id || string(got.code) != code) {
			t.Fatalf("%s: id %q, code %q, %v", body, got.id, got.code, err)
		}
	})
}

func BenchmarkReadBatch(b *testing.B) {
	const orders = 1000
	body := []byte(`{"results":[`)
	for i := range orders {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"status":201,"order":{"id":"000nuB3kQb%d","sku":"sneaker","user":"bob","qty":1,"state":"held","mode":"hold",`+
			`"expires_at":"2026-11-11T11:21:11.000Z","created_at":"2026-11-11T11:11:11.000Z","updated_at":"2026-11-11T11:11:11.000Z","as_of_index":8}}`, i)
	}
	body = append(body, `]}`...)
	answers := make([]sale.Answer, orders)
	for b.Loop() {
		if err := readBatch(body, answers); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/orders, "ns/order")
}
