package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// stream is one kind of traffic over the peer ports of all nodes. For raft it is the layer below its network transport.
type stream struct {
	port     *peerPort
	key      streamKey
	incoming chan net.Conn
	done     chan struct{}
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc

	mu     sync.Mutex // guards what follows
	conns  map[*peerConn]struct{}
	closed bool
}

var _ raft.StreamLayer = (*stream)(nil)

// incomingConns is how many connections wait to be accepted; the next handshake waits for room.
const incomingConns = 16

func newStream(port *peerPort, key streamKey) *stream {
	s := &stream{
		port: port, key: key, incoming: make(chan net.Conn, incomingConns), done: make(chan struct{}), conns: make(map[*peerConn]struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Accept returns the next connection from another node.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case conn := <-s.incoming:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Dial connects to the same stream of another node. The address may have the node's id before it; see peerPort.dial.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	c, err := s.dial(string(address), timeout)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (s *stream) dial(target string, timeout time.Duration) (*peerConn, error) {
	c, err := s.port.dial(s.ctx, target, s.key, timeout)
	if err != nil {
		return nil, err
	}
	c.stream = s
	if !s.adopt(c) {
		_ = c.shut()
		return nil, net.ErrClosed
	}
	return c, nil
}

// Addr returns the address at which others reach this node.
func (s *stream) Addr() net.Addr { return peerAddr(s.port.cfg.Advertise) }

// Close ends Accept and closes every connection, whoever opened it.
func (s *stream) Close() error {
	s.port.forget(s)
	s.mu.Lock()
	conns := make([]*peerConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.mu.Unlock()
	s.cancel()
	for _, c := range conns {
		_ = c.Close()
	}
	return nil
}

// adopt takes a connection into the stream's care; false when the stream is closed.
func (s *stream) adopt(c *peerConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// deliver hands a connection from another node to Accept; false when the stream is closed.
func (s *stream) deliver(c *peerConn) bool {
	if !s.adopt(c) {
		return false
	}
	select {
	case s.incoming <- c:
	case <-s.done:
		// Close has closed the connection.
	}
	return true
}

type peerAddr string

// Network returns "peer".
func (peerAddr) Network() string { return "peer" }

// String returns the address.
func (a peerAddr) String() string { return string(a) }

// peerConn is a connection of a stream. It bounds what is read between two writes, which is one message: raft's transport asks and answers in
// turn as long as it has one call in flight on a connection (MaxRPCsInFlight 1). The only message without a bound is a snapshot, which goes to
// disk as it comes and closes its connection.
type peerConn struct {
	net.Conn
	stream  *stream
	node    string // at the other end, as its handshake proved
	inbound bool
	closing atomic.Bool
	heard   atomic.Int64 // when something was read last, in nanoseconds since 1970

	mu        sync.Mutex // guards what follows; Read and Write come from two goroutines
	message   int64      // bytes read since the last write
	unbounded bool       // the message is a snapshot
}

func newPeerConn(conn net.Conn, s *stream, node string, inbound bool) *peerConn {
	c := &peerConn{Conn: conn, stream: s, node: node, inbound: inbound}
	c.heard.Store(time.Now().UnixNano())
	return c
}

// silence returns for how long nothing was read.
func (c *peerConn) silence() time.Duration { return time.Since(time.Unix(0, c.heard.Load())) }

// rpcInstallSnapshot is the first byte of raft's message that carries a snapshot.
const rpcInstallSnapshot = 2

// Read reads, up to Config.FrameBytes a message.
func (c *peerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // TLS without its farewell; whatever is cut in two, its own checksums or decoder tell.
	}
	if n == 0 {
		return n, err
	}
	c.heard.Store(time.Now().UnixNano())
	if c.stream.key.kind == streamRPC {
		return n, err // Its frames say how long they are.
	}
	c.mu.Lock()
	if c.message == 0 && c.inbound && c.stream.key.kind == streamRaft {
		c.unbounded = p[0] == rpcInstallSnapshot
	}
	c.message += int64(n)
	over := c.message > c.stream.port.cfg.FrameBytes && !c.unbounded
	c.mu.Unlock()
	if over {
		c.stream.port.dropped(verdictFrame, c.Conn, c.node, ErrFrameTooLarge)
		_ = c.Close()
		return 0, ErrFrameTooLarge
	}
	return n, err
}

// Write writes; what is read after it is another message.
func (c *peerConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.message, c.unbounded = 0, false
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// Close closes the connection, once.
func (c *peerConn) Close() error {
	if c.closing.Swap(true) {
		return nil
	}
	c.stream.mu.Lock()
	delete(c.stream.conns, c)
	c.stream.mu.Unlock()
	if c.inbound {
		c.stream.port.left(c)
	}
	return c.shut()
}

// shut closes what is below. The farewell of TLS is left out: it would wait for a peer that does not read.
func (c *peerConn) shut() error {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		return secure.NetConn().Close()
	}
	return c.Conn.Close()
}
