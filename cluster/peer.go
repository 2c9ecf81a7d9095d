package cluster

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// peerPort is the node's one port for other nodes. It reads the head of each connection and hands it to the stream that the head names.
type peerPort struct {
	cfg     *Config
	metrics *metrics
	drops   dropLog
	wg      sync.WaitGroup
	done    chan struct{}

	mu      sync.Mutex // guards what follows; taken after no other lock
	streams map[streamKey]*stream
	raw     map[*greeting]struct{}            // in their handshake
	peers   map[string]map[*peerConn]struct{} // those past it, by the node that opened them
	inbound int                               // open connections from others, those in raw included
	greeted uint64                            // handshakes begun
	closed  bool
}

// greeting is a connection in its handshake.
type greeting struct {
	conn  net.Conn
	place uint64 // in the order of arrival
	shed  bool   // closed to make room for a later one
}

func newPeerPort(cfg *Config, m *metrics) *peerPort {
	p := &peerPort{
		cfg: cfg, metrics: m, drops: dropLog{logger: cfg.Logger}, done: make(chan struct{}),
		streams: make(map[streamKey]*stream), raw: make(map[*greeting]struct{}), peers: make(map[string]map[*peerConn]struct{}),
	}
	p.wg.Go(p.accept)
	return p
}

// accept takes connections until the listener closes.
func (p *peerPort) accept() {
	const pause = 5 * time.Millisecond
	for {
		conn, err := p.cfg.Listener.Accept()
		if err == nil {
			p.take(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of file descriptors, perhaps: later is better than never.
		select {
		case <-p.done:
			return
		case <-time.After(pause):
		}
	}
}

// take starts the handshake of a connection unless there are too many. Those in a handshake have a bound of their own, so that strangers who say
// nothing leave room for nodes; beyond it the one that has had the longest goes: a node's handshake is over in milliseconds.
func (p *peerPort) take(conn net.Conn) {
	p.mu.Lock()
	refuse, full := p.closed, p.inbound >= p.cfg.MaxPeerConns
	var oldest *greeting
	if !refuse && !full {
		if len(p.raw) >= p.cfg.MaxHandshakes {
			oldest = p.oldestLocked()
			oldest.shed = true
		}
		p.greeted++
		g := &greeting{conn: conn, place: p.greeted}
		p.raw[g] = struct{}{}
		p.inbound++
		p.metrics.peerConns.Set(float64(p.inbound))
		p.wg.Go(func() { p.handshake(g) })
	}
	p.mu.Unlock()
	if oldest != nil {
		_ = oldest.conn.Close()
	}
	if full {
		p.dropped(verdictLimit, conn, "", nil)
	}
	if refuse || full {
		_ = conn.Close()
	}
}

func (p *peerPort) oldestLocked() *greeting {
	var oldest *greeting
	for g := range p.raw {
		if !g.shed && (oldest == nil || g.place < oldest.place) {
			oldest = g
		}
	}
	if oldest == nil { // All are on their way out.
		for g := range p.raw {
			return g
		}
	}
	return oldest
}

// left is called once for each connection from another that ended; c is nil when its handshake failed.
func (p *peerPort) left(c *peerConn) {
	p.mu.Lock()
	p.inbound--
	p.metrics.peerConns.Set(float64(p.inbound))
	if c != nil {
		delete(p.peers[c.node], c)
		if len(p.peers[c.node]) == 0 {
			delete(p.peers, c.node)
		}
	}
	p.mu.Unlock()
}

// enter counts a connection as its node's; false when the node has too many. One that has been silent for long makes room: its other end may have
// died without a word, and must not keep the node out that it has become since.
func (p *peerPort) enter(c *peerConn) bool {
	p.mu.Lock()
	var silent *peerConn
	if len(p.peers[c.node]) >= p.cfg.MaxConnsPerPeer {
		for other := range p.peers[c.node] {
			if silent == nil || other.heard.Load() < silent.heard.Load() {
				silent = other
			}
		}
		if silent.silence() < p.cfg.RPCTimeout {
			p.mu.Unlock()
			return false
		}
		delete(p.peers[c.node], silent)
	}
	if p.peers[c.node] == nil {
		p.peers[c.node] = make(map[*peerConn]struct{})
	}
	p.peers[c.node][c] = struct{}{}
	p.mu.Unlock()
	if silent != nil {
		p.dropped(verdictSilent, silent.Conn, c.node, nil)
		_ = silent.Close()
	}
	return true
}

func (p *peerPort) stream(key streamKey) *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams[key]
}

// listen opens the stream of that name, in both directions.
func (p *peerPort) listen(key streamKey) (*stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if p.streams[key] != nil {
		return nil, fmt.Errorf("cluster: stream %d of shard %d is open already", key.kind, key.shard)
	}
	s := newStream(p, key)
	p.streams[key] = s
	return s, nil
}

func (p *peerPort) forget(s *stream) {
	p.mu.Lock()
	if p.streams[s.key] == s {
		delete(p.streams, s.key)
	}
	p.mu.Unlock()
}

// close closes the listener, the handshakes and the streams, and waits.
func (p *peerPort) close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.done)
	var streams []*stream
	for _, s := range p.streams {
		streams = append(streams, s)
	}
	for g := range p.raw {
		_ = g.conn.Close()
	}
	p.mu.Unlock()
	err := p.cfg.Listener.Close()
	for _, s := range streams {
		_ = s.Close()
	}
	p.wg.Wait()
	return err
}
