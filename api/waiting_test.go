package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/stock"
)

// longest chooses who must go, and does not tell.
func (w *waiting) longest(since time.Time) *boundedConn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.longestLocked(since)
}

// The list of those that wait against a slice: whoever has waited longest goes first, and nobody who has a request.
func TestWaitingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		draw := rand.New(rand.NewPCG(1, 2))
		var w waiting
		conns := make([]*boundedConn, 20)
		for i := range conns {
			conns[i] = &boundedConn{}
		}
		var model []*boundedConn
		out := func(c *boundedConn) {
			model = slices.DeleteFunc(model, func(other *boundedConn) bool { return other == c })
		}
		evictions := 0
		for range 5000 {
			<-time.After(10 * time.Millisecond)
			c := conns[draw.IntN(len(conns))]
			switch draw.IntN(4) {
			case 0, 1:
				if w.join(c, draw.IntN(2) == 0) == c.seat.evicted {
					t.Fatal("one that must go waits, or one that need not does not")
				}
				if out(c); !c.seat.evicted {
					model = append(model, c)
				}
			case 2:
				w.leave(c)
				out(c)
			case 3:
				got := w.longest(time.Now().Add(-200 * time.Millisecond))
				if len(model) == 0 || time.Since(model[0].seat.since) < 200*time.Millisecond {
					if got != nil {
						t.Fatal("somebody goes who has not waited for long")
					}
					continue
				}
				if got != model[0] {
					t.Fatal("another goes than the one that waited longest")
				}
				out(got)
				evictions++
				w.gone(got)
				conns[slices.Index(conns, got)] = &boundedConn{}
			}
		}
		if evictions < 100 || w.evicting != 0 {
			t.Errorf("%d evictions, %d still under way", evictions, w.evicting)
		}
	})
}

// Those that were told to go and still have their descriptors are bounded.
func TestEvictionsAreBounded(t *testing.T) {
	var w waiting
	for range 2 * maxEvictions {
		w.join(&boundedConn{}, false)
	}
	n := 0
	var last *boundedConn
	for c := w.longest(time.Now()); c != nil; c = w.longest(time.Now()) {
		n, last = n+1, c
	}
	if n != maxEvictions {
		t.Errorf("%d evictions at once", n)
	}
	if w.gone(last); w.longest(time.Now()) == nil {
		t.Error("none after one is gone")
	}
}

// A connection that is told to go while its request is under way answers it, and goes then.
func TestEvictedWhileAnswering(t *testing.T) {
	onWire(t, func(w *wire) {
		w.sku("shoe", `{"stock":5}`)
		var l *boundedListener
		w.server.servers[0].ConnState = func(c net.Conn, state http.ConnState) {
			l = c.(*boundedConn).of
			connState(c, state)
		}
		c := w.publicAt.dial(t)
		synctest.Wait()
		chosen := l.waiting.longest(time.Now())
		if chosen == nil {
			t.Fatal("nobody waits")
		}
		go io.WriteString(c, rawOrder("k"))
		from := bufio.NewReader(c)
		if r, body := reply(t, from); r.StatusCode != 201 {
			t.Errorf("%d %s", r.StatusCode, body)
		}
		if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
			t.Errorf("it does not go: %q %v", rest, err)
		}
		c.Close()
		synctest.Wait()
		if l.waiting.evicting != 0 || l.open.Load() != 0 {
			t.Errorf("%d still go, %d are open", l.waiting.evicting, l.open.Load())
		}
	})
}

// stalled is a connection whose read deadline, when it is set to the past, waits for the request to be at work, or for some time.
type stalled struct {
	net.Conn
	asked, working chan struct{}
	once           sync.Once
	// reading: the server waits for a request, with the deadline that it gives to a head.
	reading chan struct{}
	begin   sync.Once
}

func (c *stalled) Read(b []byte) (int, error) {
	c.begin.Do(func() { close(c.reading) })
	return c.Conn.Read(b)
}

func (c *stalled) SetReadDeadline(t time.Time) error {
	if t.Equal(past) {
		c.once.Do(func() {
			close(c.asked)
			select {
			case <-c.working:
			case <-time.After(200 * time.Millisecond):
			}
		})
	}
	return c.Conn.SetReadDeadline(t)
}

// A connection is told to go while its request arrives, by somebody who is slow at it: the request has no body, is answered, and its context does not
// end for a caller who is there.
func TestEvictedWhileARequestArrives(t *testing.T) {
	s := newShop(t, func(c *Config) { c.Now = time.Now })
	working, gone := make(chan struct{}), errors.New("the caller is said to be gone")
	s.core.Before = func(ctx context.Context, _ stock.Request) stock.Outcome {
		close(working)
		select {
		case <-ctx.Done():
			t.Error(gone)
		case <-time.After(400 * time.Millisecond):
		}
		return stock.Outcome{Code: stock.OrderNotFound}
	}
	listeners := make(chan *boundedListener, 1)
	s.server.servers[0].ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			listeners <- c.(*boundedConn).of
		}
		connState(c, state)
	}
	public, served := newPipes(), make(chan error, 1)
	go func() { served <- s.server.Serve(public, newPipes()) }()
	near, far := net.Pipe()
	slow := &stalled{Conn: far, asked: make(chan struct{}), working: working, reading: make(chan struct{})}
	public.conns <- slow
	l, evicted := <-listeners, make(chan bool, 1)
	<-slow.reading
	go func() { evicted <- l.evict(time.Now()) }()
	<-slow.asked
	if _, err := io.WriteString(near, "GET /v1/orders/"+someID+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(near)
	if r, body := reply(t, from); r.StatusCode != 404 || !<-evicted {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if rest, err := io.ReadAll(from); err != nil || len(rest) > 0 {
		t.Errorf("it does not go: %q %v", rest, err)
	}
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	near.Close()
}

// What net/http wants of a connection's wait does not save one that was told to go; once it has a request its deadlines count again.
func TestEvictionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		l := newBoundedListener(newPipes(), 10, boundConns, s.server.metrics.listeners[publicName], s.server.cfg.Logger)
		near, far := net.Pipe()
		c := &boundedConn{Conn: far, of: l}
		c.turn(http.StateNew)
		if !l.evict(time.Now()) {
			t.Fatal("nobody waits")
		}
		reads := func() time.Duration {
			began := time.Now()
			if err := c.SetReadDeadline(began.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if took := reads(); took != 0 {
			t.Errorf("it waits for %v more", took)
		}
		if c.turn(http.StateActive); reads() != time.Minute {
			t.Error("the deadline of a request does not count")
		}
		near.Close()
		c.Close()
	})
}

// Callers that come and hang up at once, thousands of them, leave nothing behind.
func TestConnectAndLeave(t *testing.T) {
	onWire(t, func(w *wire) {
		for i := range 2000 {
			c := w.publicAt.dial(t)
			if i%2 == 0 {
				go io.WriteString(c, "POST /v1/or")
			}
			c.Close()
		}
		synctest.Wait()
		if open := w.counter("connections", "listener", "public"); open != 0 || w.counter("connections_ended_total") != 0 {
			t.Errorf("%v connections are open", open)
		}
		w.buys(t)
	}, func(c *Config) { c.MaxConns = 4000 })
}

// exhausted is a listener whose process has no descriptor left, for its first accept.
type exhausted struct {
	*pipes
	failures int
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.pipes.Accept()
}

// Without a descriptor left the one that waits longest gives up its own, and accepting goes on.
func TestNoDescriptorLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		l := newBoundedListener(&exhausted{pipes: newPipes(), failures: 1}, 10, boundConns, s.server.metrics.listeners[publicName], s.server.cfg.Logger)
		near, far := net.Pipe()
		idle := &boundedConn{Conn: far, of: l}
		idle.turn(http.StateNew)
		if _, err := l.Accept(); err == nil {
			t.Fatal("no error")
		}
		if _, err := idle.Read(make([]byte, 1)); err == nil || s.counter("connections_ended_total", "reason", "evicted") != 1 ||
			s.counter("accept_failures_total", "listener", publicName) != 1 || s.counter("connections_ended_total") != 1 {
			t.Errorf("nobody went: %v", err)
		}
		near.Close()
		far.Close()
	})
}
