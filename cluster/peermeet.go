package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"holdfast/cluster/peercert"
)

// handshake finds out who opened a connection and what for, answers, and passes the connection on.
func (p *peerPort) handshake(g *greeting) {
	keepAlive(g.conn)
	_ = g.conn.SetDeadline(time.Now().Add(p.cfg.HandshakeTimeout))
	conn, head, v, err := p.meet(g.conn)
	var to *stream
	if v == verdictAccepted {
		if to = p.stream(head.key); to == nil {
			v = verdictStream
		}
	}
	var c *peerConn
	if v == verdictAccepted {
		if c = newPeerConn(conn, to, head.node, true); !p.enter(c) {
			c, v = nil, verdictCrowd
		}
	}
	if v <= lastSent {
		if _, unsent := conn.Write(appendAnswer(nil, v, p.cfg.NodeID)); unsent != nil {
			v, err = verdictIncomplete, unsent
		}
	}
	p.mu.Lock()
	delete(p.raw, g)
	shed := g.shed
	p.mu.Unlock()
	if v == verdictAccepted && !shed {
		_ = g.conn.SetDeadline(time.Time{})
		if to.deliver(c) {
			return
		}
		v = verdictStream
	}
	if shed {
		v = verdictHandshakes
	}
	p.dropped(v, g.conn, head.node, err)
	if c != nil {
		_ = c.Close()
		return
	}
	_ = g.conn.Close()
	p.left(nil)
}

// meet reads who is there: with certificates inside TLS, where the id that the head claims must be in the certificate that was shown.
func (p *peerPort) meet(raw net.Conn) (conn net.Conn, head peerHead, v verdict, err error) {
	id := p.cfg.Identity
	if id == nil {
		seen := &firstByte{Conn: raw}
		head, v = readPeerHead(seen, p.cfg.ClusterID)
		if v == verdictMagic && seen.first == tlsHandshake {
			err = errors.New("it speaks TLS, and this node has no --peer-cert")
		}
		return raw, head, v, err
	}
	secure := tls.Server(raw, id.ServerConfig())
	if err := secure.Handshake(); err != nil {
		linger(raw)
		return secure, head, verdictOfTLS(err), explainTLS(id, err)
	}
	head, v = readPeerHead(secure, p.cfg.ClusterID)
	if leaf := secure.ConnectionState().PeerCertificates[0]; v <= lastSent && head.node != "" && !peercert.Names(leaf, head.node) {
		return secure, head, verdictIdentity, fmt.Errorf("its certificate is that of %s", strings.Join(peercert.Nodes(leaf), ", "))
	}
	return secure, head, v, nil
}

// tlsHandshake is the first byte that a TLS client sends.
const tlsHandshake = 0x16

// firstByte remembers the first byte that was read.
type firstByte struct {
	net.Conn
	first byte
	read  bool
}

// Read reads.
func (c *firstByte) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.read {
		c.first, c.read = b[0], true
	}
	return n, err
}

// linger reads for a moment what a client sent that does not know yet that it was refused. Closing with that unread would reset the connection, and
// the alert that says why might never be seen.
func linger(conn net.Conn) {
	const moment, most = 200 * time.Millisecond, 16 << 10
	_ = conn.SetDeadline(time.Now().Add(moment))
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, conn, most)
}

// verdictOfTLS tells one who went away, or never spoke, from one who speaks something else.
func verdictOfTLS(err error) verdict {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return verdictIncomplete
	}
	return verdictTLS
}

// explainTLS adds to what TLS says what an operator wants to know of it.
func explainTLS(id *peercert.Identity, err error) error {
	var plain tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &plain):
		return fmt.Errorf("the other end does not speak TLS, and this one has --peer-cert: %w", err)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return fmt.Errorf("the other end does not take this node's certificate %s, which is for %s and ends on %s: it may have expired, or --peer-ca "+
			"differs: %w", id.Path(), id.Node(), id.NotAfter().UTC().Format(time.DateTime), err)
	}
	return err
}

// dial opens a connection to another node's stream. An address alone takes whoever answers there; with "node address" it must be that node. It gives
// up when ctx ends: a node that closes does not wait for others that do not answer.
func (p *peerPort) dial(ctx context.Context, target string, key streamKey, timeout time.Duration) (*peerConn, error) {
	want, address := splitTarget(target)
	deadline := time.Now().Add(timeout)
	raw, err := p.cfg.Dial(ctx, address, timeout)
	if err != nil {
		return nil, fmt.Errorf("cluster: dial %s: %w", target, err)
	}
	keepAlive(raw)
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	err = raw.SetDeadline(deadline)
	var conn net.Conn
	var node string
	if err == nil {
		conn, node, err = p.introduce(raw, want, key)
	}
	if err == nil {
		err = raw.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("cluster: dial %s: %w", target, err)
	}
	return newPeerConn(conn, nil, node, false), nil
}

// introduce sends the head and reads who answers it.
func (p *peerPort) introduce(raw net.Conn, want string, key streamKey) (conn net.Conn, node string, err error) {
	conn = raw
	id := p.cfg.Identity
	if id != nil {
		secure := tls.Client(raw, id.ClientConfig(want))
		if err := secure.Handshake(); err != nil {
			return nil, "", unanswered(explainTLS(id, err))
		}
		conn = secure
	}
	head := peerHead{key: key, cluster: p.cfg.ClusterID, node: p.cfg.NodeID}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(head.append(nil))
		written <- err
	}()
	// In TLS 1.3 the other end may say now what it thinks of our certificate, and not read what we write.
	if node, err = readAnswer(conn); err != nil {
		_ = raw.Close()
	}
	if unsent := <-written; err == nil {
		err = unsent
	}
	switch {
	case err != nil && id != nil:
		return nil, "", unanswered(explainTLS(id, err))
	case err != nil:
		return nil, "", unanswered(err)
	case want != "" && node != want:
		return nil, "", fmt.Errorf("%w: wanted %s, met %s", ErrPeerOther, want, node)
	}
	if secure, ok := conn.(*tls.Conn); ok && !peercert.Names(secure.ConnectionState().PeerCertificates[0], node) {
		return nil, "", fmt.Errorf("%w: it says that it is %s, and its certificate does not", ErrPeerOther, node)
	}
	return conn, node, nil
}

// unanswered explains a connection that was closed without a word.
func unanswered(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("it closed without an answer; it is no peer port, it is full, or one of the two has --peer-cert and the other not: %w", err)
	}
	return err
}

// targetOf joins what splitTarget takes apart. A node id has no space.
func targetOf(node, address string) string {
	if node == "" {
		return address
	}
	return node + " " + address
}

func splitTarget(target string) (node, address string) {
	if node, address, ok := strings.Cut(target, " "); ok {
		return node, address
	}
	return "", target
}

// keepAlive lets the system find out within seconds that the other end is gone: the pooled connections of raft carry nothing for hours.
func keepAlive(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3})
	}
}
