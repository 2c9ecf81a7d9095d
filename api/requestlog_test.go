package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/logtest"
	"holdfast/stock"
)

func logging(j *logtest.Journal, rl RequestLog) func(*Config) {
	return func(c *Config) {
		c.RequestLog = rl
		c.Logger = j.Logger()
	}
}

const anOrder = `{"sku":"shoe","user":"ann"}`

func TestWhichRequestsAreLogged(t *testing.T) {
	for name, c := range map[string]struct {
		out                  stock.Outcome
		off, byErrors, whole string
	}{
		"accepted": {stock.Outcome{Code: stock.OK, Order: &stock.Order{SKU: "shoe", User: "ann", Qty: 1, State: stock.StateHeld, Mode: stock.ModeHold}}, "", "", "INFO"},
		"refused":  {stock.Outcome{Code: stock.SoldOut}, "", "", "INFO"},
		"overload": {stock.Outcome{Code: stock.Overloaded, Detail: &stock.Detail{Bound: "max-pending"}}, "", "WARN", "WARN"},
		"unknown":  {stock.Outcome{Code: stock.OutcomeUnknown}, "WARN", "WARN", "WARN"},
		"internal": {stock.Outcome{Code: stock.Internal}, "ERROR", "ERROR", "ERROR"},
	} {
		for which, level := range map[string]string{LogOff: c.off, LogErrors: c.byErrors, "": c.byErrors, LogAll: c.whole} {
			t.Run(name+"/log="+which, func(t *testing.T) {
				var j logtest.Journal
				s := newShop(t, logging(&j, RequestLog{Which: which}))
				s.core.Before = answering(c.out)
				a := s.public("POST /v1/orders", anOrder, "Idempotency-Key: k", "X-Request-Id: r-1", "Traceparent: "+someHeader)
				got := j.Records(t, "request")
				if level == "" {
					if len(got) > 0 {
						t.Errorf("logged: %v", got)
					}
					return
				}
				if len(got) != 1 || got[0]["level"] != level {
					t.Fatalf("%v", got)
				}
				r := got[0]
				if r["request_id"] != "r-1" || r["trace_id"] != someTrace || len(r["span_id"].(string)) != 16 || r["span_id"] == someParent ||
					r["route"] != "POST /v1/orders" || r["status"] != float64(a.status) || r["caller"] != "" {
					t.Errorf("%v", r)
				}
				if bound, _ := r["bound"].(string); (bound == "max-pending") != (name == "overload") {
					t.Errorf("bound %q", bound)
				}
			})
		}
	}
}

// A flood is cut to the bound, the next record says how many are missing, and what is grave is not lost in it.
func TestFloodOfRecords(t *testing.T) {
	var j logtest.Journal
	s := newShop(t, logging(&j, RequestLog{PerSecond: 5}))
	s.core.Before = answering(stock.Outcome{Code: stock.Overloaded})
	order := func() { s.public("POST /v1/orders", anOrder, "Idempotency-Key: k") }
	for range 100 {
		order()
	}
	if n := len(j.Records(t, "request")); n != 5 || s.counter("log_suppressed_total") != 95 {
		t.Fatalf("%d records, %v suppressed", n, s.counter("log_suppressed_total"))
	}
	s.core.Before = answering(stock.Outcome{Code: stock.OutcomeUnknown})
	for range 100 {
		order()
	}
	if n := len(j.Records(t, "request")); n != 10 {
		t.Fatalf("%d records: an unknown outcome is lost behind refusals", n)
	}
	s.clock.advance(200 * time.Millisecond)
	order()
	order()
	got := j.Records(t, "request")
	if len(got) != 11 || got[10]["suppressed"] != float64(95) {
		t.Errorf("%d records, the last %v", len(got), got[len(got)-1])
	}
	if size := len(j.String()); size > 11*500 {
		t.Errorf("%d bytes", size)
	}
}

func TestSlowRequest(t *testing.T) {
	var j logtest.Journal
	s := newShop(t, logging(&j, RequestLog{Which: LogOff, Slow: 2 * time.Second}))
	takes := 1999 * time.Millisecond
	s.core.Before = func(context.Context, stock.Request) stock.Outcome {
		s.clock.advance(takes)
		return stock.Outcome{Code: stock.SoldOut}
	}
	order := func() { s.public("POST /v1/orders", anOrder, "Idempotency-Key: k") }
	order()
	if got := j.Records(t, "request"); len(got) > 0 {
		t.Fatalf("not slow: %v", got)
	}
	takes = 2 * time.Second
	order()
	got := j.Records(t, "request")
	if len(got) != 1 || got[0]["slow"] != true || got[0]["level"] != "WARN" || got[0]["commit_ms"] != 2000.0 || got[0]["admit_ms"] != 0.0 ||
		got[0]["took_ms"] != 2000.0 {
		t.Fatalf("%v", got)
	}
	// A profile takes as long as it was asked to.
	s.server.cfg.Now = func() time.Time { s.clock.advance(3 * time.Second); return s.clock.Now() }
	s.admin("GET /metrics", "")
	if len(j.Records(t, "request")) != 1 {
		t.Error("what takes its own time is called slow")
	}
}

// An order among others is 200, and unknown all the same.
func TestBatchInTheLog(t *testing.T) {
	var j logtest.Journal
	s := newShop(t, logging(&j, RequestLog{}))
	const batch = `{"orders":[{"key":"a","sku":"shoe","user":"ann"},{"key":"b","sku":"shoe","user":"bob"},{"key":"c","sku":"shoe","user":"cy"}]}`
	codes := []stock.Code{stock.OutcomeUnknown, stock.Overloaded, stock.SoldOut}
	s.core.Before = func(context.Context, stock.Request) stock.Outcome {
		out := stock.Outcome{Code: codes[0], Detail: &stock.Detail{Bound: "max-parked"}}
		codes = codes[1:]
		return out
	}
	s.public("POST /v1/orders:batch", batch)
	got := j.Records(t, "request")
	if len(got) != 1 || got[0]["items"] != 3.0 || got[0]["items_unknown"] != 1.0 || got[0]["items_failed"] != 1.0 || got[0]["level"] != "WARN" ||
		got[0]["bound"] != "max-parked" {
		t.Errorf("%v", got)
	}
}

// What a panic says may hold what a caller sent.
func TestPanicInTheLog(t *testing.T) {
	var j logtest.Journal
	s := newShop(t, logging(&j, RequestLog{PerSecond: 3}))
	faults := []any{"marker", errors.New("marker"), fmt.Sprint("mar", "ker")}
	s.core.Before = func(context.Context, stock.Request) stock.Outcome {
		if len(faults) == 0 {
			_ = []int{}[len(faults)]
		}
		fault := faults[0]
		faults = faults[1:]
		panic(fault)
	}
	for range 4 {
		s.clock.advance(2 * time.Second)
		s.want(s.public("POST /v1/orders", anOrder, "Idempotency-Key: k"), 500, "internal")
	}
	if strings.Contains(j.String(), "marker") {
		t.Errorf("%s", j.String())
	}
	got := j.Records(t, "panic while answering")
	if len(got) != 4 || !strings.Contains(got[3]["fault"].(string), "index out of range") || !strings.Contains(got[0]["stack"].(string), "exchange") {
		t.Errorf("%v", got)
	}
	if got := j.Records(t, "request"); len(got) != 4 || got[0]["level"] != "ERROR" || got[0]["code"] != "internal" {
		t.Errorf("%v", got)
	}
}

// A record is one line, whatever a caller puts where its names come from.
func TestNothingIsInjectedIntoTheLog(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var j logtest.Journal
		s := newShop(t, logging(&j, RequestLog{Which: LogAll}), func(c *Config) {
			if format == "text" {
				c.Logger = slog.New(slog.NewTextHandler(&j, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
		})
		const forged = "x\r\nlevel=ERROR msg=marker\n{\"msg\":\"marker\"}\x1b[2J\u2028"
		for _, header := range []string{"X-Request-Id", "Traceparent", "Tracestate", "User-Agent", "Idempotency-Key", "Authorization"} {
			r, err := http.NewRequest("GET", "/v1/orders/1", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header[header] = []string{forged}
			s.server.Public().ServeHTTP(&sink{header: http.Header{}}, r)
		}
		for _, target := range []string{"/v1/skus/a%0D%0Amarker/availability", "/%0Amarker", "/v1/orders/marker%0d%0a?q=%0amarker", "/readyz?marker"} {
			s.public("GET "+target, "")
		}
		s.public("GET /readyz", "", "X-Request-Id: "+strings.Repeat("r", maxRequestIDBytes+1))
		text := j.String()
		if n := strings.Count(text, "\n"); n != 11 || strings.Contains(text, "marker") || strings.ContainsAny(text, "\r\x1b") {
			t.Errorf("%d lines:\n%s", n, text)
		}
		if strings.Contains(text, "rrr") {
			t.Error("a long request id got into the log")
		}
	}
}

// A request id of visible characters is taken as it is; quotes and braces among them end no field.
func TestRequestIDOfOddCharacters(t *testing.T) {
	var j logtest.Journal
	s := newShop(t, logging(&j, RequestLog{Which: LogAll}))
	const id = `a"},{"msg":"b=c'\\<>`
	s.public("GET /livez", "", "X-Request-Id: "+id)
	if got := j.Records(t, "request"); len(got) != 1 || got[0]["request_id"] != id {
		t.Errorf("%v", got)
	}
}

func TestRequestLogConfig(t *testing.T) {
	for _, bad := range []RequestLog{{Which: "some"}, {PerSecond: -1}, {PerSecond: MaxLogPerSecond + 1}, {Slow: -1}} {
		s := newShop(t)
		_, err := New(Config{Core: s.core, Health: s.health, RequestLog: bad})
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// spans keeps what a tracer is given.
type spans struct {
	mu  sync.Mutex
	all []Span
}

func (s *spans) Answered(one Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, one)
}

// The tracer and the log name a request alike.
func TestTracerIsTold(t *testing.T) {
	var j logtest.Journal
	var got spans
	s := newShop(t, logging(&j, RequestLog{Which: LogAll}), func(c *Config) { c.Tracer = &got })
	s.sku("shoe", `{"stock":1}`)
	s.public("POST /v1/orders", anOrder, "Idempotency-Key: k", "Traceparent: "+someHeader, "Tracestate: vendor=1")
	s.public("POST /v1/orders", `{"sku":"shoe","user":"bob"}`, "Idempotency-Key: k2")
	s.public("BREW /v1/orders/marker", "")
	if len(got.all) != 4 {
		t.Fatalf("%d spans", len(got.all))
	}
	records := j.Records(t, "request")
	for i, one := range got.all {
		trace := traceContext{trace: one.TraceID, span: one.SpanID}
		if records[i]["trace_id"] != trace.traceID() || records[i]["span_id"] != trace.spanID() || records[i]["request_id"] != one.RequestID {
			t.Errorf("log %v, span %+v", records[i], one)
		}
		if one.Start.IsZero() || one.End.Before(one.Start) {
			t.Errorf("%+v", one)
		}
	}
	order, refused, odd := got.all[1], got.all[2], got.all[3]
	if order.Route != "/v1/orders" || order.Method != "POST" || order.Status != 201 || order.Code != "" || !order.Sampled ||
		order.TraceState != "vendor=1" || order.ParentID == [8]byte{} || order.Answered.IsZero() {
		t.Errorf("%+v", order)
	}
	if refused.Status != 409 || refused.Code != "sold_out_pending" || refused.Sampled || refused.ParentID != [8]byte{} {
		t.Errorf("%+v", refused)
	}
	if odd.Method != "_OTHER" || odd.Route != "" || odd.Status != 405 || !odd.Answered.IsZero() {
		t.Errorf("%+v", odd)
	}
}

// What was found is for who may administer the node; others learn which check it is.
func TestReadinessKeepsDetails(t *testing.T) {
	findings := []Check{{Name: "storage", Detail: `FATAL: role "marker" of 10.0.0.7`, Advisory: true}, {Name: "shard 1", Detail: "marker", OK: true}}
	const bare = `{"ready":true,"checks":[{"name":"storage","ok":false,"advisory":true},{"name":"shard 1","ok":true}]}`
	check := func(t *testing.T, a answer, detailed bool) {
		t.Helper()
		if a.status != 200 || strings.Contains(a.body, "marker") != detailed || !detailed && a.body != bare {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	t.Run("without keys", func(t *testing.T) {
		s := newShop(t)
		s.health.checks = findings
		check(t, s.public("GET /readyz?verbose", ""), false)
		check(t, s.admin("GET /readyz?verbose", ""), true)
	})
	t.Run("with keys", func(t *testing.T) {
		const order, admin = "hf_of-a-shop", "hf_of-an-operator"
		s := newShop(t, withKeys(t, entryOf("shop", "order", order), entryOf("ops", "admin", admin)))
		s.health.checks = findings
		for _, c := range []struct {
			key         string
			admin, want bool
		}{{"", false, false}, {admin, false, false}, {"", true, false}, {order, true, false}, {"hf_wrong", true, false}, {admin, true, true}} {
			s.key = c.key
			asks := s.public
			if c.admin {
				asks = s.admin
			}
			check(t, asks("GET /readyz?verbose", ""), c.want)
		}
	})
	t.Run("not ready", func(t *testing.T) {
		s := newShop(t)
		s.health.checks = append(slices.Clone(findings), Check{Name: "shard 2", Detail: "marker"})
		for _, target := range []string{"GET /readyz", "GET /readyz?verbose"} {
			if a := s.public(target, ""); a.status != 503 || strings.Contains(a.body, "marker") || !strings.Contains(a.body, "shard 2") {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a := s.admin(target, ""); a.status != 503 || !strings.Contains(a.body, "marker") {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		s.server.Drain()
		if a := s.public("GET /readyz?verbose", ""); !strings.Contains(a.body, `"draining"`) || strings.Contains(a.body, "marker") {
			t.Errorf("%s", a.body)
		}
	})
}
