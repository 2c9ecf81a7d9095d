package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"holdfast/api/apitest"
	"holdfast/api/topology"
	"holdfast/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ Core    = (*apitest.Core)(nil)
	_ Cluster = (*apitest.Cluster)(nil)
)

// noon is when the tests' clock starts.
var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

// clock is a wall clock that moves when it is told.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(noon.UnixMilli())
	return c
}

func (c *clock) Now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) moment() topology.Moment { return topology.Moment{Time: c.Now()} }
func (c *clock) log() stock.Time         { return stock.Time(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// health says what it is told.
type health struct{ checks []Check }

func (h *health) Ready() []Check { return h.checks }

// shop is a server over a fresh core.
type shop struct {
	t       testing.TB
	core    *apitest.Core
	cluster *apitest.Cluster
	clock   *clock
	health  *health
	reg     *prometheus.Registry
	server  *Server
	// key is presented with each call, when there is one.
	key string
}

func newShop(t testing.TB, change ...func(*Config)) *shop {
	t.Helper()
	c := newClock()
	s := &shop{t: t, clock: c, core: apitest.NewCore(c.log), health: &health{checks: []Check{{Name: "recovered", OK: true}}},
		cluster: apitest.NewCluster(c.moment), reg: prometheus.NewRegistry()}
	cfg := Config{Core: s.core, Cluster: s.cluster, Health: s.health, Registry: s.reg, Now: c.Now, Build: Build{Version: "1.2.3", Commit: "abc", Go: "go"}}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if s.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	s.server.servers[0].Handler, s.server.servers[1].Handler = witness{t, s.server.public}, witness{t, s.server.admin}
	return s
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
	return m
}

// asks has the shape of a call: "POST /v1/orders", a body, and headers as "Name: value".
func ask(t testing.TB, h http.Handler, call, body string, headers ...string) answer {
	t.Helper()
	method, target, _ := strings.Cut(call, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{w.Code, w.Result().Header, w.Body.String()}
	if rt, ok := h.(*router); ok {
		hold(t, rt, r, a)
	}
	return a
}

func (s *shop) public(call, body string, headers ...string) answer {
	s.t.Helper()
	return ask(s.t, s.server.Public(), call, body, s.presenting(headers)...)
}

func (s *shop) presenting(headers []string) []string {
	if s.key == "" {
		return headers
	}
	return append([]string{"Authorization: Bearer " + s.key}, headers...)
}

func (s *shop) admin(call, body string, headers ...string) answer {
	s.t.Helper()
	return ask(s.t, s.server.Admin(), call, body, s.presenting(headers)...)
}

// sku creates a SKU.
func (s *shop) sku(name, body string) {
	s.t.Helper()
	if a := s.admin("PUT /v1/skus/"+name, body); a.status != 201 {
		s.t.Fatalf("create %s: %d %s", name, a.status, a.body)
	}
}

// place places an order and returns its id.
func (s *shop) place(key, body string) string {
	s.t.Helper()
	a := s.public("POST /v1/orders", body, "Idempotency-Key: "+key)
	if a.status != 201 {
		s.t.Fatalf("place %s: %d %s", key, a.status, a.body)
	}
	return a.json(s.t)["id"].(string)
}

// want checks the status and, for a problem, its code and form.
func (s *shop) want(a answer, status int, code string) map[string]any {
	s.t.Helper()
	if a.status != status {
		s.t.Fatalf("status %d, want %d %s: %s", a.status, status, code, a.body)
	}
	m := a.json(s.t)
	if code == "" {
		if got := a.header.Get("Content-Type"); got != "application/json" {
			s.t.Errorf("Content-Type %q", got)
		}
		return m
	}
	wantProblem(s.t, a, m, code)
	return m
}

func wantProblem(t testing.TB, a answer, m map[string]any, code string) {
	t.Helper()
	if m["code"] != code || m["type"] != typeURN+code || m["status"] != float64(a.status) {
		t.Errorf("problem %s, want code %s", a.body, code)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if m["request_id"] != a.header.Get("X-Request-Id") || m["request_id"] == "" {
		t.Errorf("request_id %v, header %q", m["request_id"], a.header.Get("X-Request-Id"))
	}
	if m["title"] == "" || m["detail"] == "" {
		t.Errorf("no title or detail: %s", a.body)
	}
	if len(a.body) > maxProblemBytes {
		t.Errorf("a problem of %d bytes", len(a.body))
	}
}

// counter sums the samples of a metric whose labels include the given pairs.
func (s *shop) counter(name string, labels ...string) float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != "holdfast_api_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if labelled(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func labelled(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}
