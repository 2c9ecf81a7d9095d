package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

func TestAvailability(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":2,"hold_ttl_ms":1000,"closes_at":"2026-11-11T12:01:00Z"}`)
	const call = "GET /v1/skus/shoe/availability"
	first := s.public(call, "")
	want := `{"sku":"shoe","state":"open","available":2,"held":0,"sold":0,"closes_at":"2026-11-11T12:01:00.000Z","as_of_index":2,` +
		`"server_time":"2026-11-11T12:00:00.000Z"}`
	if first.status != 200 || first.body != want {
		t.Fatalf("%d %s\nwant %s", first.status, first.body, want)
	}
	etag := first.header.Get("Etag")
	if !strings.HasPrefix(etag, `W/"`) || first.header.Get("Cache-Control") != "max-age=1" {
		t.Errorf("%v", first.header)
	}
	s.clock.advance(10 * time.Millisecond)
	for _, header := range []string{etag, strings.TrimPrefix(etag, "W/"), "*", `"x", ` + etag + `,W/"y"`} {
		a := s.public(call, "", "If-None-Match: "+header)
		if a.status != 304 || a.body != "" || a.header.Get("Etag") != etag || a.header.Get("Cache-Control") != "max-age=1" {
			t.Errorf("%s: %d %v %q", header, a.status, a.header, a.body)
		}
	}
	if a := s.public(call, "", `If-None-Match: W/"x"`); a.status != 200 {
		t.Errorf("another tag: %d", a.status)
	}
	s.place("k", `{"sku":"shoe","user":"u"}`)
	if a := s.public(call, "", "If-None-Match: "+etag); a.status != 200 || a.header.Get("Etag") == etag {
		t.Errorf("after an order: %d %v", a.status, a.header)
	}
	before := s.public(call, "").header.Get("Etag")
	s.clock.advance(time.Minute)
	a := s.public(call, "", "If-None-Match: "+before)
	if a.status != 200 || !strings.Contains(a.body, `"state":"ended"`) {
		t.Errorf("the state is part of the tag: %d %s", a.status, a.body)
	}
}

// leaderless is a core whose shards have no leader, and nothing published here or anywhere.
type leaderless struct{ Core }

func (leaderless) Availability(string) (stock.Availability, bool) { return stock.Availability{}, false }
func (leaderless) Nearest(context.Context, string) (stock.Availability, stock.Code) {
	return stock.Availability{}, stock.NoLeader
}

// Without a leader nobody knows that a SKU does not exist.
func TestAvailabilityWithoutLeader(t *testing.T) {
	s := newShop(t, func(c *Config) { c.Core = leaderless{c.Core} })
	s.want(s.public("GET /v1/skus/shoe/availability", ""), 503, "no_leader")
}

// distant is a core with nothing published here.
type distant struct{ Core }

func (distant) Availability(string) (stock.Availability, bool) { return stock.Availability{}, false }

// A SKU is not missing because nothing of it is published here.
func TestAvailabilityFromElsewhere(t *testing.T) {
	s := newShop(t, func(c *Config) { c.Core = distant{c.Core} })
	s.sku("shoe", `{"stock":2}`)
	if a := s.public("GET /v1/skus/shoe/availability", ""); a.status != 200 || !strings.Contains(a.body, `"available":2`) {
		t.Errorf("%d: %s", a.status, a.body)
	}
	s.want(s.public("GET /v1/skus/boot/availability", ""), 404, "sku_not_found")
}

func TestReadiness(t *testing.T) {
	s := newShop(t)
	if a := s.public("GET /readyz", ""); a.body != `{"ready":true}` {
		t.Errorf("%s", a.body)
	}
	s.health.checks = []Check{{Name: "flush", Detail: "3 s behind", Advisory: true}, {Name: "shard 1", Detail: "led by n1", OK: true}}
	a := s.admin("GET /readyz?verbose", "")
	want := `{"ready":true,"checks":[{"name":"flush","ok":false,"advisory":true,"detail":"3 s behind"},` +
		`{"name":"shard 1","ok":true,"detail":"led by n1"}]}`
	if a.status != 200 || a.body != want {
		t.Errorf("%d %s", a.status, a.body)
	}
	// What a database says is there to its end.
	s.health.checks[0].Detail = long(400) + ": connection refused"
	if a := s.admin("GET /readyz?verbose", ""); a.status != 200 || !strings.Contains(a.body, `: connection refused"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.health.checks = append(s.health.checks, Check{Name: "shard 2", Detail: "no leader"})
	a = s.public("GET /readyz", "")
	m := s.want(a, 503, "no_leader")
	if checks := m["checks"].([]any); len(checks) != 1 || checks[0].(map[string]any)["name"] != "shard 2" || a.header.Get("Retry-After") == "" {
		t.Errorf("%s", a.body)
	}
	m = s.want(s.public("GET /readyz?verbose", ""), 503, "no_leader")
	if checks := m["checks"].([]any); len(checks) != 3 || checks[0].(map[string]any)["name"] != "shard 2" {
		t.Errorf("the failing one comes first: %v", checks)
	}
	for range 40 {
		s.health.checks = append(s.health.checks, Check{Name: long(100), Detail: strings.Repeat("ä", 200)})
	}
	m = s.want(s.public("GET /readyz?verbose", ""), 503, "no_leader")
	if m["checks_omitted"].(float64)+float64(len(m["checks"].([]any))) != 43 {
		t.Errorf("%v", m)
	}
	s.health.checks = nil
	s.server.Drain()
	s.want(s.public("GET /readyz", ""), 503, "draining")
}

func TestOperations(t *testing.T) {
	s := newShop(t)
	for _, do := range []func(string, string, ...string) answer{s.public, s.admin} {
		if a := do("GET /livez", ""); a.status != 200 || a.body != `{"live":true}` {
			t.Errorf("livez: %d %s", a.status, a.body)
		}
		if a := do("GET /version", ""); a.body != `{"version":"1.2.3","commit":"abc","go":"go"}` {
			t.Errorf("version: %s", a.body)
		}
	}
	for _, call := range []string{"GET /debug/pprof/", "GET /debug/pprof/heap?debug=1", "GET /debug/pprof/cmdline", "GET /debug/pprof/goroutine"} {
		if a := s.admin(call, ""); a.status != 200 || a.body == "" {
			t.Errorf("%s: %d", call, a.status)
		}
	}
	s.sku("shoe", `{"stock":1}`)
	s.place("k", `{"sku":"shoe","user":"u"}`)
	a := s.admin("GET /metrics", "")
	for _, line := range []string{
		`holdfast_api_requests_total{route="POST /v1/orders",status="201"} 1`,
		`holdfast_api_request_seconds_count{route="PUT /v1/skus/{sku}"} 1`,
		`holdfast_api_problems_total{code="sold_out"} 0`,
		`holdfast_api_received_bytes_total 36`,
		`holdfast_api_in_flight 1`,
	} {
		if !strings.Contains(a.body, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if s.counter("sent_bytes_total") == 0 {
		t.Error("no bytes sent")
	}
}

func TestRequestID(t *testing.T) {
	s := newShop(t)
	if a := s.public("GET /livez", "", "X-Request-Id: my-id:7"); a.header.Get("X-Request-Id") != "my-id:7" {
		t.Errorf("%v", a.header)
	}
	for _, given := range []string{"", long(129), "a b", "ü", "a\x00b"} {
		a := s.public("GET /livez", "", "X-Request-Id: "+given)
		if got := a.header.Get("X-Request-Id"); len(got) != 36 || got[14] != '7' {
			t.Errorf("%q: %q is no UUID of version 7", given, got)
		}
	}
	m := s.want(s.public("GET /nothing", "", `X-Request-Id: "`+`\`), 404, "route_not_found")
	if m["request_id"] != `"\` {
		t.Errorf("%v", m)
	}
}

func TestDeadlines(t *testing.T) {
	s := newShop(t)
	s.sku("shoe", `{"stock":5}`)
	for header, want := range map[string]time.Duration{"": DefaultTimeout, "1": time.Millisecond, "60000": time.Minute} {
		var left time.Duration
		s.core.Before = func(ctx context.Context, _ stock.Request) stock.Outcome {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return stock.Outcome{Code: stock.DeadlineExceeded}
		}
		a := s.public("GET /v1/orders/"+someID, "", "Request-Timeout-Ms: "+header)
		s.want(a, 503, "deadline_exceeded")
		if left > want || left < want-time.Second || a.header.Get("Retry-After") != "1" {
			t.Errorf("Request-Timeout-Ms %q: %v left", header, left)
		}
	}
	s.core.Before = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.core.SKUs(ctx, "", 1); err == nil {
		t.Fatal("the core lists after the end")
	}
}

func TestListingFails(t *testing.T) {
	for _, row := range []struct {
		err, ended error
		code       stock.Code
	}{
		{errLost, nil, stock.Internal},
		{stock.ErrNotExecuted, nil, stock.NoLeader},
		{errLost, context.DeadlineExceeded, stock.DeadlineExceeded},
	} {
		x := &exchange{s: newShop(t).server}
		if p := x.listProblem(row.err, row.ended); p.code != row.code {
			t.Errorf("%v, %v: %v", row.err, row.ended, p.code)
		}
	}
}

func TestCheckListenAddr(t *testing.T) {
	for addr, want := range map[string]error{
		"127.0.0.1:8080": nil, "127.1.2.3:0": nil, "[::1]:8080": nil, "localhost:8080": nil, "[::ffff:127.0.0.1]:80": nil,
		":8080": ErrNotLoopback, "0.0.0.0:8080": ErrNotLoopback, "[::]:8080": ErrNotLoopback, "10.0.0.1:1": ErrNotLoopback,
		"shop.example:80": ErrNotLoopback, "localhost.example:80": ErrNotLoopback, "127.0.0.1.example:80": ErrNotLoopback,
		"127.0.0.1": ErrAddress, "": ErrAddress, "127.0.0.1:http": ErrAddress, "127.0.0.1:65536": ErrAddress, "127.0.0.1:": ErrAddress,
		"::1:8080": ErrAddress,
	} {
		if err := CheckListenAddr(addr, false); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", addr, err, want)
		}
		if err := CheckListenAddr(addr, true); (err != nil) != (want == ErrAddress) {
			t.Errorf("%q, insecure: %v", addr, err)
		}
	}
}

func TestConfig(t *testing.T) {
	good := newShop(t).server.cfg
	for name, change := range map[string]func(*Config){
		"no core":          func(c *Config) { c.Core = nil },
		"no health":        func(c *Config) { c.Health = nil },
		"a negative bound": func(c *Config) { c.MaxBatchItems = -1 },
		"a negative time":  func(c *Config) { c.BodyTimeout = -1 },
	} {
		cfg := good
		cfg.Registry = prometheus.NewRegistry()
		change(&cfg)
		if _, err := New(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(good); err == nil {
		t.Error("two servers share a registry")
	}
	s, err := New(Config{Core: good.Core, Health: good.Health})
	if err != nil || s.cfg.Now == nil || s.cfg.MaxBodyBytes != 65536 || s.cfg.MaxBatchBytes != 8388608 || s.cfg.MaxBatchItems != 8192 {
		t.Errorf("defaults: %+v %v", s.cfg, err)
	}
}

// Every code of the domain has a row, every row is complete, and each has its heading in the reference.
func TestCodeTable(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for code := range problems {
		row := &problems[code]
		acceptance := stock.Code(code) == 0 || stock.Code(code).Executed()
		if acceptance != (row.status == 0) {
			t.Errorf("code %d: %+v", code, row)
			continue
		}
		if acceptance {
			continue
		}
		if stock.Code(code) <= stock.Internal && row.name != stock.Code(code).String() {
			t.Errorf("%v is called %s", stock.Code(code), row.name)
		}
		if row.title == "" || names[row.name] || row.status < 400 {
			t.Errorf("row %+v", row)
		}
		names[row.name] = true
		if !strings.Contains(string(page), "\n### "+row.name+"\n") {
			t.Errorf("docs/api.md has no heading for %s", row.name)
		}
		if row.retryable != (row.status >= 500 || strings.Contains(retryable, row.name+" ")) {
			t.Errorf("%s: retryable %v", row.name, row.retryable)
		}
	}
}

// retryable are the 4xx codes that say so.
const retryable = "not_started body_timeout sold_out_pending insufficient_stock frozen "

// No problem is longer than its bound, whatever its members hold.
func TestProblemSize(t *testing.T) {
	worst := strings.Repeat(`"\`, 64)
	for code := range problems {
		p := &problem{code: stock.Code(code), detail: &stock.Detail{
			OpensAt: 1, ClosesAt: 1, MaxQty: maxInt64, Limit: maxInt64, Used: maxInt64, Available: maxInt64, Held: maxInt64, NextReleaseAt: 1,
			ExpiredAt: 1, State: stock.StateConfirmed, Returnable: maxInt64, FirstPaymentID: worst,
			Differs: []string{"stock", "mode", "hold_ttl_ms", "limit_per_user", "max_qty", "opens_at", "closes_at", "hot"},
			Field:   long(200) + worst, Reason: worst + long(2000), Bound: worst,
		}}
		if b := appendProblem(nil, p, worst); len(b) > maxProblemBytes {
			t.Errorf("%s: %d bytes", rowOf(p.code).name, len(b))
		}
	}
	huge := &problem{code: stock.SKUExists, detail: &stock.Detail{Differs: []string{long(2000)}}}
	if b := appendProblem(nil, huge, "r"); len(b) > maxProblemBytes || b[len(b)-1] != '}' {
		t.Errorf("%d bytes", len(b))
	}
}

// Nor whatever stands in them: each text by the thousand, in every place that a caller, a database or a bug could fill. What is cut is said to be.
func TestProblemSizeOfAnyText(t *testing.T) {
	texts := []string{"", "x", `"`, `\`, "/", "<", "\x00", "\x1f", "\n", "\x7f", "\u0085", "\u2028", "ü", "€", "🛒", "\xff", "\xe2\x82", "\ufffd", "a\x01", "€\"\x02"}
	for _, text := range texts {
		for _, times := range []int{1, 20, 21, 22, 42, 63, 64, 65, 127, 128, 129, 2000} {
			s := strings.Repeat(text, times)
			for code := range problems {
				p := &problem{code: stock.Code(code), detail: &stock.Detail{Field: s, Reason: s, Bound: s, FirstPaymentID: s, Differs: []string{s, s}}}
				b := appendProblem(nil, p, strings.Repeat(`"`, maxRequestIDBytes))
				if len(b) > maxProblemBytes || !json.Valid(b) {
					t.Fatalf("%s of %d times %q: %d bytes: %s", rowOf(p.code).name, times, text, len(b), b)
				}
			}
			for _, n := range []int{maxFieldBytes, 2 * maxFieldBytes} {
				got, whole := clip(s, n), appendString(nil, s)
				if kept := strings.TrimSuffix(got, "..."); len(appendString(nil, kept)) > n+2 || !strings.HasPrefix(s, kept) {
					t.Fatalf("%d times %q cut to %d: %q", times, text, n, got)
				}
				if (got == s) != (len(whole) <= n+2) {
					t.Fatalf("%d times %q, %d bytes of JSON, cut to %d: %q", times, text, len(whole), n, got)
				}
			}
		}
	}
}

// A profile that was asked to last for long ends with what it has when the node goes down.
func TestProfileEndsWithTheNode(t *testing.T) {
	s := newShop(t)
	ended := make(chan answer, 1)
	go func() { ended <- s.admin("GET /debug/pprof/profile?seconds=70", "") }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.counter("in_flight") == 0 {
		<-tick.C
	}
	s.server.Drain()
	select {
	case a := <-ended:
		if a.status != 200 || a.body == "" {
			t.Errorf("%d, %d bytes", a.status, len(a.body))
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
}

// What Go's handlers refuse is a problem like any other; a difference of two profiles that a drain cuts short is answered as such, and is no fault.
func TestProfilesRefused(t *testing.T) {
	var text bytes.Buffer
	s := newShop(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
	for query, reason := range map[string]string{
		"profile?seconds=0": "positive", "profile?seconds=x": "positive", "trace?seconds=-1": "positive", "trace?seconds=NaN": "positive", "heap?seconds=x": "positive",
		"heap?seconds=0.5": "positive integer", "threadcreate?seconds=1&debug=1": "incompatible", "symbol?seconds=nonsense": "positive",
	} {
		a := s.admin("GET /debug/pprof/"+query, "")
		m := s.want(a, 400, "invalid_value")
		if told, _ := m["reason"].(string); m["field"] != "seconds" || !strings.Contains(told, reason) || a.header.Get("X-Go-Pprof") != "" {
			t.Errorf("%s: %s %v", query, a.body, a.header)
		}
	}
	s.want(s.admin("GET /debug/pprof/nonesuch?seconds=1", ""), 404, "route_not_found")
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	a := s.admin("GET /debug/pprof/profile?seconds=1", "")
	pprof.StopCPUProfile()
	if m := s.want(a, 503, "overloaded"); m["bound"] != "profile" || a.header.Get("Content-Disposition") != "" || a.header.Get("Retry-After") != "1" {
		t.Errorf("%s %v", a.body, a.header)
	}
	ended := make(chan answer, 1)
	go func() { ended <- s.admin("GET /debug/pprof/heap?seconds=70", "") }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.counter("in_flight") == 0 {
		<-tick.C
	}
	s.server.Drain()
	s.want(<-ended, 503, "draining")
	if strings.Contains(text.String(), "level=ERROR") || !strings.Contains(text.String(), "draining") {
		t.Errorf("%s", text.String())
	}
}
