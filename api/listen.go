package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/stock"
)

// CheckListenAddr checks the address of a listener: it must be loopback (127.0.0.0/8, ::1 or localhost) unless the listener has both TLS and keys,
// or nobody wants it to be guarded. An address without a host listens everywhere and so is not loopback. The error wraps ErrAddress or ErrNotLoopback.
func CheckListenAddr(addr string, guarded bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%w %q: %w", ErrAddress, addr, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%w %q: the port is not a number of 0 to 65535", ErrAddress, addr)
	}
	if guarded || host == "localhost" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Unmap().IsLoopback() {
		return fmt.Errorf("%w: %q can be reached by others, which takes both TLS and API keys", ErrNotLoopback, addr)
	}
	return nil
}

// boundedListener lets at most max connections be open. One more gets a 503 at once, which costs less than a connection and tells the caller
// more than a full backlog would.
type boundedListener struct {
	net.Listener
	open    atomic.Int64
	max     int64
	metrics *listenerMetrics
	// full is the answer to one connection too many.
	full []byte
	// tls is nil for a listener without; a write of its handshake may take as long as patience.
	tls      *tls.Config
	patience time.Duration
}

func newBoundedListener(l net.Listener, most int, bound string, m *listenerMetrics) *boundedListener {
	return &boundedListener{Listener: l, max: int64(most), metrics: m, full: tooManyConns(bound)}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.max {
			l.metrics.open.Inc()
			return &boundedConn{Conn: l.secured(c), of: l}, nil
		}
		l.open.Add(-1)
		l.metrics.refused.Inc()
		l.turnAway(c)
	}
}

// tooManyConns is a whole answer: nobody has read the request it answers.
func tooManyConns(bound string) []byte {
	body := appendProblem(nil, &problem{code: stock.Overloaded, detail: &stock.Detail{Bound: bound}}, "")
	head := "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: "
	return append([]byte(head+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
}

// turnAway never waits: a fresh connection has room for the answer, and one that has not is closed without. So is one that wants TLS: an answer
// would cost the handshake that it is turned away from.
func (l *boundedListener) turnAway(c net.Conn) {
	if l.tls == nil && c.SetWriteDeadline(time.Now().Add(50*time.Millisecond)) == nil {
		// The caller may be gone; there is nobody to tell.
		_, _ = c.Write(l.full)
	}
	_ = c.Close()
}

// boundedConn gives its place back once, however often it is closed.
type boundedConn struct {
	net.Conn
	once sync.Once
	of   *boundedListener
}

func (c *boundedConn) Close() error {
	c.once.Do(func() {
		c.of.open.Add(-1)
		c.of.metrics.open.Dec()
	})
	return c.Conn.Close()
}

// ownAnswer follows the status line of an answer that net/http gives by itself, to a head it cannot read; no answer of ours looks like it.
var ownAnswer = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write counts the answers that no handler sees, for no bad input may go uncounted.
func (c *boundedConn) Write(b []byte) (int, error) {
	const status = len("HTTP/1.1 ")
	if len(b) > status && (b[status] == '4' || b[status] == '5') && bytes.Contains(b[:min(len(b), 160)], ownAnswer) {
		c.of.metrics.malformed.Inc()
	}
	return c.Conn.Write(b)
}

// CloseWrite lets net/http end its side first, so that a caller still sending gets to read the answer.
func (c *boundedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
