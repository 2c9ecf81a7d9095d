package storage

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between a sink and its server. It can hold back what is on its way, in both directions and for new connections too, as a network
// that is cut does, and deliver it later; and it can end connections.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
	gate  chan struct{} // closed while bytes may pass
	ended bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: make(map[net.Conn]bool), gate: make(chan struct{})}
	close(p.gate)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// cut holds everything back until restore.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gate)
}

// reset ends all connections, with what is on its way in them.
func (p *proxy) reset() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close() // perhaps it has just ended
	}
	return len(p.conns) / 2
}

func (p *proxy) close() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.reset()
	p.running.Wait()
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.connect(near) })
	}
}

func (p *proxy) connect(near net.Conn) {
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
func (p *proxy) pipe(to, from net.Conn) {
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

func (p *proxy) pass() {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	<-gate
}
