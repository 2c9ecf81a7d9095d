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
	wg      sync.WaitGroup
	done    chan struct{}

	mu      sync.Mutex // guards what follows; taken after no other lock
	streams map[streamKey]*stream
	raw     map[net.Conn]struct{} // in their handshake
	inbound int                   // open connections from others, those in raw included
	closed  bool
}

func newPeerPort(cfg *Config, m *metrics) *peerPort {
	p := &peerPort{
		cfg: cfg, metrics: m, done: make(chan struct{}),
		streams: make(map[streamKey]*stream), raw: make(map[net.Conn]struct{}),
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

// take starts the handshake of a connection unless there are too many.
func (p *peerPort) take(conn net.Conn) {
	p.mu.Lock()
	refuse, full := p.closed, p.inbound >= p.cfg.MaxPeerConns
	if !refuse && !full {
		p.raw[conn] = struct{}{}
		p.inbound++
		p.metrics.peerConns.Set(float64(p.inbound))
		p.wg.Go(func() { p.handshake(conn) })
	}
	p.mu.Unlock()
	if full {
		p.metrics.peerDropped(verdictLimit)
	}
	if refuse || full {
		_ = conn.Close()
	}
}

// handshake reads the head, answers it, and passes the connection on.
func (p *peerPort) handshake(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(p.cfg.HandshakeTimeout))
	head, v := readPeerHead(conn, p.cfg.ClusterID)
	var to *stream
	if v == verdictAccepted {
		if to = p.stream(head.key); to == nil {
			v = verdictStream
		}
	}
	if v <= verdictStream {
		if _, err := conn.Write([]byte{byte(v)}); err != nil {
			v = verdictIncomplete
		}
	}
	p.mu.Lock()
	delete(p.raw, conn)
	p.mu.Unlock()
	if v == verdictAccepted {
		_ = conn.SetDeadline(time.Time{})
		if to.deliver(newPeerConn(conn, to, true)) {
			return
		}
		v = verdictStream
	}
	p.metrics.peerDropped(v)
	_ = conn.Close()
	p.left()
}

func (p *peerPort) stream(key streamKey) *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams[key]
}

// left is called once for each connection from another that ended.
func (p *peerPort) left() {
	p.mu.Lock()
	p.inbound--
	p.metrics.peerConns.Set(float64(p.inbound))
	p.mu.Unlock()
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

// dial opens a connection to another node's stream.
func (p *peerPort) dial(address string, key streamKey, timeout time.Duration) (net.Conn, error) {
	deadline := time.Now().Add(timeout)
	conn, err := p.cfg.Dial(address, timeout)
	if err != nil {
		return nil, fmt.Errorf("cluster: dial %s: %w", address, err)
	}
	head := peerHead{key: key, cluster: p.cfg.ClusterID, node: p.cfg.NodeID}
	answer := []byte{byte(verdictIncomplete)}
	err = errors.Join(conn.SetDeadline(deadline), write(conn, head.append(nil)), read(conn, answer))
	if err == nil && verdict(answer[0]) != verdictAccepted {
		err = fmt.Errorf("%w: %v", ErrPeerRefused, verdict(answer[0]))
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("cluster: dial %s: %w", address, err)
	}
	return conn, nil
}

func write(conn net.Conn, b []byte) error {
	_, err := conn.Write(b)
	return err
}

func read(conn net.Conn, b []byte) error {
	_, err := conn.Read(b)
	return err
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
	for conn := range p.raw {
		_ = conn.Close()
	}
	p.mu.Unlock()
	err := p.cfg.Listener.Close()
	for _, s := range streams {
		_ = s.Close()
	}
	p.wg.Wait()
	return err
}
