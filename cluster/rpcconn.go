package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// rpcConn is a connection on which this node asks. One goroutine writes and one reads; a request is, at any time, in one of three places: in the
// queue (no byte has left), written or being written (it may have arrived), or settled.
type rpcConn struct {
	peers *Peers
	conn  *peerConn
	wake  chan struct{}
	done  chan struct{}

	mu      sync.Mutex // guards what follows
	last    uint64     // id of the newest request
	open    map[uint64]*rpcCall
	queue   []*rpcCall
	cancels []uint64 // ids that nobody waits for any more
	dead    error    // why the connection ended
	retired bool
}

// rpcCall is a request that waits for its answer.
type rpcCall struct {
	id       uint64
	request  *Request
	deadline time.Time // zero: none
	sent     bool      // a byte of it may have left
	settled  chan rpcOutcome
}

// rpcOutcome is an answer, or an error of Peers.Call.
type rpcOutcome struct {
	body []byte
	err  error
}

// rpcBatchBytes is how much is gathered into one write.
const rpcBatchBytes = 256 << 10

var (
	errSilent    = errors.New("cluster: the peer has been silent for too long")
	errWrongWay  = fmt.Errorf("%w: a frame of that type does not come this way", errFrame)
	errUnwritten = errors.New("cluster: the connection ended before the request was written")
)

func newRPCConn(p *Peers, c *peerConn) *rpcConn {
	p.metrics.rpcConns.Inc()
	return &rpcConn{
		peers: p, conn: c, wake: make(chan struct{}, 1), done: make(chan struct{}), open: make(map[uint64]*rpcCall),
	}
}

// load returns how many requests wait, and whether the connection takes more.
func (c *rpcConn) load() (n int, dead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open), c.dead != nil || c.retired
}

// call asks and waits. See Peers.Call.
func (c *rpcConn) call(ctx context.Context, r *Request) ([]byte, error) {
	call := &rpcCall{request: r, settled: make(chan rpcOutcome, 1)}
	call.deadline, _ = ctx.Deadline()
	if err := c.enqueue(call); err != nil {
		return nil, notSent(err)
	}
	select {
	case o := <-call.settled:
		return o.body, o.err
	case <-ctx.Done():
		c.abandon(call, ctx.Err())
		o := <-call.settled // By abandon, or by what came just before it.
		return o.body, o.err
	}
}

func (c *rpcConn) enqueue(call *rpcCall) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return c.dead
	}
	if most := c.peers.cfg.MaxRPCOutstanding; len(c.open) >= most {
		c.peers.metrics.rpcBound.WithLabelValues("rpc_outstanding").Inc()
		return fmt.Errorf("%w: %d requests wait for answers of %s", ErrPeerBound, most, c.conn.node)
	}
	c.last++
	call.id = c.last
	c.open[call.id] = call
	c.queue = append(c.queue, call)
	c.poke()
	return nil
}

func (c *rpcConn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// settleLocked tells the outcome of a request, once.
func (c *rpcConn) settleLocked(call *rpcCall, o rpcOutcome) {
	if c.open[call.id] != call {
		return
	}
	delete(c.open, call.id)
	call.settled <- o
	if c.retired && len(c.open) == 0 {
		c.killLocked(errRetired)
	}
}

// abandon settles a request that nobody waits for any more. One in the queue never leaves; the peer is told of one that has left.
func (c *rpcConn) abandon(call *rpcCall, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[call.id] != call {
		return
	}
	if !call.sent {
		c.settleLocked(call, rpcOutcome{err: notSent(cause)})
		return
	}
	c.settleLocked(call, rpcOutcome{err: maybeSent(cause)})
	if len(c.cancels) < c.peers.cfg.MaxRPCOutstanding { // Only a courtesy: the time of the request travels with it.
		c.cancels = append(c.cancels, call.id)
		c.poke()
	}
}

// run writes and reads until the connection ends.
func (c *rpcConn) run() {
	var wg sync.WaitGroup
	wg.Go(c.write)
	c.kill(c.read())
	wg.Wait()
	c.peers.metrics.rpcConns.Dec()
}

// kill ends the connection and settles what is open on it.
func (c *rpcConn) kill(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killLocked(cause)
}

func (c *rpcConn) killLocked(cause error) {
	if c.dead != nil {
		return
	}
	c.dead = cause
	close(c.done)
	_ = c.conn.Close()
	for _, call := range c.open {
		if call.sent {
			c.settleLocked(call, rpcOutcome{err: maybeSent(cause)})
		} else {
			c.settleLocked(call, rpcOutcome{err: notSent(fmt.Errorf("%w: %w", errUnwritten, cause))})
		}
	}
	c.queue, c.cancels = nil, nil
}

func (c *rpcConn) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired = true
	if len(c.open) == 0 {
		c.killLocked(errRetired)
	}
}

// write writes what is queued, and a ping now and then: a peer that died without a word is noticed although nothing is asked.
func (c *rpcConn) write() {
	interval := c.peers.cfg.PingInterval
	pings := time.NewTicker(interval)
	defer pings.Stop()
	var buf []byte
	for {
		buf = buf[:0]
		if cap(buf) > 2*rpcBatchBytes {
			buf = nil // A large request is rare; its memory does not stay.
		}
		select {
		case <-c.wake:
		case <-pings.C:
			if c.conn.silence() > silentPings*interval {
				c.kill(errSilent)
				return
			}
			buf = (&rpcFrame{typ: framePing}).append(buf)
		case <-c.done:
			return
		}
		buf, batch := c.gather(buf)
		if len(buf) == 0 {
			continue
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(c.peers.cfg.RPCTimeout))
		if n, err := c.conn.Write(buf); err != nil {
			c.unwritten(batch, n, err)
			return
		}
	}
}

// silentPings is after how many intervals without an answer a peer is taken for dead.
const silentPings = 4

// batched is a request in a batch, and where in it its first byte is.
type batched struct {
	call *rpcCall
	at   int
}

// gather encodes what is queued, up to a batch, behind what is in buf. From here on the requests may have been sent.
func (c *rpcConn) gather(buf []byte) ([]byte, []batched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.cancels {
		buf = (&rpcFrame{typ: frameCancel, id: id}).append(buf)
	}
	c.cancels = c.cancels[:0]
	var batch []batched
	for len(c.queue) > 0 && (len(batch) == 0 || len(buf) < rpcBatchBytes) {
		call := c.queue[0]
		c.queue[0], c.queue = nil, c.queue[1:]
		if c.open[call.id] != call {
			continue // Abandoned.
		}
		left := time.Duration(maxRPCLeft)
		if !call.deadline.IsZero() {
			if left = time.Until(call.deadline); left < time.Microsecond {
				c.settleLocked(call, rpcOutcome{err: notSent(context.DeadlineExceeded)})
				continue
			}
		}
		call.sent = true
		batch = append(batch, batched{call, len(buf)})
		r := call.request
		buf = (&rpcFrame{
			typ: frameRequest, kind: uint16(r.Kind), id: call.id, left: left, attempt: r.Attempt, caller: r.Caller, body: r.Body,
		}).append(buf)
	}
	if len(c.queue) > 0 {
		c.poke()
	}
	return buf, batch
}

// unwritten ends the connection after a write that stopped at byte n of the batch. What begins at or behind n never left.
func (c *rpcConn) unwritten(batch []batched, n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range batch {
		if b.at >= n {
			b.call.sent = false
		}
	}
	c.killLocked(fmt.Errorf("cluster: write to %s: %w", c.conn.node, err))
}

// read hands answers to those who wait. It returns why the connection ended.
func (c *rpcConn) read() error {
	frames := newFrameReader(c.conn, c.peers.cfg.RPCFrameBytes)
	for {
		f, size, err := frames.begin()
		if err == nil {
			err = frames.end(&f, size)
		}
		if err != nil {
			return fmt.Errorf("cluster: read from %s: %w", c.conn.node, err)
		}
		switch f.typ {
		case framePong:
		case frameAnswer:
			c.mu.Lock()
			if call := c.open[f.id]; call != nil && call.sent { // Otherwise nobody waits for it any more.
				c.settleLocked(call, outcomeOfAnswer(&f))
			}
			c.mu.Unlock()
		default:
			return errWrongWay
		}
	}
}

func outcomeOfAnswer(f *rpcFrame) rpcOutcome {
	if status := rpcStatus(f.kind); status != statusDone {
		return rpcOutcome{err: verdictOf(status, f.body)}
	}
	return rpcOutcome{body: f.body}
}
