package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says where the server is and how to talk to it.
type Config struct {
	// Addr is the public listener, as http://host:port, https://host:port or host:port, which is http. Orders and availability go there.
	Addr string
	// AdminAddr is the admin listener. It may be empty in a client that only places orders.
	AdminAddr string
	// HTTP sends the requests; nil: a client of its own with pooled keep-alive connections. It must not follow redirects or resend.
	HTTP *http.Client
	// MaxConns bounds the connections to each address; 0: DefaultMaxConns. Not used with HTTP.
	MaxConns int
	// APIKey is sent with each request; "": none. It never stands in an error.
	APIKey string
	// RootCAs vouch for an https server; nil: the system's. Not used with HTTP.
	RootCAs *x509.CertPool
	// Timeout bounds a call whose context has no deadline; 0: DefaultTimeout.
	Timeout time.Duration
	// Retry is the policy of PlaceOrderUntilKnown.
	Retry Policy
}

// The defaults of Config.
const (
	DefaultMaxConns = 256
	DefaultTimeout  = 10 * time.Second
)

// Client is a connection pool to one node. Its methods may be called concurrently.
type Client struct {
	public, admin string
	// authorization is the header's value, "" without a key.
	authorization string
	http          *http.Client
	own           *http.Transport
	timeout       time.Duration
	policy        Policy
	retrying      bool
}

// New returns a client. It makes no connection yet. The error wraps ErrAddr.
func New(cfg Config) (*Client, error) {
	c := &Client{http: cfg.HTTP, timeout: cfg.Timeout, policy: cfg.Retry.withDefaults()}
	var err error
	if c.public, err = baseURL(cfg.Addr); err != nil {
		return nil, err
	}
	if c.admin, err = baseURL(cfg.AdminAddr); err != nil {
		return nil, err
	}
	if cfg.APIKey != "" {
		c.authorization = "Bearer " + cfg.APIKey
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.http == nil {
		c.own = newTransport(cfg.MaxConns, cfg.RootCAs)
		c.http = &http.Client{Transport: c.own, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return c, nil
}

// Close closes the idle connections of a client that made its own. Calls under way are not disturbed.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Retrying returns a client on the same connections that sends a call again under the policy until its outcome is known or the context ends.
func (c *Client) Retrying(p Policy) *Client {
	again := *c
	again.policy = p.withDefaults()
	again.retrying = true
	return &again
}

// newTransport keeps connections for less time than the server does, so that a request seldom meets one that is being closed.
func newTransport(maxConns int, authorities *x509.CertPool) *http.Transport {
	if maxConns <= 0 {
		maxConns = DefaultMaxConns
	}
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		MaxConnsPerHost:        maxConns,
		MaxIdleConns:           2 * maxConns,
		MaxIdleConnsPerHost:    maxConns,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

func baseURL(addr string) (string, error) {
	if addr == "" {
		return "", nil
	}
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", fmt.Errorf("%w: %q is not http://host:port", ErrAddr, addr)
	}
	return u.Scheme + "://" + u.Host, nil
}
