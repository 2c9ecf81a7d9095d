package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxReplyBytes bounds what is read of a reply: the largest batch answer, with room.
	maxReplyBytes = 64 << 20
	// maxServerTimeout is the longest time the server lets a request ask for.
	maxServerTimeout = 60 * time.Second
)

// call is one request, sent once or several times.
type call struct {
	method, base, path string
	key                string
	body               any
}

// reply is what came back.
type reply struct {
	status   int
	header   http.Header
	body     []byte
	attempts int
}

// do makes the call and decodes a 2xx answer into out, when that is not nil.
func (c *Client) do(ctx context.Context, k call, out any) (reply, error) {
	if k.base == "" {
		return reply{}, &NoAnswer{Err: fmt.Errorf("%w: none was given for %s %s", ErrAddr, k.method, k.path)}
	}
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return reply{}, &NoAnswer{Err: fmt.Errorf("client: encode %s %s: %w", k.method, k.path, err)}
		}
	}
	if _, ok := ctx.Deadline(); !ok {
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		ctx = limited
	}
	r, err := c.attempts(ctx, k, body)
	if err != nil || out == nil {
		return r, err
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return r, &NoAnswer{Sent: true, Err: fmt.Errorf("%w: status %d: %w", ErrNotHoldfast, r.status, err)}
	}
	return r, nil
}

// once sends the request one time. again marks it as one of which an earlier copy may be under way.
func (c *Client) once(ctx context.Context, k call, body []byte, again bool) (reply, error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := k.request(httptrace.WithClientTrace(ctx, trace), body, again)
	if err != nil {
		return reply{}, err
	}
	if c.authorization != "" {
		req.Header["Authorization"] = []string{c.authorization}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// Only our own transport is known to report its connections; of another one, no more than a failed dial is proof.
		sent := (connected.Load() || c.own == nil) && !IsUnreachable(err)
		return reply{}, &NoAnswer{Sent: sent, Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes))
	if err != nil {
		return reply{}, &NoAnswer{Sent: true, Err: fmt.Errorf("client: read the answer to %s %s: %w", k.method, k.path, err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return reply{}, problemOf(resp.StatusCode, resp.Header, text)
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: text}, nil
}

func (k call) request(ctx context.Context, body []byte, again bool) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, k.base+k.path, content)
	if err != nil {
		return nil, &NoAnswer{Err: fmt.Errorf("client: %s %s: %w", k.method, k.path, err)}
	}
	if body != nil {
		req.Header["Content-Type"] = []string{"application/json"}
	}
	if k.key != "" {
		// Written in small letters on purpose. net/http's transport sends a request again by itself, unmarked, when a reused connection
		// breaks and the map holds "Idempotency-Key". That copy could be refused while the first is still under way and later wins. Under
		// this spelling, which is the same header on the wire, it only resends when not one byte had been written; every other resend is
		// ours and carries Idempotency-Retry.
		req.Header["idempotency-key"] = []string{k.key}
	}
	if again {
		req.Header["Idempotency-Retry"] = []string{"true"}
	}
	if deadline, ok := ctx.Deadline(); ok {
		req.Header["Request-Timeout-Ms"] = []string{serverTimeout(time.Until(deadline))}
	}
	return req, nil
}

// serverTimeout leaves the last tenth, at most 100 ms, for the answer to travel: the server's word beats our own silence.
func serverTimeout(left time.Duration) string {
	left -= min(left/10, 100*time.Millisecond)
	ms := min(max(left, time.Millisecond), maxServerTimeout).Milliseconds()
	return strconv.FormatInt(ms, 10)
}

func retryAfter(h http.Header) time.Duration {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s < 0 {
		return 0
	}
	return time.Duration(s) * time.Second
}
