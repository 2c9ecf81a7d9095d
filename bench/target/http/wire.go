package http

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// door is one public listener.
type door struct {
	base      *url.URL
	transport *http.Transport
	// authorization is the header's value; nil without a key.
	authorization []string
	timeout       time.Duration
}

const (
	ordersPath = "/v1/orders"
	batchPath  = "/v1/orders:batch"
	// maxReplyBytes bounds what is read of an answer.
	maxReplyBytes = 64 << 20
)

func newDoor(cfg *Config, addr string) (*door, error) {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%w: %q is not http://host:port", ErrConfig, addr)
	}
	d := &door{base: u, timeout: cfg.Timeout}
	if cfg.APIKey != "" {
		d.authorization = []string{"Bearer " + cfg.APIKey}
	}
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	d.transport = &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConns: 2 * cfg.Clients, MaxIdleConnsPerHost: cfg.Clients, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second, TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
	}
	return d, nil
}

func (d *door) close() { d.transport.CloseIdleConnections() }

var contentType = []string{"application/json"}

// errUnsent is the error of a request that never left.
var errUnsent = errors.New("http: not sent")

// post sends a body once. It wraps errUnsent when no connection could be made; after any other error the request may have been executed.
func (d *door) post(ctx context.Context, path, key string, body []byte, into *bytes.Buffer) (status int, err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%w: %w", errUnsent, ctx.Err())
	}
	u := *d.base
	u.Path = path
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	left -= min(left/10, 100*time.Millisecond) // for the answer to travel
	h := http.Header{
		"Content-Type":       contentType,
		"Request-Timeout-Ms": {strconv.FormatInt(min(max(left.Milliseconds(), 1), 60_000), 10)},
	}
	if key != "" {
		// In small letters: a transport that knows the name sends such a request again by itself, without saying so.
		h["idempotency-key"] = []string{key}
	}
	if d.authorization != nil {
		h["Authorization"] = d.authorization
	}
	req := (&http.Request{
		Method: http.MethodPost, URL: &u, Host: u.Host, Header: h, ContentLength: int64(len(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)),
	}).WithContext(ctx)
	resp, err := d.transport.RoundTrip(req)
	if err != nil {
		if op, isOp := errors.AsType[*net.OpError](err); isOp && op.Op == "dial" {
			return 0, fmt.Errorf("%w: %w", errUnsent, err)
		}
		return 0, fmt.Errorf("http: %w", err)
	}
	into.Reset()
	_, err = into.ReadFrom(io.LimitReader(resp.Body, maxReplyBytes))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, fmt.Errorf("http: read the answer: %w", err)
	}
	return resp.StatusCode, nil
}
