package api

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// secureConn is a connection whose first read is the TLS handshake. net/http would do that itself if it saw a *tls.Conn; but then nothing could stand
// between the two, and its answers to heads it cannot read would go uncounted. The read deadline is net/http's for the head, so a caller has that
// much time for handshake and head together.
type secureConn struct {
	*tls.Conn
	metrics *listenerMetrics
	// patience is how long a write of the handshake may take.
	patience time.Duration
	// shaken is only touched by the goroutine that reads.
	shaken bool
}

// Read does the handshake first.
func (c *secureConn) Read(b []byte) (int, error) {
	if !c.shaken {
		c.shaken = true
		if err := c.shake(); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *secureConn) shake() error {
	raw := c.NetConn()
	if err := raw.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return err
	}
	if err := c.HandshakeContext(context.Background()); err != nil {
		c.metrics.handshakes.Inc()
		if strange, ok := errors.AsType[tls.RecordHeaderError](err); ok && strange.Conn != nil && readsHTTP(strange.RecordHeader) {
			c.metrics.malformed.Inc()
			// The caller may be gone; there is nobody to tell.
			_, _ = strange.Conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
				"400 Bad Request: this listener speaks TLS, use https"))
		}
		// To net/http the caller hung up: it would answer any other error, into a connection that cannot carry an answer.
		return io.EOF
	}
	return raw.SetWriteDeadline(time.Time{})
}

// readsHTTP reports whether the first bytes are those of a request without TLS.
func readsHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO":
		return true
	}
	return false
}

// secured returns the connection as TLS when the listener speaks it.
func (l *boundedListener) secured(c net.Conn) net.Conn {
	if l.tls == nil {
		return c
	}
	return &secureConn{Conn: tls.Server(c, l.tls), metrics: l.metrics, patience: l.patience}
}
