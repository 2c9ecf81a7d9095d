package api

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/badinputtest"
)

// rawCases are requests as they stand on a connection.
func rawCases() map[string]string {
	chunked := "Transfer-Encoding: chunked\r\n\r\n1b\r\n" + orderText + "\r\n0\r\n\r\n"
	get := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	return map[string]string{
		"chunked":                   orderHead + chunked,
		"chunked-and-a-length":      orderHead + "Content-Length: 27\r\n" + chunked,
		"chunked-to-no-route":       "POST /v1/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two-lengths":               orderHead + "Content-Length: 27\r\nContent-Length: 28\r\n\r\n" + orderText,
		"a-list-of-lengths":         orderHead + "Content-Length: 27, 27\r\n\r\n" + orderText,
		"no-length":                 orderHead + "\r\n",
		"a-negative-length":         orderHead + "Content-Length: -1\r\n\r\n",
		"a-signed-length":           orderHead + "Content-Length: +27\r\n\r\n" + orderText,
		"a-length-beyond-int64":     orderHead + "Content-Length: 9223372036854775808\r\n\r\n" + orderText,
		"too-long-a-header":         orderHead + "X-Pad: " + long(MaxHeaderBytes+5000) + "\r\n\r\n",
		"too-many-headers":          orderHead + strings.Repeat("X-Pad: x\r\n", 3000) + "\r\n",
		"too-long-a-path":           get("/v1/skus/" + long(MaxHeaderBytes+5000)),
		"a-space-before-the-colon":  orderHead + "Content-Length : 27\r\n\r\n" + orderText,
		"a-nul-in-a-header":         orderHead + "X-Note: a\x00b\r\nContent-Length: 27\r\n\r\n" + orderText,
		"another-transfer-encoding": orderHead + "Transfer-Encoding: gzip\r\n\r\n",
		"another-http":              "GET /livez HTTP/3.0\r\nHost: h\r\n\r\n",
		"http-2-preface":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"no-http":                   "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
		"no-host":                   "GET /livez HTTP/1.1\r\n\r\n",
		"a-broken-escape":           get("/v1/skus/%zz/availability"),
		"an-unknown-expectation":    orderHead + "Expect: the-best\r\nContent-Length: 27\r\n\r\n" + orderText,
		"the-whole-server":          "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"a-proxys-target":           get("http://other/v1/../x"),
		"connect":                   "CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n",
		"dots-on-the-wire":          get("/v1/orders/../orders"),
		"too-large-a-body":          orderHead + "Content-Length: 65537\r\n\r\n" + orderText,
		"far-too-large-a-body":      orderHead + "Content-Length: 9223372036854775807\r\n\r\n" + orderText,
		"leave-to-send-too-much":    orderHead + "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
		"a-body-cut-off":            orderHead + "Content-Length: 100\r\n\r\n{",
	}
}

// What only a connection shows: the rows of bad input below the handler. Each has its own server, in virtual time.
func TestBadInputOnTheWire(t *testing.T) {
	f := newFiles(t)
	f.issue(t, 1, noon)
	cases := []badinputtest.Case{
		wireCase("slow-head", trickledHead), wireCase("slow-body", trickledBody), wireCase("nothing-sent", silent), wireCase("an-expectation-and-no-body", unexpected),
		wireCase("idle-too-long", idler), wireCase("answers-not-read", deaf),
		wireCase("one-connection-too-many", crowded, func(c *Config) { c.MaxConns = 2 }),
		wireCase("a-name-on-loopback", rebound),
		wireCase("waits-in-the-way", inTheWay, func(c *Config) { c.MaxConns = 2 }),
		wireCase("bodies-beyond-memory", heavy, func(c *Config) { c.MaxBodyMemoryBytes = 70_000 }),
		wireCase("tls-plain", plainToTLS, f.load(t)), wireCase("tls-nothing", silent, f.load(t)),
		wireCase("tls-half-a-record", halfRecord, f.load(t)), wireCase("tls-old", strangeHello(&tls.Config{
			InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), f.load(t)),
		wireCase("tls-http-2-only", strangeHello(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}), f.load(t)),
	}
	for id, text := range rawCases() {
		cases = append(cases, wireCase(id, raw(text)))
	}
	badinputtest.Run(t, "wire", cases)
}

// wireCase runs a case against a server of its own: the row's counter moves by one, nothing reaches the core, and a good order succeeds.
func wireCase(id string, do func(t *testing.T, w *wire, r badinputtest.Row), change ...func(*Config)) badinputtest.Case {
	return badinputtest.Case{ID: id, Do: func(t *testing.T, r badinputtest.Row) {
		onWire(t, func(w *wire) {
			do(t, w, r)
			synctest.Wait()
			if w.core.Calls() != 0 || w.core.Index() != 1 {
				t.Error("the core was asked")
			}
			metric, labels := strings.TrimPrefix(r.Counted, "api_"), []string(nil)
			switch metric {
			case "connections_ended_total":
				labels = []string{"reason", r.Says[0]}
			case "problems_total":
				labels = []string{"code", r.Code()}
			}
			if got := w.counter(metric, labels...); got != 1 {
				t.Errorf("%s counts %v", r.Counted, got)
			}
			w.buys(t)
			// Whoever still drips finds out that nobody listens.
			<-time.After(2 * time.Second)
		}, change...)
	}}
}

// buys places an order over a connection of its own, over TLS where that is spoken.
func (w *wire) buys(t *testing.T) {
	t.Helper()
	w.sku("shoe", `{"stock":5}`)
	var c net.Conn = w.publicAt.dial(t)
	if w.server.cfg.Certificate != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	defer c.Close()
	go io.WriteString(c, rawOrder("alive"))
	if r, body := reply(t, bufio.NewReader(c)); r.StatusCode != 201 {
		t.Errorf("afterwards: %d %s", r.StatusCode, body)
	}
}

// answered checks an answer against its row. What net/http refuses itself is plain text.
func answered(t *testing.T, r badinputtest.Row, status int, kind, body string) {
	t.Helper()
	if status != r.Status {
		t.Fatalf("status %d, want %d: %s", status, r.Status, body)
	}
	if problem := kind == "application/problem+json"; problem != (r.Code() != "") {
		t.Errorf("%s %s", kind, body)
	}
	for name, said := range map[string]string{"code": r.Code(), "bound": r.Names()} {
		if said != "" && !strings.Contains(body, fmt.Sprintf(`"%s":"%s"`, name, said)) {
			t.Errorf("%s is not %s: %s", name, said, body)
		}
	}
	if len(body) > maxProblemBytes {
		t.Errorf("a problem of %d bytes", len(body))
	}
}

func raw(text string) func(*testing.T, *wire, badinputtest.Row) {
	return func(t *testing.T, w *wire, r badinputtest.Row) {
		began := time.Now()
		got, body := w.send(t, 0, text)
		answered(t, r, got.StatusCode, got.Header.Get("Content-Type"), body)
		if took := w.replied.Sub(began); took > DefaultBodyTimeout {
			t.Errorf("after %v", took)
		}
	}
}

// ends waits until the server hangs up, and checks when.
func ends(t *testing.T, c net.Conn, after time.Duration) string {
	t.Helper()
	began := time.Now()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("the server does not hang up: %v", err)
	}
	if took := time.Since(began); took > after+time.Second {
		t.Errorf("after %v", took)
	}
	c.Close()
	return string(b)
}

// drip writes a byte a second until nobody takes it.
func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := c.Write([]byte(text[i : i+1])); err != nil {
			return
		}
		<-time.After(time.Second)
	}
}

func trickledHead(t *testing.T, w *wire, _ badinputtest.Row) {
	c := w.publicAt.dial(t)
	go drip(c, orderHead)
	ends(t, c, DefaultHeaderTimeout)
}

func trickledBody(t *testing.T, w *wire, r badinputtest.Row) {
	c := w.publicAt.dial(t)
	written := make(chan struct{})
	go func() {
		defer close(written)
		if _, err := io.WriteString(c, orderHead+"Content-Length: 26\r\n\r\n"); err == nil {
			drip(c, orderText)
		}
	}()
	began := time.Now()
	got, body := reply(t, bufio.NewReader(c))
	answered(t, r, got.StatusCode, got.Header.Get("Content-Type"), body)
	if took := time.Since(began); took > DefaultBodyTimeout || !got.Close {
		t.Errorf("after %v: %v", took, got.Header)
	}
	c.Close()
	<-written
}

// unexpected: what is waited for after a refused expectation never comes.
func unexpected(t *testing.T, w *wire, r badinputtest.Row) {
	c := w.publicAt.dial(t)
	go io.WriteString(c, orderHead+"Expect: the-best\r\nContent-Length: 100\r\n\r\n")
	if text := ends(t, c, lingerTimeout); !strings.HasPrefix(text, fmt.Sprintf("HTTP/1.1 %d ", r.Status)) {
		t.Errorf("%q", text)
	}
}

func silent(t *testing.T, w *wire, _ badinputtest.Row) {
	if text := ends(t, w.publicAt.dial(t), DefaultHeaderTimeout); text != "" {
		t.Errorf("an answer to nothing: %q", text)
	}
}

func idler(t *testing.T, w *wire, _ badinputtest.Row) {
	c := w.publicAt.dial(t)
	from := bufio.NewReader(c)
	go io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
	reply(t, from)
	ends(t, c, DefaultIdleTimeout)
}

// deaf sends request after request and takes no answer.
func deaf(t *testing.T, w *wire, _ badinputtest.Row) {
	c := w.publicAt.dial(t)
	began := time.Now()
	go io.WriteString(c, strings.Repeat("GET /livez HTTP/1.1\r\nHost: h\r\n\r\n", 1000))
	synctest.Wait() // The connection is accepted, and its answers are not taken.
	for w.counter("connections", "listener", "public") > 0 {
		<-time.After(100 * time.Millisecond)
		if time.Since(began) > answerTimeout+time.Second {
			t.Fatal("the server waits for ever")
		}
	}
	c.Close()
}

// crowded: both places are taken by callers that have only just come.
func crowded(t *testing.T, w *wire, r badinputtest.Row) {
	first, second := w.publicAt.dial(t), w.publicAt.dial(t)
	got, body := w.send(t, 0)
	answered(t, r, got.StatusCode, got.Header.Get("Content-Type"), body)
	if got.Header.Get("Retry-After") != "1" || !got.Close {
		t.Errorf("%v", got.Header)
	}
	first.Close()
	second.Close()
}

// inTheWay: both places are taken by callers that send nothing, and a buyer comes.
func inTheWay(t *testing.T, w *wire, _ badinputtest.Row) {
	first := w.publicAt.dial(t)
	<-time.After(time.Millisecond)
	second := w.publicAt.dial(t)
	<-time.After(2 * evictableAfter)
	buyer := w.publicAt.dial(t)
	ends(t, first, 0)
	go io.WriteString(buyer, "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
	if r, body := reply(t, bufio.NewReader(buyer)); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	buyer.Close()
	second.Close()
}

func heavy(t *testing.T, w *wire, r badinputtest.Row) {
	slow := w.publicAt.dial(t)
	if _, err := io.WriteString(slow, orderHead+"Content-Length: 60000\r\n\r\n"+strings.Repeat(" ", 59_999)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	got, body := w.send(t, 0, orderHead+"Content-Length: 20000\r\n\r\n"+strings.Repeat(" ", 20_000))
	answered(t, r, got.StatusCode, got.Header.Get("Content-Type"), body)
	slow.Close()
}

// rebound: the listener is one that only its own machine reaches, and is called by a name.
func rebound(t *testing.T, w *wire, r badinputtest.Row) {
	w.server.public.loopback.Store(true)
	raw("GET /v1/skus/shoe/availability HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n")(t, w, r)
	w.server.public.loopback.Store(false)
}

func plainToTLS(t *testing.T, w *wire, r badinputtest.Row) {
	got, body := w.send(t, 0, rawOrder("k"))
	answered(t, r, got.StatusCode, got.Header.Get("Content-Type"), body)
}

func halfRecord(t *testing.T, w *wire, _ badinputtest.Row) {
	c := w.publicAt.dial(t)
	go c.Write([]byte{0x16, 3, 1, 2})
	ends(t, c, DefaultHeaderTimeout)
}

// strangeHello shakes hands as this server never does.
func strangeHello(config *tls.Config) func(*testing.T, *wire, badinputtest.Row) {
	return func(t *testing.T, w *wire, _ badinputtest.Row) {
		c := tls.Client(w.publicAt.dial(t), config)
		if err := c.Handshake(); err == nil {
			t.Errorf("%+v", c.ConnectionState())
		}
		c.Close()
	}
}
