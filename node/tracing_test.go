package node

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/api/client"
)

// sell makes a node sell two units and refuse a third.
func sell(t *testing.T, n *Node) {
	t.Helper()
	c := n.client(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := c.CreateSKU(ctx, client.SKUSpec{SKU: "shoe", Stock: 2}); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ann", "bob"} {
		if _, err := c.PlaceOrder(ctx, user, client.NewOrder{SKU: "shoe", User: user}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.PlaceOrder(ctx, "cy", client.NewOrder{SKU: "shoe", User: "cy"}); !client.IsRefused(err) {
		t.Fatalf("a third order for two units: %v", err)
	}
}

// stacks returns what every goroutine is doing.
func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// The actor library has an OpenTelemetry of its own in it; both work in one process, the metrics are sound, and the last spans leave with the drain.
func TestSpansBesideTheActorLibrary(t *testing.T) {
	var exports, bytes atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		exports.Add(1)
		bytes.Add(n)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
	cfg := config(t.TempDir())
	cfg.Tracing = true
	n := open(t, cfg)
	sell(t, n)
	if _, err := n.registry.Gather(); err != nil {
		t.Error(err)
	}
	if exports.Load() > 0 {
		t.Error("exported before its time")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if exports.Load() != 1 || bytes.Load() < 500 {
		t.Errorf("%d exports of %d bytes", exports.Load(), bytes.Load())
	}
}

// Without an endpoint nothing of the exporter is there, whatever else the environment says.
func TestNoSpansUnasked(t *testing.T) {
	called := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) }))
	defer called.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", called.URL)
	n := open(t, config(t.TempDir()))
	sell(t, n)
	if s := stacks(); strings.Contains(s, "go.opentelemetry.io") || strings.Contains(s, "google.golang.org/grpc") {
		t.Errorf("%s", s)
	}
	if n.tracer() != nil {
		t.Error("a tracer")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// A collector that hangs, or is not there, changes no answer, and holds the end only so long.
func TestDeadCollector(t *testing.T) {
	hang := make(chan struct{})
	deaf := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer deaf.Close()
	defer close(hang)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{"hangs": deaf.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
			t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2")
			cfg := config(t.TempDir())
			cfg.Tracing = true
			n := open(t, cfg)
			sell(t, n)
			start := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := n.Drain(ctx); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > spansGrace+5*time.Second {
				t.Errorf("the drain took %v", took)
			}
			if s := stacks(); strings.Contains(s, "batchSpanProcessor") {
				t.Errorf("%s", s)
			}
		})
	}
}
