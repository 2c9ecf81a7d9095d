package demo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/api/client"
)

// wire is the crowd's way to the nodes. It counts the requests, which of those that change something had to be sent again because their answer was
// lost, and which were left in doubt by a node that lived.
type wire struct {
	spread   *spread
	to       *http.Transport
	answered atomic.Int64
	underWay atomic.Int64
	unknown  atomic.Int64

	mu    sync.Mutex          // guards again
	again map[string]struct{} // by what was asked: a request that is sent a third time counts once
}

var _ http.RoundTripper = (*wire)(nil)

func newWire(s *spread, conns int) *wire {
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	return &wire{
		spread: s,
		to: &http.Transport{
			DialContext: dialer.DialContext, MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns, MaxIdleConns: conns * len(s.places),
			IdleConnTimeout: 20 * time.Second, DisableCompression: true,
		},
		again: make(map[string]struct{}),
	}
}

// RoundTrip sends a request to one of the nodes.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.noteAgain(req)
	w.underWay.Add(1)
	defer w.underWay.Add(-1)
	at := w.spread.next()
	resp, err := w.to.RoundTrip(at.addressed(req))
	switch {
	case err == nil:
		w.answered.Add(1)
		if resp.StatusCode == http.StatusGatewayTimeout || resp.StatusCode == http.StatusInternalServerError {
			w.unknown.Add(1)
		}
		return resp, nil
	case errors.Is(req.Context().Err(), context.Canceled): // the sale was broken off
		return nil, err
	case !at.killed.Load() && !client.IsUnreachable(err):
		w.unknown.Add(1)
	}
	at.rest()
	return nil, err
}

// noteAgain counts a request of which a copy may be under way.
func (w *wire) noteAgain(req *http.Request) {
	if req.Method == http.MethodGet || req.Header.Get("Idempotency-Retry") == "" {
		return
	}
	key := ""
	for name, values := range req.Header {
		if strings.EqualFold(name, "Idempotency-Key") { // the client spells it in small letters
			key = values[0]
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again[req.Method+req.URL.Path+" "+key] = struct{}{}
}

func (w *wire) askedAgain() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.again))
}

// attemptTimeout is longer than a change of leaders takes: a node that lives is to find out by itself what became of a request.
const attemptTimeout = 20 * time.Second

// newClient returns a client of all nodes that asks again, under the same key, until an outcome is known.
func newClient(w *wire) (*client.Client, error) {
	c, err := client.New(client.Config{Addr: publicPlace, AdminAddr: adminPlace, HTTP: &http.Client{Transport: w}, Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	return c.Retrying(client.Policy{AttemptTimeout: attemptTimeout, Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}), nil
}

func stateOf(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.State
	}
	return ""
}
