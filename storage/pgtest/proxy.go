package pgtest

import (
	"net"
	"sync"
	"testing"
)

// Proxy stands between a sink and its server. It can hold back what is on its way, in both directions and for new connections too, as a network
// that is cut does, and deliver it later; and it can end connections.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
	gate  chan struct{} // closed while bytes may pass
	ended bool
}

// NewProxy starts a proxy before an address; it ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: make(map[net.Conn]bool), gate: make(chan struct{})}
	close(p.gate)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is the address to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut holds everything back until Restore.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

// Restore delivers what was held back.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gate)
}

// Reset ends all connections, with what is on its way in them, and returns how many there were.
func (p *Proxy) Reset() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close() // perhaps it has just ended
	}
	return len(p.conns) / 2
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Reset()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.connect(near) })
	}
}

func (p *Proxy) connect(near net.Conn) {
	p.pass()
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = near.Close()
		return
	}
	p.mu.Lock()
	p.conns[near], p.conns[far] = true, true
	ended := p.ended
	p.mu.Unlock()
	if ended {
		_, _ = near.Close(), far.Close()
	}
	var both sync.WaitGroup
	both.Go(func() { p.pipe(far, near) })
	both.Go(func() { p.pipe(near, far) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, near)
	delete(p.conns, far)
}

// pipe copies until one end is closed, and then closes the other; that too waits for the gate.
func (p *Proxy) pipe(to, from net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		p.pass()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			_, _ = to.Close(), from.Close()
			return
		}
	}
}

func (p *Proxy) pass() {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	<-gate
}
