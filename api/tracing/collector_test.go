package tracing

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector takes spans as a real one does, or does not.
type collector struct {
	*httptest.Server
	t testing.TB
	// answer, when set, answers instead.
	answer http.HandlerFunc

	mu       sync.Mutex
	resource map[string]string
	spans    []*tracepb.Span
	headers  http.Header
	calls    int
}

func newCollector(t testing.TB, answer http.HandlerFunc) *collector {
	t.Helper()
	c := &collector{t: t, answer: answer, resource: make(map[string]string)}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	t.Setenv(envEndpoint, c.URL)
	return c
}

// ServeHTTP answers an export. Its body has the form of TracesData, whose one member is that of the request.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	c.calls++
	c.headers = r.Header
	c.mu.Unlock()
	if c.answer != nil {
		c.answer(w, r)
		return
	}
	var batch tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &batch)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		c.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range batch.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			c.resource[a.Key] = text(a.Value)
		}
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

func text(v *v1.AnyValue) string {
	switch v.Value.(type) {
	case *v1.AnyValue_StringValue:
		return v.GetStringValue()
	default:
		return strings.TrimSpace(v.String())
	}
}

func (c *collector) taken() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans
}

// named returns the spans of one name below a parent ("" for any).
func (c *collector) named(name string) (found []*tracepb.Span) {
	for _, s := range c.taken() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

func attributesOf(s *tracepb.Span) map[string]string {
	m := make(map[string]string)
	for _, a := range s.Attributes {
		m[a.Key] = text(a.Value)
	}
	return m
}

func id(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// metric returns the value of a metric of this package, by its result when it has one.
func metric(t testing.TB, reg *prometheus.Registry, name, result string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "holdfast_tracing_"+name && (result == "" || m.GetLabel()[0].GetValue() == result) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s %s", name, result)
	return 0
}
