package node

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// wires connect the nodes of a stack in memory. A message takes a while; a link can stand still in one direction, and what was sent comes when it goes
// on, as late as that is.
type wires struct {
	delay time.Duration

	mu     sync.Mutex // guards what follows
	ports  map[string]*port
	still  map[[2]string]chan struct{} // from, to; closed when the link goes on
	broken map[string]chan struct{}    // by node: closed when its connections break
	// slow holds nodes that get one message in slowPace, and when the next may come.
	slow map[string]time.Time
}

// slowPace is a little less than a leader's lease.
const slowPace = 200 * time.Millisecond

func newWires(delay time.Duration) *wires {
	return &wires{delay: delay, ports: make(map[string]*port), still: make(map[[2]string]chan struct{}), broken: make(map[string]chan struct{}),
		slow: make(map[string]time.Time)}
}

type wireAddr string

func (wireAddr) Network() string  { return "memory" }
func (a wireAddr) String() string { return string(a) }

// port is a node's listener.
type port struct {
	node  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *port) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *port) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *port) Addr() net.Addr { return wireAddr(p.node) }

func (w *wires) listen(node string) *port {
	p := &port{node: node, conns: make(chan net.Conn), done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ports[node] = p
	return p
}

var errUnreached = errors.New("connection refused")

func (w *wires) dial(ctx context.Context, from, to string, timeout time.Duration) (net.Conn, error) {
	w.mu.Lock()
	p := w.ports[to]
	down := w.still[[2]string{from, to}] != nil || w.still[[2]string{to, from}] != nil
	cut := []<-chan struct{}{w.breaksLocked(from), w.breaksLocked(to)}
	w.mu.Unlock()
	if p == nil || down {
		select {
		case <-time.After(timeout):
		case <-ctx.Done():
		}
		return nil, errUnreached
	}
	here, a := net.Pipe()
	b, there := net.Pipe()
	select {
	case p.conns <- there:
	case <-p.done:
		return nil, errUnreached
	case <-time.After(timeout):
		return nil, errUnreached
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ended := make(chan struct{})
	end := sync.OnceFunc(func() {
		close(ended)
		_ = a.Close()
		_ = b.Close()
	})
	go w.carry(a, b, from, to, ended, end)
	go w.carry(b, a, to, from, ended, end)
	go func() {
		defer end()
		select {
		case <-cut[0]:
		case <-cut[1]:
		case <-ended:
		}
	}()
	return here, nil
}

func (w *wires) breaksLocked(node string) <-chan struct{} {
	if w.broken[node] == nil {
		w.broken[node] = make(chan struct{})
	}
	return w.broken[node]
}

// part is what was written at once, and when it arrives at the earliest.
type part struct {
	b  []byte
	at time.Time
}

// carry takes one direction's bytes from end to end.
func (w *wires) carry(from, to net.Conn, sender, receiver string, ended <-chan struct{}, end func()) {
	defer end()
	parts := make(chan part, 4096)
	go func() {
		defer end()
		for {
			select {
			case p := <-parts:
				if !w.pass(sender, receiver, p.at, ended) {
					return
				}
				if _, err := to.Write(p.b); err != nil {
					return
				}
			case <-ended:
				return
			}
		}
	}()
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case parts <- part{b[:n], time.Now().Add(w.delay)}:
		case <-ended:
			return
		}
	}
}

// pass waits until bytes may arrive.
func (w *wires) pass(from, to string, at time.Time, ended <-chan struct{}) bool {
	if left := time.Until(w.turn(to, at)); left > 0 {
		select {
		case <-time.After(left):
		case <-ended:
			return false
		}
	}
	for {
		w.mu.Lock()
		still := w.still[[2]string{from, to}]
		w.mu.Unlock()
		if still == nil {
			return true
		}
		select {
		case <-still:
		case <-ended:
			return false
		}
	}
}

// turn returns when bytes may arrive that would at a moment.
func (w *wires) turn(to string, at time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, slow := w.slow[to]
	if !slow {
		return at
	}
	if next.After(at) {
		at = next
	}
	w.slow[to] = at.Add(slowPace)
	return at
}

// dribble lets a node get its messages one by one, or no longer.
func (w *wires) dribble(node string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delete(w.slow, node); on {
		w.slow[node] = time.Now()
	}
}

// hold stops a direction; release lets it go on.
func (w *wires) hold(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := [2]string{from, to}; w.still[at] == nil {
		w.still[at] = make(chan struct{})
	}
}

func (w *wires) release(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := [2]string{from, to}; w.still[at] != nil {
		close(w.still[at])
		delete(w.still, at)
	}
}

// cut breaks a node's connections.
func (w *wires) cut(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch := w.broken[node]; ch != nil {
		close(ch)
		delete(w.broken, node)
	}
}
