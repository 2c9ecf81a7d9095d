package tracing

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"holdfast/api"
	"holdfast/api/apitest"
	"holdfast/internal/logtest"
	"holdfast/stock"
)

type ready struct{}

func (ready) Ready() []api.Check { return nil }

// front is a front door whose requests are exported.
type front struct {
	t        *testing.T
	core     *apitest.Core
	server   *api.Server
	exporter *Exporter
	reg      *prometheus.Registry
	log      logtest.Journal
}

func newFront(t *testing.T, change ...func(*Config)) *front {
	t.Helper()
	f := &front{t: t, reg: prometheus.NewRegistry()}
	f.core = apitest.NewCore(func() stock.Time { return stock.TimeOf(time.Now()) })
	cfg := Config{NodeID: "n7", Version: "1.2.3", Registerer: f.reg, Logger: f.log.Logger()}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if f.exporter, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	if f.server, err = api.New(api.Config{Core: f.core, Health: ready{}, Tracer: f.exporter}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *front) ask(h http.Handler, method, target, body string, headers ...string) int {
	f.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func (f *front) order(key, user string, headers ...string) int {
	f.t.Helper()
	return f.ask(f.server.Public(), "POST", "/v1/orders", `{"sku":"marker-sku","user":"`+user+`"}`, append(headers, "Idempotency-Key: "+key)...)
}

func (f *front) close(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return f.exporter.Close(ctx)
}

const (
	trace1  = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent1 = "00f067aa0ba902b7"
)

// What arrives for an accepted order, a refusal and an unknown outcome.
func TestSpansOfOrders(t *testing.T) {
	c := newCollector(t, nil)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	f := newFront(t)
	if got := f.ask(f.server.Admin(), "PUT", "/v1/skus/marker-sku", `{"stock":1}`); got != 201 {
		t.Fatal(got)
	}
	accepted := f.order("marker-key", "marker-user", "Traceparent: 00-"+trace1+"-"+parent1+"-01", "Tracestate: vendor=1", "X-Request-Id: r-1")
	refused := f.order("marker-key-2", "marker-user-2")
	f.core.Before = func(context.Context, stock.Request) stock.Outcome { return stock.Outcome{Code: stock.OutcomeUnknown} }
	unknown := f.order("marker-key-3", "marker-user-3")
	if accepted != 201 || refused != 409 || unknown != 504 {
		t.Fatal(accepted, refused, unknown)
	}
	f.ask(f.server.Public(), "GET", "/v1/marker", "")
	if err := f.close(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if c.resource["service.name"] != "holdfast" || c.resource["service.instance.id"] != "n7" || c.resource["service.version"] != "1.2.3" ||
		c.resource["deployment.environment.name"] != "test" || c.headers.Get("Api-Key") != "abc" {
		t.Errorf("%v %v", c.resource, c.headers)
	}
	orders := c.named("POST /v1/orders")
	if len(orders) != 3 || len(c.named("PUT /v1/skus/{sku}")) != 1 || len(c.named("GET")) != 1 || len(c.named("admit")) != 4 || len(c.taken()) != 13 {
		t.Fatalf("%v", c.taken())
	}
	checkAccepted(t, c, orders[0])
	if a := attributesOf(orders[1]); a["holdfast.code"] != "sold_out_pending" || a["error.type"] != "" || orders[1].GetStatus().GetCode() != 0 ||
		len(orders[1].ParentSpanId) != 0 || bytes.Equal(orders[1].TraceId, id(trace1)) {
		t.Errorf("refused: %v", orders[1])
	}
	if a := attributesOf(orders[2]); a["error.type"] != "outcome_unknown" || orders[2].GetStatus().GetCode() != tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("unknown: %v", orders[2])
	}
	for _, s := range c.taken() {
		if strings.Contains(s.String(), "marker") {
			t.Errorf("what was bought is in a span: %v", s)
		}
	}
	if n := metric(t, f.reg, "spans_total", "exported"); n != 13 || metric(t, f.reg, "queued_spans", "") != 0 {
		t.Errorf("%v spans exported", n)
	}
	if f.log.String() != "" {
		t.Errorf("%s", f.log.String())
	}
}

func checkAccepted(t *testing.T, c *collector, s *tracepb.Span) {
	t.Helper()
	a := attributesOf(s)
	if a["http.request.method"] != "POST" || a["http.route"] != "/v1/orders" || !strings.Contains(a["http.response.status_code"], "201") ||
		a["url.scheme"] != "http" || a["holdfast.request_id"] != "r-1" || a["url.path"] != "" || a["error.type"] != "" {
		t.Errorf("%v", a)
	}
	if !bytes.Equal(s.TraceId, id(trace1)) || !bytes.Equal(s.ParentSpanId, id(parent1)) || s.TraceState != "vendor=1" ||
		s.Kind != tracepb.Span_SPAN_KIND_SERVER {
		t.Errorf("%v", s)
	}
	at := s.StartTimeUnixNano
	for _, name := range []string{"admit", "commit"} {
		for _, part := range c.named(name) {
			if !bytes.Equal(part.ParentSpanId, s.SpanId) {
				continue
			}
			if part.StartTimeUnixNano != at || part.EndTimeUnixNano < at || part.EndTimeUnixNano > s.EndTimeUnixNano || !bytes.Equal(part.TraceId, s.TraceId) {
				t.Errorf("%s: %v in %v", name, part, s)
			}
			at = part.EndTimeUnixNano
		}
	}
	if at == s.StartTimeUnixNano {
		t.Error("no parts")
	}
}

// The caller's decision counts, and without one the environment's.
func TestSampling(t *testing.T) {
	for sampler, want := range map[string]int{
		"": 2, "parentbased_always_on": 2, "parentbased_always_off": 1, "parentbased_traceidratio": 1, "traceidratio": 0, "always_on": 3, "always_off": 0,
	} {
		t.Run(sampler, func(t *testing.T) {
			c := newCollector(t, nil)
			if sampler != "" {
				t.Setenv("OTEL_TRACES_SAMPLER", sampler)
				t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0")
			}
			f := newFront(t)
			f.ask(f.server.Public(), "GET", "/livez", "")
			for _, flags := range []string{"00", "01"} {
				f.ask(f.server.Public(), "GET", "/livez", "", "Traceparent: 00-"+trace1+"-"+parent1+"-"+flags)
			}
			if err := f.close(10 * time.Second); err != nil {
				t.Fatal(err)
			}
			if got := len(c.taken()); got != want {
				t.Errorf("%d spans, not %d", got, want)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"nothing":             {nil, false},
		"endpoint":            {map[string]string{envEndpoint: "http://a:4318"}, true},
		"endpoint of traces":  {map[string]string{envTracesEndpoint: "http://a:4318/v1/traces"}, true},
		"empty endpoint":      {map[string]string{envEndpoint: " "}, false},
		"disabled":            {map[string]string{envEndpoint: "http://a", envDisabled: "TRUE"}, false},
		"not disabled":        {map[string]string{envEndpoint: "http://a", envDisabled: "1"}, true},
		"no exporter":         {map[string]string{envEndpoint: "http://a", envExporter: "none"}, false},
		"the exporter":        {map[string]string{envEndpoint: "http://a", envExporter: "otlp"}, true},
		"only other settings": {map[string]string{"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, false},
	} {
		if got := Wanted(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBadEnvironment(t *testing.T) {
	for _, endpoint := range []string{"a:4318", "grpc://a:4317", "http://", "http://user:marker@[", "://"} {
		t.Setenv(envEndpoint, endpoint)
		_, err := Open(Config{})
		if !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), "marker") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	newCollector(t, nil)
	// What the library says goes to the log, without what stands beside it.
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "marker-without-a-value")
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "name-without-a-value")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	for _, name := range []string{envQueue, envBatch, envDelay} {
		t.Setenv(name, "-1")
	}
	f := newFront(t)
	if err := f.close(time.Second); err != nil {
		t.Fatal(err)
	}
	text := f.log.String()
	if strings.Contains(text, "marker") || len(f.log.Records(t, "opentelemetry")) != 4 {
		t.Errorf("%s", text)
	}
}

// A collector that does not answer costs spans, which are counted; no request waits for it, and neither does the end for long.
func TestHangingCollector(t *testing.T) {
	before := runtime.NumGoroutine()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	c := newCollector(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	t.Setenv(envQueue, "64")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
	now := time.Now()
	f := newFront(t, func(c *Config) { c.Now = func() time.Time { return now } })
	// The library gives a send up after 10 s: one request that waited for it would take the whole of the time that all may take.
	const requests, exportTimeout = 2000, 10 * time.Second
	start := time.Now()
	for range requests {
		if got := f.ask(f.server.Public(), "GET", "/livez", ""); got != 200 {
			t.Fatal(got)
		}
	}
	if took := time.Since(start); took >= exportTimeout {
		t.Errorf("%d requests took %v", requests, took)
	}
	dropped, queued := metric(t, f.reg, "spans_total", "dropped"), metric(t, f.reg, "queued_spans", "")
	if dropped+queued != requests || queued > 64 {
		t.Errorf("%v dropped, %v queued", dropped, queued)
	}
	if got := f.log.Records(t, "lost"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := f.close(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if lost := metric(t, f.reg, "spans_total", "failed"); dropped+lost != requests || metric(t, f.reg, "queued_spans", "") != 0 {
		t.Errorf("%v failed", lost)
	}
	c.CloseClientConnections()
	settle(t, before+8)
}

// settle waits until no more goroutines run than that.
func settle(t *testing.T, most int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(5 * time.Second); runtime.NumGoroutine() > most; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d goroutines", runtime.NumGoroutine())
		}
	}
}

// A collector that refuses is named once a minute.
func TestRefusingCollector(t *testing.T) {
	newCollector(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strings.Repeat("no ", 1000), http.StatusBadRequest)
	})
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	now := time.Now()
	f := newFront(t, func(c *Config) { c.Now = func() time.Time { return now } })
	for range 5 {
		f.ask(f.server.Public(), "GET", "/livez", "")
	}
	flush := func() {
		t.Helper()
		if err := f.exporter.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	if got := f.log.Records(t, "lost"); len(got) != 1 || got[0]["spans"] != 1.0 || len(got[0]["error"].(string)) > maxErrorBytes+3 {
		t.Fatalf("%v", got)
	}
	now = now.Add(lossInterval)
	f.ask(f.server.Public(), "GET", "/livez", "")
	flush()
	if got := f.log.Records(t, "lost"); len(got) != 2 || got[1]["spans"] != 5.0 {
		t.Fatalf("%v", got)
	}
	if n := metric(t, f.reg, "spans_total", "failed"); n != 6 {
		t.Errorf("%v failed", n)
	}
	if err := f.close(time.Second); err != nil {
		t.Error(err)
	}
	if n := len(f.log.Records(t, "")); n != 2 {
		t.Errorf("%d records:\n%s", n, f.log.String())
	}
}

// BenchmarkAnswered is what a request pays for its spans, where nobody samples it and where somebody does.
func BenchmarkAnswered(b *testing.B) {
	b.Setenv(envEndpoint, "http://127.0.0.1:1")
	for _, sampler := range []string{"always_off", "always_on"} {
		b.Run("sampler="+sampler, func(b *testing.B) {
			b.Setenv("OTEL_TRACES_SAMPLER", sampler)
			e, err := Open(Config{})
			if err != nil {
				b.Fatal(err)
			}
			now := time.Now()
			s := api.Span{TraceID: [16]byte{1}, SpanID: [8]byte{2}, Method: "POST", Route: "/v1/orders", Status: 201, RequestID: "r",
				Start: now, Asked: now, Answered: now, End: now}
			b.ReportAllocs()
			for b.Loop() {
				e.Answered(s)
			}
			ctx, cancel := context.WithCancel(b.Context())
			cancel()
			_ = e.Close(ctx)
		})
	}
}
