package demo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/api/client"
)

// answering starts a node that answers every request in one way.
func answering(t *testing.T, answer http.HandlerFunc) *place {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	addr := strings.TrimPrefix(s.URL, "http://")
	return &place{public: addr, admin: addr}
}

func status(code int, problem string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"code":"` + problem + `"}`))
	}
}

// hangUp takes a request and ends its connection.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// nobody is a place where nothing listens.
func nobody(t *testing.T) *place {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return &place{public: addr, admin: addr}
}

// What a node that lived left in doubt is counted, what a killed one did is not, and a node that does not answer is let alone.
func TestWireCountsDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		answer  http.HandlerFunc // nil: nobody listens
		killed  bool
		unknown int64
		rests   bool
	}{
		"accepted":                      {status(201, ""), false, 0, false},
		"sold out":                      {status(409, "sold_out"), false, 0, false},
		"not executed":                  {status(503, "no_leader"), false, 0, false},
		"nobody knows":                  {status(504, "outcome_unknown"), false, 1, false},
		"nobody knows, of a killed one": {status(504, "outcome_unknown"), true, 1, false},
		"a bug":                         {status(500, "internal"), false, 1, false},
		"a lost answer":                 {hangUp, false, 1, true},
		"a lost answer of a killed one": {hangUp, true, 0, true},
		"nobody there":                  {nil, false, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			at := nobody(t)
			if test.answer != nil {
				at = answering(t, test.answer)
			}
			at.killed.Store(test.killed)
			w := newWire(&spread{places: []*place{at}}, 4)
			defer w.to.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, publicPlace+"/v1/orders", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := w.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
			if got, rests := w.unknown.Load(), at.restsUntil.Load() > 0; got != test.unknown || rests != test.rests {
				t.Errorf("%d unknown, rests: %t", got, rests)
			}
		})
	}
}

// A sale that is broken off leaves nobody in doubt.
func TestWireOfASaleBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	w := newWire(&spread{places: []*place{at}}, 4)
	defer w.to.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, publicPlace+"/v1/orders/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.RoundTrip(req); !errors.Is(err, context.Canceled) || w.unknown.Load() != 0 {
		t.Errorf("%v, %d unknown", err, w.unknown.Load())
	}
}

// The crowd buys on from the nodes that are left, under the same key, and every node gets its share.
func TestCrowdGoesOnElsewhere(t *testing.T) {
	var asked []string
	order := func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Idempotency-Key")+" "+r.Header.Get("Idempotency-Retry"))
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"1","sku":"sneaker","user":"u","qty":1}`))
	}
	lost := answering(t, hangUp)
	w := newWire(&spread{places: []*place{lost, nobody(t), answering(t, order)}}, 4)
	defer w.to.CloseIdleConnections()
	c, err := newClient(w)
	if err != nil {
		t.Fatal(err)
	}
	w.spread.turn.Store(2) // the next turn is that of the first
	if _, err := c.PlaceOrder(t.Context(), "k", client.NewOrder{SKU: sku, User: "u"}); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0] != "k true" || w.askedAgain() != 1 {
		t.Errorf("asked %q, %d again", asked, w.askedAgain())
	}
}

func TestSpreadTakesTurns(t *testing.T) {
	s := &spread{places: []*place{{public: "a"}, {public: "b"}, {public: "c"}}}
	turns := func() (names string) {
		for range 6 {
			names += s.next().public
		}
		return names
	}
	if got := turns(); got != "bcabca" {
		t.Errorf("turns %s", got)
	}
	s.places[2].restsUntil.Store(time.Now().Add(time.Hour).UnixMilli())
	if got := turns(); strings.Contains(got, "c") || !strings.Contains(got, "a") || !strings.Contains(got, "b") {
		t.Errorf("turns %s while c rests", got)
	}
	s.places[2].restsUntil.Store(0)
	s.places[1].starting.Store(true)
	if got := turns(); strings.Contains(got, "b") || !strings.Contains(got, "a") || !strings.Contains(got, "c") {
		t.Errorf("turns %s while b starts", got)
	}
	for _, p := range s.places {
		p.restsUntil.Store(time.Now().Add(time.Hour).UnixMilli())
	}
	if got := turns(); got != "bcabca" {
		t.Errorf("turns %s while all rest", got)
	}
}

// The admin listener is another address of the same node.
func TestAddressed(t *testing.T) {
	p := &place{public: "127.0.0.1:1", admin: "127.0.0.1:2"}
	for from, want := range map[string]string{publicPlace + "/v1/orders": "http://127.0.0.1:1/v1/orders", adminPlace + "/v1/skus?limit=1": "http://127.0.0.1:2/v1/skus?limit=1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.addressed(req); got.URL.String() != want || got.Host != got.URL.Host || req.URL.String() != from {
			t.Errorf("%s goes to %s at %s", req.URL, got.URL, got.Host)
		}
	}
}
