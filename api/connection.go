package api

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// lingerTimeout is how long a caller may go on sending what nobody reads, such as a body whose expectation was refused: it is to read the answer
// before the connection ends.
const lingerTimeout = time.Second

// boundedConn is a connection with a place of its listener's, which it gives back once, however often it is closed.
type boundedConn struct {
	net.Conn
	once sync.Once
	of   *boundedListener
	seat seat
	// begun: something of the request that is waited for was read. Only touched by the goroutine that reads.
	begun bool
	// until is when the whole answer must be written, the zero time for never. Only touched by the goroutine that answers.
	until  time.Time
	unread bool
}

// Close gives the place back.
func (c *boundedConn) Close() error {
	c.once.Do(func() {
		c.of.waiting.gone(c)
		c.of.open.Add(-1)
		c.of.metrics.open.Dec()
	})
	return c.Conn.Close()
}

// turn is told by net/http what the connection is about: it waits for a request, or has one.
func (c *boundedConn) turn(state http.ConnState) {
	switch state {
	case http.StateNew:
		c.of.waiting.join(c, false)
	case http.StateIdle:
		c.begun = false
		if !c.of.waiting.join(c, true) {
			// It was chosen to go while a request was on its way; that has its answer now.
			_ = c.Conn.Close()
		}
	case http.StateActive:
		if c.of.waiting.leave(c) {
			// One that is closed already is found out by whoever reads.
			_ = c.Conn.SetReadDeadline(time.Time{})
		}
	}
}

// SetReadDeadline sets when reads fail; for a connection that was told to go while it waits they fail at once, whatever net/http wants of its wait.
func (c *boundedConn) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	// Whoever tells it to go does so before setting the deadline: either that comes after ours, or is seen here.
	if err == nil && c.seat.going.Load() {
		err = c.Conn.SetReadDeadline(past)
	}
	return err
}

// Read counts the connections that end because no request came, or none in time. A deadline that passes while there is one is not counted here: a
// slow body has a code of its own, and net/http uses deadlines to wake itself.
func (c *boundedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil {
		c.begun = true
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		switch c.of.waiting.of(c) {
		case placeFirst:
			c.of.metrics.slow.Inc()
		case placeAgain:
			if c.begun {
				c.of.metrics.slow.Inc()
			} else {
				c.of.metrics.idle.Inc()
			}
		}
	}
	return n, err
}

// SetWriteDeadline sets when the whole answer must be written.
func (c *boundedConn) SetWriteDeadline(t time.Time) error {
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

// ownAnswer follows the status line of an answer that net/http gives by itself, to a head it cannot read; no answer of ours looks like it, nor like
// that to an expectation it does not know.
var (
	ownAnswer   = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	ownExpected = []byte("417")
)

// Write counts the answers that no handler sees, for no bad input may go uncounted. It takes at most answerTimeout: a caller that does not read must
// not keep its place until the deadline of the slowest request.
func (c *boundedConn) Write(b []byte) (int, error) {
	const status = len("HTTP/1.1 ")
	if len(b) > status+3 && (b[status] == '4' || b[status] == '5') {
		if unexpected := bytes.Equal(b[status:status+3], ownExpected); unexpected || bytes.Contains(b[:min(len(b), 160)], ownAnswer) {
			c.of.metrics.malformed.Inc()
			if unexpected {
				// net/http waits for the body of a request whose expectation it refuses, for ever.
				_ = c.SetReadDeadline(time.Now().Add(lingerTimeout))
			}
		}
	}
	soon := time.Now().Add(answerTimeout)
	if !c.until.IsZero() && c.until.Before(soon) {
		soon = c.until
	}
	if err := c.Conn.SetWriteDeadline(soon); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil && !c.unread && errors.Is(err, os.ErrDeadlineExceeded) {
		c.unread = true
		c.of.metrics.unread.Inc()
	}
	return n, err
}

// CloseWrite lets net/http end its side first, so that a caller still sending gets to read the answer.
func (c *boundedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
