package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/stock"
)

// RequestKind says what a request is about; whoever serves it chooses the number.
type RequestKind uint16

// Request is a question of one node to another.
type Request struct {
	Kind RequestKind
	// From is the id of the asking node as its handshake proved it; filled in for the handler.
	From string
	// Caller is the authenticated caller on whose behalf the node asks, at most 255 bytes (rule R18).
	Caller string
	// Attempt counts the copies that were sent of the same request, from 1 (rule R4).
	Attempt uint16
	Body    []byte
}

// RequestHandler answers requests of one kind.
type RequestHandler interface {
	// ServePeer answers a request. The context ends with the request's time, when the asking node lost interest, and at Close; it must return soon
	// then. An error that is stock.ErrNotExecuted says that nothing was done; any other that something may have been. Calls overlap.
	ServePeer(ctx context.Context, r Request) ([]byte, error)
}

// Peers asks other nodes and answers them. Requests share connections and are answered in any order; each node has connections, bounds and
// failures of its own, so one that is slow or dead holds up nobody else.
type Peers struct {
	cfg     *Config
	metrics *metrics
	stream  *stream
	budget  byteBudget
	wg      sync.WaitGroup
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc

	mu       sync.Mutex // guards what follows; taken before a rpcPeer's
	handlers map[RequestKind]RequestHandler
	peers    map[string]*rpcPeer // by target
	closed   bool

	starting sync.Mutex // guards ended; taken after all others
	ended    bool       // nothing is begun any more
}

func newPeers(port *peerPort) (*Peers, error) {
	s, err := port.listen(streamKey{kind: streamRPC})
	if err != nil {
		return nil, err
	}
	p := &Peers{
		cfg: port.cfg, metrics: port.metrics, stream: s, budget: byteBudget{left: port.cfg.MaxRPCBytes},
		handlers: make(map[RequestKind]RequestHandler), peers: make(map[string]*rpcPeer),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

// Handle lets h answer requests of a kind from now on; nil: nobody. A request that nobody serves is answered as not executed.
func (p *Peers) Handle(kind RequestKind, h RequestHandler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h == nil {
		delete(p.handlers, kind)
		return
	}
	p.handlers[kind] = h
}

func (p *Peers) handler(kind RequestKind) RequestHandler {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.handlers[kind]
}

// Call asks the node of that id at an address and waits for the answer, at most until ctx ends; the time that remains then travels with the
// request. With node "" it asks whoever of the cluster is there. Every error is one of two:
//
//	stock.ErrNotExecuted   with ErrNotSent: no byte of the request left this node; or with ErrNotTaken: the other node answered that it did
//	                       nothing, and why.
//	stock.ErrUnknown       with ErrMaybeSent: it was sent, or some of it, and no answer came; or with ErrPeerFailed: the handler there failed.
func (p *Peers) Call(ctx context.Context, node, address string, r Request) ([]byte, error) {
	p.metrics.rpcCalling.Inc()
	defer p.metrics.rpcCalling.Dec()
	answer, err := p.call(ctx, targetOf(node, address), &r)
	p.metrics.rpcCalled(err)
	return answer, err
}

func (p *Peers) call(ctx context.Context, target string, r *Request) ([]byte, error) {
	if err := p.admissible(ctx, r); err != nil {
		return nil, notSent(err)
	}
	peer, err := p.peer(target)
	if err != nil {
		return nil, notSent(err)
	}
	conn, err := peer.acquire(ctx)
	if err != nil {
		return nil, notSent(err)
	}
	return conn.call(ctx, r)
}

func (p *Peers) admissible(ctx context.Context, r *Request) error {
	switch size := (&rpcFrame{caller: r.Caller, body: r.Body}).bytes(); {
	case len(r.Caller) > maxRPCCallerBytes:
		return fmt.Errorf("%w: a caller of %d bytes", ErrFrameTooLarge, len(r.Caller))
	case int64(size-rpcPrefixBytes) > p.cfg.RPCFrameBytes:
		p.metrics.rpcBound.WithLabelValues("rpc_frame_bytes").Inc()
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, size, p.cfg.RPCFrameBytes)
	}
	return ctx.Err()
}

// peer returns what there is of a node. One that is asked by id at another address than before begins anew.
func (p *Peers) peer(target string) (*rpcPeer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if peer := p.peers[target]; peer != nil {
		return peer, nil
	}
	node, _ := splitTarget(target)
	for old, peer := range p.peers {
		if was, _ := splitTarget(old); node != "" && was == node {
			delete(p.peers, old)
			peer.retire()
		}
	}
	if len(p.peers) >= p.cfg.MaxRPCPeers {
		p.metrics.rpcBound.WithLabelValues("rpc_peers").Inc()
		return nil, fmt.Errorf("%w: %d nodes", ErrPeerBound, len(p.peers))
	}
	peer := &rpcPeer{peers: p, target: target}
	p.peers[target] = peer
	return peer, nil
}

// Forget closes the connections to a node, and to an address that was asked without one: it left the cluster. Requests under way have an unknown
// outcome.
func (p *Peers) Forget(node, address string) {
	target := targetOf(node, address)
	p.mu.Lock()
	peer := p.peers[target]
	delete(p.peers, target)
	p.mu.Unlock()
	if peer != nil {
		peer.close(ErrClosed)
	}
}

// close ends everything and waits.
func (p *Peers) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	peers := p.peers
	p.peers = nil
	p.mu.Unlock()
	p.starting.Lock()
	p.ended = true
	p.starting.Unlock()
	p.cancel()
	for _, peer := range peers {
		peer.close(ErrClosed)
	}
	_ = p.stream.Close()
	p.wg.Wait()
}

func notSent(cause error) error {
	return fmt.Errorf("%w: %w: %w", stock.ErrNotExecuted, ErrNotSent, cause)
}

func maybeSent(cause error) error {
	return fmt.Errorf("%w: %w: %w", stock.ErrUnknown, ErrMaybeSent, cause)
}

// verdictOf makes an error of an answer that is not the one hoped for.
func verdictOf(status rpcStatus, text []byte) error {
	const most = 512
	cause := fmt.Errorf("%v: %s", status, text[:min(len(text), most)])
	switch status {
	case statusNotExecuted, statusUnserved, statusOverloaded, statusLate, statusClosing:
		return fmt.Errorf("%w: %w: %w", stock.ErrNotExecuted, ErrNotTaken, cause)
	}
	return fmt.Errorf("%w: %w: %w", stock.ErrUnknown, ErrPeerFailed, cause)
}

// byteBudget is how many bytes of requests may be in memory.
type byteBudget struct {
	mu   sync.Mutex // guards left
	left int64
}

// take takes n bytes, if there are as many.
func (b *byteBudget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.left {
		return false
	}
	b.left -= n
	return true
}

func (b *byteBudget) give(n int64) {
	b.mu.Lock()
	b.left += n
	b.mu.Unlock()
}

// rpcPeer is another node as one that is asked.
type rpcPeer struct {
	peers  *Peers
	target string

	mu      sync.Mutex // guards what follows
	conns   []*rpcConn
	dialing chan struct{} // closed when the dial under way is over; nil while there is none
	waiting int           // callers that wait for it
	failed  error         // why the last dial failed
	after   time.Time     // no dial before
	delay   time.Duration
	closed  error
}

// acquire returns a connection to the node: the one with the fewest requests under way. Another is dialled beside them while that one is half full.
func (p *rpcPeer) acquire(ctx context.Context) (*rpcConn, error) {
	for {
		p.mu.Lock()
		conn, load := p.leastLocked()
		dialing, err := p.dialLocked(conn, load)
		if conn != nil || err != nil {
			p.mu.Unlock()
			return conn, err
		}
		if p.waiting >= p.peers.cfg.MaxRPCOutstanding {
			p.mu.Unlock()
			p.peers.metrics.rpcBound.WithLabelValues("rpc_outstanding").Inc()
			return nil, fmt.Errorf("%w: %d requests wait for a connection to %s", ErrPeerBound, p.peers.cfg.MaxRPCOutstanding, p.target)
		}
		p.waiting++
		p.mu.Unlock()
		select {
		case <-dialing:
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.peers.ctx.Done():
			err = ErrClosed
		}
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// leastLocked returns the live connection with the fewest requests under way, and how many; nil for none. It lets go of the dead.
func (p *rpcPeer) leastLocked() (best *rpcConn, load int) {
	alive := p.conns[:0]
	for _, conn := range p.conns {
		n, dead := conn.load()
		if dead {
			continue
		}
		alive = append(alive, conn)
		if best == nil || n < load {
			best, load = conn, n
		}
	}
	clear(p.conns[len(alive):])
	p.conns = alive
	return best, load
}

// dialLocked begins a dial when one is due. Without a connection it returns what to wait for, or why there is nothing to wait for.
func (p *rpcPeer) dialLocked(conn *rpcConn, load int) (dialing <-chan struct{}, err error) {
	cfg := p.peers.cfg
	switch {
	case p.closed != nil:
		return nil, p.closed
	case p.dialing != nil:
		return p.dialing, nil
	case conn != nil && (load < (cfg.MaxRPCOutstanding+1)/2 || len(p.conns) >= cfg.MaxRPCConns):
		return nil, nil
	case time.Now().Before(p.after):
		if conn != nil {
			return nil, nil
		}
		return nil, p.failed
	}
	if !p.peers.begin(p.dial) {
		return nil, ErrClosed
	}
	p.dialing = make(chan struct{}) // The dial needs the lock to end.
	return p.dialing, nil
}

// begin starts a goroutine that close waits for; false after close.
func (p *Peers) begin(run func()) bool {
	p.starting.Lock()
	defer p.starting.Unlock()
	if !p.ended {
		p.wg.Go(run)
	}
	return !p.ended
}

// dial opens a connection and runs it until it ends.
func (p *rpcPeer) dial() {
	cfg := p.peers.cfg
	c, err := p.peers.stream.dial(p.target, min(cfg.RPCTimeout, cfg.HandshakeTimeout))
	p.mu.Lock()
	close(p.dialing)
	p.dialing = nil
	if err != nil {
		p.failed = err
		p.delay = min(max(2*p.delay, cfg.RedialDelay), 64*cfg.RedialDelay)
		p.after = time.Now().Add(p.delay)
		p.mu.Unlock()
		p.peers.metrics.rpcDialFailed.Inc()
		return
	}
	p.delay, p.failed = 0, nil
	if p.closed != nil {
		p.mu.Unlock()
		_ = c.Close()
		return
	}
	conn := newRPCConn(p.peers, c)
	p.conns = append(p.conns, conn)
	p.mu.Unlock()
	conn.run()
}

// retire lets the connections end when nothing waits for an answer on them any more.
func (p *rpcPeer) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = errMoved
	for _, conn := range p.conns {
		conn.retire()
	}
}

var (
	errMoved   = errors.New("cluster: the node is asked at another address now")
	errRetired = errors.New("cluster: the connection is not used any more")
)

// close ends every connection.
func (p *rpcPeer) close(cause error) {
	p.mu.Lock()
	p.closed = cause
	conns := append([]*rpcConn(nil), p.conns...)
	p.mu.Unlock()
	for _, conn := range conns {
		conn.kill(cause)
	}
}
