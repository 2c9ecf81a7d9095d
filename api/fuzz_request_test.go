package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// naiveRoute finds the route of a target by the words of docs/api.md: split at the slashes, decode each part, compare with each pattern.
func naiveRoute(rt *router, method, target string) (pattern string, args []string, code string) {
	path, _, _ := strings.Cut(target, "?")
	var parts []string
	clean := strings.HasPrefix(path, "/")
	if path != "/" {
		for _, part := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
			decoded, err := url.PathUnescape(part)
			clean = clean && err == nil && decoded != "" && decoded != "." && decoded != ".."
			parts = append(parts, decoded)
		}
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	known := false
	for _, routes := range rt.bySegments {
		for _, r := range routes {
			args, matches := naiveMatch(r.pattern, parts)
			if known = known || matches; matches && r.method == method {
				return strings.Join(r.pattern, "/"), args, ""
			}
		}
	}
	switch {
	case known:
		return "", nil, "method_not_allowed"
	case !clean:
		return "", nil, "bad_path"
	}
	return "", nil, "route_not_found"
}

func naiveMatch(pattern, parts []string) (args []string, ok bool) {
	if len(pattern) != len(parts) {
		return nil, false
	}
	for i, want := range pattern {
		switch {
		case !strings.HasPrefix(want, "{"):
			if parts[i] != want {
				return nil, false
			}
		case parts[i] == "" || parts[i] == "." || parts[i] == "..":
			return nil, false
		default:
			args = append(args, parts[i])
		}
	}
	return args, true
}

// FuzzPath: the router finds what the words find, with the same names, or the same problem.
func FuzzPath(f *testing.F) {
	for _, c := range pathCases() {
		method, target, _ := strings.Cut(c.call, " ")
		f.Add(method, target, c.admin)
	}
	for _, target := range []string{"/v1/skus/a%2Fb/availability", "/v1/skus/a/outcomes/%25", "/v1/orders:batch", "/v1/orders%3Abatch", "/livez?x=/..", "/v1/skus/%"} {
		f.Add("GET", target, false)
	}
	s := newShop(f)
	f.Fuzz(func(t *testing.T, method, target string, admin bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
			return // net/http refuses it, or it is a proxy's
		}
		rt := s.server.public
		if admin {
			rt = s.server.admin
		}
		var args [2]string
		found, p := rt.find(&http.Request{Method: method, URL: u}, &args)
		pattern, names, code := naiveRoute(rt, method, target)
		if (found == nil) != (pattern == "" && code != "") {
			t.Fatalf("%s %q: %+v %s, want %q %s", method, target, found, said(p), pattern, code)
		}
		if found == nil {
			if rowOf(p.code).name != code {
				t.Fatalf("%s %q: %s, want %s", method, target, said(p), code)
			}
			return
		}
		if got := strings.Join(found.pattern, "/"); got != pattern || strings.Join(args[:len(names)], "/") != strings.Join(names, "/") {
			t.Fatalf("%s %q: %s %q, want %s %q", method, target, got, args, pattern, names)
		}
	})
}

// seenRequest is a request as it reached the handler, and how often the core was asked for it.
type seenRequest struct {
	method string
	calls  int64
}

// watching notes what reaches a handler. One connection's requests come one after the other.
type watching struct {
	http.Handler
	shop *shop
	mu   sync.Mutex // guards seen
	seen []seenRequest
}

func (h *watching) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	before := h.shop.core.Calls()
	h.Handler.ServeHTTP(w, r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, seenRequest{r.Method, h.shop.core.Calls() - before})
}

// exchangeRaw sends bytes over one connection and returns all that comes back before the server hangs up.
func exchangeRaw(t *testing.T, text []byte) (seen []seenRequest, reply []byte, took time.Duration) {
	onWire(t, func(w *wire) {
		w.sku("shoe", `{"stock":1000}`)
		h := &watching{Handler: w.server.servers[0].Handler, shop: w.shop}
		w.server.servers[0].Handler = h
		c := w.publicAt.dial(t)
		began := time.Now()
		go func() { _, _ = c.Write(text) }() // the server may hang up before it has read all
		reply, _ = io.ReadAll(c)
		took = time.Since(began)
		c.Close()
		synctest.Wait()
		seen = h.seen
	})
	return seen, reply, took
}

var (
	headEnd   = regexp.MustCompile(`\r?\n\r?\n`)
	aLength   = regexp.MustCompile(`(?im)^content-length:[ \t]*(.*?)[ \t]*\r?$`)
	aTransfer = regexp.MustCompile(`(?im)^transfer-encoding:`)
)

// twoFramings reports whether the first head in the text says twice where its body ends: two lengths that differ, or a length beside an encoding.
func twoFramings(text []byte) bool {
	end := headEnd.FindIndex(text)
	if end == nil {
		return false
	}
	head := text[:end[0]]
	lengths := aLength.FindAllSubmatch(head, -1)
	for _, l := range lengths {
		if !bytes.Equal(l[1], lengths[0][1]) {
			return true
		}
	}
	return len(lengths) > 0 && aTransfer.Match(head)
}

// FuzzRequestHead: any bytes on a connection are answered in whole answers, or it is closed, in time. One request asks the core once at most, and
// never when it says twice where its body ends.
func FuzzRequestHead(f *testing.F) {
	for _, text := range rawCases() {
		if len(text) < 4096 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(rawOrder("k")))
	f.Add([]byte(rawOrder("k1") + rawOrder("k2") + "HEAD /v1/skus/shoe/availability HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte(orderHead + "Expect: 100-continue\r\nContent-Length: 27\r\n\r\n" + orderText))
	f.Add([]byte(strings.ReplaceAll(rawOrder("k"), "\r\n", "\n")))
	f.Add([]byte("GET /livez HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		seen, reply, took := exchangeRaw(t, text)
		// Each request has a request line, and a line has its version.
		if lines := bytes.Count(text, []byte("HTTP/")); len(seen) > lines {
			t.Errorf("%d requests from %d request lines: %q", len(seen), lines, text)
		}
		var calls int64
		for _, r := range seen {
			// Availability is looked at, and its shard.
			most := int64(1)
			if r.method != http.MethodPost {
				most = 2
			}
			if calls += r.calls; r.calls > most && !bytes.Contains(text, []byte("batch")) {
				t.Errorf("one %s asked the core %d times: %q", r.method, r.calls, text)
			}
		}
		if calls > 0 && twoFramings(text) {
			t.Errorf("the core was asked by a request with two framings: %q", text)
		}
		if most := DefaultHeaderTimeout + DefaultIdleTimeout + DefaultBodyTimeout*time.Duration(1+len(seen)); took > most {
			t.Errorf("after %v: %q", took, text)
		}
		wellFormed(t, text, reply, seen)
	})
}

// wellFormed reads the answers one by one: each is whole, and a problem is one.
func wellFormed(t *testing.T, text, reply []byte, seen []seenRequest) {
	t.Helper()
	from := bufio.NewReader(bytes.NewReader(reply))
	for i := 0; ; {
		if _, err := from.Peek(1); errors.Is(err, io.EOF) {
			if i < len(seen) {
				t.Errorf("%d requests, %d answers: %q", len(seen), i, text)
			}
			return
		}
		method := http.MethodGet
		if i < len(seen) {
			method = seen[i].method
		}
		r, err := http.ReadResponse(from, &http.Request{Method: method})
		if err != nil {
			t.Errorf("answer %d to %q: %v in %q", i, text, err, reply)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("answer %d to %q: %v", i, text, err)
			return
		}
		if r.StatusCode != http.StatusContinue {
			i++
		}
		if r.StatusCode >= 300 && r.StatusCode < 400 && r.StatusCode != http.StatusNotModified || r.StatusCode >= 500 && r.StatusCode != 501 && r.StatusCode != 505 {
			t.Errorf("%d to %q", r.StatusCode, text)
		}
		if r.Header.Get("Content-Type") == "application/problem+json" && method != http.MethodHead && (len(body) > maxProblemBytes || !json.Valid(body)) {
			t.Errorf("a problem of %d bytes to %q: %s", len(body), text, body)
		}
	}
}

// The oracle of FuzzRequestHead against heads that say twice, and heads that do not.
func TestTwoFramings(t *testing.T) {
	for text, want := range map[string]bool{
		rawOrder("k"): false, rawCases()["two-lengths"]: true, rawCases()["chunked-and-a-length"]: true, rawCases()["chunked"]: false,
		"POST / HTTP/1.1\ncontent-length: 1\nCONTENT-LENGTH:1\n\n": false, "POST / HTTP/1.1\nContent-Length: 1": false,
	} {
		if twoFramings([]byte(text)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// FuzzRequestHead would notice a core that is asked twice, and answers that are cut.
func TestRequestCheckerNotices(t *testing.T) {
	seen, reply, _ := exchangeRaw(t, []byte(rawOrder("k1")+rawOrder("k2")))
	if len(seen) != 2 || seen[0].calls != 1 || seen[1].calls != 1 || bytes.Count(reply, []byte("HTTP/1.1 201 ")) != 2 {
		t.Fatalf("%+v %s", seen, reply)
	}
	probe := &testing.T{}
	wellFormed(probe, nil, reply[:len(reply)-1], seen)
	if !probe.Failed() {
		t.Error("an answer that is cut passes")
	}
}
