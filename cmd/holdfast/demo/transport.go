package demo

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/api/client"
)

// wire counts the requests of the crowd, and which of those that change something had to be sent again because their answer was lost.
type wire struct {
	to       *http.Transport
	answered atomic.Int64
	underWay atomic.Int64

	mu    sync.Mutex          // guards again
	again map[string]struct{} // by what was asked: a request that is sent a third time counts once
}

var _ http.RoundTripper = (*wire)(nil)

func newWire(conns int) *wire {
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	return &wire{
		to: &http.Transport{
			DialContext: dialer.DialContext, MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns, MaxIdleConns: conns,
			IdleConnTimeout: 20 * time.Second, DisableCompression: true,
		},
		again: make(map[string]struct{}),
	}
}

// RoundTrip sends a request.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Header.Get("Idempotency-Retry") != "" {
		key := ""
		for name, values := range req.Header {
			if strings.EqualFold(name, "Idempotency-Key") { // the client spells it in small letters
				key = values[0]
			}
		}
		w.mu.Lock()
		w.again[req.Method+req.URL.Path+" "+key] = struct{}{}
		w.mu.Unlock()
	}
	w.underWay.Add(1)
	defer w.underWay.Add(-1)
	resp, err := w.to.RoundTrip(req)
	if err == nil {
		w.answered.Add(1)
	}
	return resp, err
}

func (w *wire) askedAgain() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.again))
}

// newClient returns a client of a node that asks again, under the same key, until an outcome is known.
func newClient(w *wire, addr, admin string) (*client.Client, error) {
	c, err := client.New(client.Config{Addr: addr, AdminAddr: admin, HTTP: &http.Client{Transport: w}, Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	return c.Retrying(client.Policy{AttemptTimeout: 5 * time.Second, Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}), nil
}

func stateOf(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.State
	}
	return ""
}
