package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/stock"
)

// CheckListenAddr checks the address of a listener: it must be loopback (127.0.0.0/8, ::1 or localhost) unless the listener has both TLS and keys, or
// nobody wants it to be guarded. An address without a host listens everywhere and so is not loopback. The error wraps ErrAddress or ErrNotLoopback.
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

// loopback reports whether only this machine reaches an address.
func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// boundedListener lets at most max connections be open. One more takes the place of the one that has waited longest for a request, so that those who
// only wait cannot lock out those who buy; when nobody has waited for long it gets a 503 at once, which costs less than a connection and tells the
// caller more than a full backlog would.
type boundedListener struct {
	net.Listener
	open    atomic.Int64
	max     int64
	waiting waiting
	metrics *listenerMetrics
	logger  *slog.Logger
	// full is the answer to one connection too many.
	full []byte
	// tls is nil for a listener without; a write of its handshake may take as long as patience.
	tls      *tls.Config
	patience time.Duration
}

func newBoundedListener(l net.Listener, most int, bound string, m *listenerMetrics, logger *slog.Logger) *boundedListener {
	return &boundedListener{Listener: l, max: int64(most), metrics: m, logger: logger, full: tooManyConns(bound)}
}

// Accept returns the next connection that has a place.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, l.failed(err)
		}
		if l.open.Add(1) <= l.max || l.evict(time.Now().Add(-evictableAfter)) {
			l.metrics.open.Inc()
			return &boundedConn{Conn: l.secured(c), of: l}, nil
		}
		l.open.Add(-1)
		l.metrics.refused.Inc()
		l.turnAway(c)
	}
}

// failed counts a connection that could not be accepted. When the process has no file descriptor left, the connection that waits longest gives up its
// own; net/http tries again after a pause.
func (l *boundedListener) failed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	l.metrics.failed.Inc()
	evicted := false
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		evicted = l.evict(time.Now())
	}
	l.logger.Warn("a connection cannot be accepted", "error", err, "open", l.open.Load(), "evicted", evicted)
	return err
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
