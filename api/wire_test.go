package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/api/apitest"
	"holdfast/stock"
)

// pipes is a listener in memory, for tests in virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (l *pipes) dial(t *testing.T) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near
	case <-l.done:
		t.Fatal("the listener is closed")
		return nil
	}
}

// wire is a shop that serves on listeners in memory.
type wire struct {
	*shop
	publicAt, adminAt *pipes
	served            chan error
	// replied is when the last reply was there.
	replied time.Time
}

// onWire runs a test in virtual time against a serving shop, and shuts it down.
func onWire(t *testing.T, test func(w *wire), change ...func(*Config)) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, append([]func(*Config){func(c *Config) {
			c.Now = time.Now
			c.Core = apitest.NewCore(func() stock.Time { return stock.TimeOf(time.Now()) })
		}}, change...)...)
		if core, ok := s.server.cfg.Core.(*apitest.Core); ok {
			s.core = core
		}
		w := &wire{shop: s, publicAt: newPipes(), adminAt: newPipes(), served: make(chan error, 1)}
		go func() { w.served <- s.server.Serve(w.publicAt, w.adminAt) }()
		synctest.Wait()
		test(w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-w.served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// send writes raw bytes and goes on writing parts, each after a pause; the reply is read at the same time.
func (w *wire) send(t *testing.T, pause time.Duration, parts ...string) (*http.Response, string) {
	t.Helper()
	c := w.publicAt.dial(t)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i, part := range parts {
			if i > 0 {
				<-time.After(pause)
			}
			// The server may hang up before it has read all: that is what some tests are about.
			if _, err := io.WriteString(c, part); err != nil {
				return
			}
		}
	}()
	r, body := reply(t, bufio.NewReader(c))
	w.replied = time.Now()
	c.Close()
	<-written
	return r, body
}

func reply(t *testing.T, from *bufio.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

const (
	orderHead = "POST /v1/orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n"
	orderText = `{"sku":"shoe","user":"ann"}`
)

func rawOrder(key string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", strings.Replace(orderHead, "Key: k", "Key: "+key, 1), len(orderText), orderText)
}

// alive places an order over a connection of its own.
func (w *wire) alive(t *testing.T) {
	t.Helper()
	if a := w.admin("PUT /v1/skus/shoe", `{"stock":5}`); a.status > 201 {
		t.Fatalf("create: %s", a.body)
	}
	if r, body := w.send(t, 0, rawOrder("alive")); r.StatusCode != 201 {
		t.Errorf("afterwards: %d %s", r.StatusCode, body)
	}
}

// A body that comes too slowly is answered 408 at the body's deadline, whatever the route; the connection ends with it.
func TestSlowBody(t *testing.T) {
	for _, row := range []struct {
		name, head string
		status     int
	}{
		{"order", orderHead, 408},
		{"no such route", "POST /v1/nothing HTTP/1.1\r\nHost: h\r\n", 404},
		{"not declared as JSON", "POST /v1/orders HTTP/1.1\r\nHost: h\r\nIdempotency-Key: k\r\n", 415},
		{"a GET", "GET /livez HTTP/1.1\r\nHost: h\r\n", 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			onWire(t, func(w *wire) {
				began := time.Now()
				r, body := w.send(t, time.Second, row.head+"Content-Length: 100\r\n\r\n{", `"`, "s", "k", "u", `"`, ":", `"`, "s", "h", "o", "e")
				if r.StatusCode != row.status {
					t.Fatalf("%d %s", r.StatusCode, body)
				}
				if row.status == 408 && (!strings.Contains(body, `"code":"body_timeout","retryable":true`) || !r.Close) {
					t.Errorf("%v %s", r.Header, body)
				}
				if took := w.replied.Sub(began); took > DefaultBodyTimeout {
					t.Errorf("took %v", took)
				}
				if w.core.Calls() != 0 {
					t.Error("the core was asked")
				}
				w.alive(t)
			})
		})
	}
}

// A body that nobody reads keeps a connection no longer than a moment: a stranger's, a probe's, that of no route.
func TestUnwantedBody(t *testing.T) {
	for name, head := range map[string]string{
		"a stranger's": orderHead, "a probe's": "GET /livez HTTP/1.1\r\nHost: h\r\n", "of no route": "POST /v1/nothing HTTP/1.1\r\nHost: h\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			onWire(t, func(w *wire) {
				c := w.publicAt.dial(t)
				go io.WriteString(c, head+"Content-Length: 100\r\n\r\n{")
				ends(t, c, lingerTimeout)
			}, withKeys(t, entryOf("shop", "order", "a key")))
		})
	}
}

// Bodies that are announced and do not come take no memory from those that do.
func TestAnnouncedBodies(t *testing.T) {
	const batch, memory = 1 << 20, 2 << 20
	onWire(t, func(w *wire) {
		for range 4 {
			c := w.publicAt.dial(t)
			defer c.Close()
			go io.WriteString(c, "POST /v1/orders:batch HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n{")
		}
		synctest.Wait()
		w.alive(t)
		// What has come counts.
		a := w.public("POST /v1/orders:batch", `{"orders":[`+strings.Repeat(" ", batch-13)+`]}`)
		if a.status != 400 || w.counter("body_memory_bytes") > batch {
			t.Errorf("%d %s, %v bytes are held", a.status, a.body, w.counter("body_memory_bytes"))
		}
	}, func(c *Config) { c.MaxBatchBytes, c.MaxBodyMemoryBytes = batch, memory })
}

// The deadline of the body ends with the body: a request may wait for its outcome far longer.
func TestWaitsLongerThanTheBodyMay(t *testing.T) {
	onWire(t, func(w *wire) {
		w.admin("PUT /v1/skus/shoe", `{"stock":5}`)
		w.core.Before = func(ctx context.Context, r stock.Request) stock.Outcome {
			select {
			case <-ctx.Done():
				return stock.Outcome{Code: stock.OutcomeUnknown}
			case <-time.After(30 * time.Second):
				return stock.Outcome{}
			}
		}
		text := strings.Replace(rawOrder("k"), "\r\n\r\n", "\r\nRequest-Timeout-Ms: 40000\r\n\r\n", 1)
		if r, body := w.send(t, 0, text); r.StatusCode != 201 {
			t.Errorf("%d %s", r.StatusCode, body)
		}
		// By default it would have been five seconds.
		began := time.Now()
		r, body := w.send(t, 0, rawOrder("k2"))
		if r.StatusCode != 504 || !strings.Contains(body, "outcome_unknown") || time.Since(began) != DefaultTimeout {
			t.Errorf("%d %s after %v", r.StatusCode, body, time.Since(began))
		}
	})
}

// A caller that hangs up ends its request's context.
func TestCallerGone(t *testing.T) {
	onWire(t, func(w *wire) {
		gone := make(chan error, 1)
		w.core.Before = func(ctx context.Context, r stock.Request) stock.Outcome {
			<-ctx.Done()
			gone <- ctx.Err()
			return stock.Outcome{Code: stock.OutcomeUnknown}
		}
		c := w.publicAt.dial(t)
		if _, err := io.WriteString(c, rawOrder("k")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Close()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended with %v", err)
		}
	})
}

// Connections are used again, also after a refusal; each answer on them belongs to its request.
func TestKeepAlive(t *testing.T) {
	onWire(t, func(w *wire) {
		w.admin("PUT /v1/skus/shoe", `{"stock":2}`)
		c := w.publicAt.dial(t)
		from := bufio.NewReader(c)
		for i, want := range []int{201, 201, 409, 409} {
			go io.WriteString(c, rawOrder(fmt.Sprint("k", i)))
			if r, body := reply(t, from); r.StatusCode != want || r.Close {
				t.Errorf("order %d: %d %s", i, r.StatusCode, body)
			}
		}
		go io.WriteString(c, "HEAD /v1/skus/shoe/availability HTTP/1.1\r\nHost: h\r\n\r\nGET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
		r, err := http.ReadResponse(from, &http.Request{Method: http.MethodHead})
		if err != nil || r.StatusCode != 200 || r.ContentLength == 0 || r.Header.Get("Etag") == "" {
			t.Errorf("HEAD: %v %v", r, err)
		}
		if r, body := reply(t, from); r.StatusCode != 200 || body != `{"live":true}` {
			t.Errorf("after HEAD: %d %s", r.StatusCode, body)
		}
		c.Close()
	})
}

func TestConnectionBound(t *testing.T) {
	onWire(t, func(w *wire) {
		first, second := w.publicAt.dial(t), w.publicAt.dial(t)
		r, body := w.send(t, 0)
		if r.StatusCode != 503 || !strings.Contains(body, `"code":"overloaded"`) || !strings.Contains(body, `"bound":"max-conns"`) {
			t.Errorf("%d %s", r.StatusCode, body)
		}
		if r.Header.Get("Retry-After") != "1" || !r.Close {
			t.Errorf("%v", r.Header)
		}
		if w.counter("connections", "listener", "public") != 2 || w.counter("connections_refused_total", "listener", "public") != 1 {
			t.Error("the metrics do not say so")
		}
		first.Close()
		synctest.Wait()
		w.alive(t)
		second.Close()
	}, func(c *Config) { c.MaxConns = 2 })
}

// Bodies of all requests together are bounded, and the memory is given back.
func TestBodyMemoryBound(t *testing.T) {
	onWire(t, func(w *wire) {
		slow := w.publicAt.dial(t)
		if _, err := io.WriteString(slow, orderHead+"Content-Length: 60000\r\n\r\n"+strings.Repeat(" ", 59_999)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.counter("body_memory_bytes"); got != 60000 {
			t.Errorf("%v bytes are held", got)
		}
		r, body := w.send(t, 0, orderHead+"Content-Length: 20000\r\n\r\n"+strings.Repeat(" ", 20_000))
		if r.StatusCode != 503 || !strings.Contains(body, `"bound":"max-body-memory"`) {
			t.Errorf("%d %s", r.StatusCode, body)
		}
		batch := `{"orders":[` + strings.Repeat(`{"key":"k","sku":"s","user":"u"},`, 9) + `{"key":"k","sku":"s","user":"u"}]}`
		if m := w.want(w.public(batching, batch), 503, "overloaded"); m["bound"] != "max-body-memory" || w.core.Calls() != 0 {
			t.Errorf("a batch whose answer has no room: %v", m)
		}
		if got := w.counter("overloaded_total", "bound", "max-body-memory"); got != 2 {
			t.Errorf("%v counted as overloaded by that bound", got)
		}
		slow.Close()
		synctest.Wait()
		if got := w.counter("body_memory_bytes"); got != 0 {
			t.Errorf("%v bytes are still held", got)
		}
		w.alive(t)
	}, func(c *Config) { c.MaxBodyMemoryBytes = 70_000 })
}

// Drain refuses new commands and fails readiness; what was admitted is answered before Shutdown returns.
func TestDrain(t *testing.T) {
	onWire(t, func(w *wire) {
		w.admin("PUT /v1/skus/shoe", `{"stock":5}`)
		admitted, release := make(chan struct{}), make(chan struct{})
		w.core.Before = func(_ context.Context, r stock.Request) stock.Outcome {
			if _, ok := r.(*stock.Place); ok {
				close(admitted)
				<-release
			}
			return stock.Outcome{}
		}
		answered := make(chan int, 1)
		go func() {
			r, _ := w.send(t, 0, rawOrder("k"))
			answered <- r.StatusCode
		}()
		<-admitted
		w.want(w.public("GET /readyz", ""), 200, "")
		w.server.Drain()
		a := w.public(placing, orderText, "Idempotency-Key: k2")
		w.want(a, 503, "draining")
		if a.header.Get("Retry-After") != "1" || a.header.Get("Connection") != "close" {
			t.Errorf("%v", a.header)
		}
		for _, call := range []string{batching, "POST /v1/orders/x/cancel", "POST /v1/skus/shoe/outcomes/k/fence"} {
			w.want(w.public(call, "{}"), 503, "draining")
		}
		w.want(w.admin("PUT /v1/skus/cup", `{"stock":1}`), 503, "draining")
		w.want(w.public("GET /readyz", ""), 503, "draining")
		w.want(w.public("GET /livez", ""), 200, "")
		// What is still answered ends its connection too: it would be closed under the next request.
		if a = w.public("GET /v1/skus/shoe/availability", ""); a.status != 200 || a.header.Get("Connection") != "close" {
			t.Errorf("%d %v", a.status, a.header)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- w.server.Shutdown(context.Background()) }()
		synctest.Wait()
		select {
		case err := <-stopped:
			t.Fatalf("shut down before the admitted order was answered: %v", err)
		default:
		}
		close(release)
		if status := <-answered; status != 201 {
			t.Errorf("the admitted order: %d", status)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A request that never ends does not hold Shutdown beyond its context, and neither leaks.
func TestShutdownDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, func(c *Config) { c.Now = time.Now })
		s.core.Before = func(ctx context.Context, _ stock.Request) stock.Outcome {
			<-ctx.Done()
			return stock.Outcome{Code: stock.OutcomeUnknown}
		}
		w := &wire{shop: s, publicAt: newPipes(), adminAt: newPipes(), served: make(chan error, 1)}
		go func() { w.served <- s.server.Serve(w.publicAt, w.adminAt) }()
		c := w.publicAt.dial(t)
		if _, err := io.WriteString(c, strings.Replace(rawOrder("k"), "\r\n\r\n", "\r\nRequest-Timeout-Ms: 60000\r\n\r\n", 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-w.served; err != nil {
			t.Errorf("serve: %v", err)
		}
		c.Close()
	})
}

// failing is a listener that breaks.
type failing struct{ *pipes }

var errBroken = errors.New("broken")

func (failing) Accept() (net.Conn, error) { return nil, errBroken }

func TestServeEndsWhenAListenerFails(t *testing.T) {
	s := newShop(t)
	if err := s.server.Serve(newPipes(), failing{newPipes()}); !errors.Is(err, errBroken) {
		t.Errorf("serve: %v", err)
	}
}
