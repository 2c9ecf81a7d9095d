package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/cluster/peercert"
	"holdfast/stock"
)

// A node that is no member yet does not know the cluster's id. It speaks to a peer port over a stream of its own kind, whose head carries an id of
// zeros and nothing else may: one request, one answer, in the frames of package-internal requests. With certificates it is as proven as a member.

// maxJoinBytes bounds a request to join: a node describes itself.
const maxJoinBytes = 64 << 10

// joinTimeout is how long a request to join may take when nobody says otherwise.
const joinTimeout = 30 * time.Second

// JoinHandler answers a node that is no member yet. Node is what its handshake proved. An error that is stock.ErrNotExecuted says that nothing was
// done; any other that something may have been. The context ends with the node's patience, and at Close. Calls overlap.
type JoinHandler func(ctx context.Context, node string, body []byte) ([]byte, error)

// JoinConfig says who asks.
type JoinConfig struct {
	// NodeID names the node.
	NodeID string
	// Identity is its certificate; nil: plaintext.
	Identity *peercert.Identity
	// Dial connects to the peer port. Default: TCP.
	Dial func(ctx context.Context, address string, timeout time.Duration) (net.Conn, error)
	// Logger takes what is said of the connection. Default: none.
	Logger *slog.Logger
}

// AskToJoin asks the node whose peer port is at address on behalf of one that is no member of its cluster, and waits for the answer until ctx ends,
// at most half a minute. Errors are those of Peers.Call: stock.ErrNotExecuted with ErrNotSent, or with ErrNotTaken and the reason; stock.ErrUnknown
// with ErrMaybeSent or ErrPeerFailed. Asking again is the answering handler's to make harmless.
func AskToJoin(ctx context.Context, cfg JoinConfig, address string, body []byte) ([]byte, error) {
	if err := CheckNodeID(cfg.NodeID); err != nil {
		return nil, notSent(err)
	}
	if len(body) > maxJoinBytes {
		return nil, notSent(fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, len(body), maxJoinBytes))
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	conn, err := dialToJoin(ctx, &cfg, address)
	if err != nil {
		return nil, notSent(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() { stop(); _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	request := rpcFrame{typ: frameRequest, id: 1, left: time.Until(deadline), attempt: 1, body: body}
	if n, err := conn.Write(request.append(nil)); err != nil {
		if n == 0 {
			return nil, notSent(joinCause(ctx, err))
		}
		return nil, maybeSent(joinCause(ctx, err))
	}
	frames := newFrameReader(conn, defaultRPCFrameBytes)
	f, size, err := frames.begin()
	if err == nil {
		err = frames.end(&f, size)
	}
	if err == nil && (f.typ != frameAnswer || f.id != request.id) {
		err = errWrongWay
	}
	if err != nil {
		return nil, maybeSent(joinCause(ctx, err))
	}
	if status := rpcStatus(f.kind); status != statusDone {
		return nil, verdictOf(status, f.body)
	}
	return f.body, nil
}

func joinCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// dialToJoin opens the stream. What a port needs to dial is all that is made of one.
func dialToJoin(ctx context.Context, cfg *JoinConfig, address string) (*peerConn, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	port := &peerPort{cfg: &Config{
		NodeID: cfg.NodeID, Identity: cfg.Identity, Dial: cfg.Dial, Logger: cfg.Logger, Bounds: Bounds{FrameBytes: defaultRPCFrameBytes},
	}}
	if port.cfg.Dial == nil {
		port.cfg.Dial = dialTCP
	}
	const patience = 3 * time.Second
	wait := patience
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	key := streamKey{kind: streamJoin}
	conn, err := port.dial(ctx, address, key, wait)
	if err != nil {
		return nil, err
	}
	conn.stream = newStream(port, key)
	return conn, nil
}

// joins answers nodes that are no members yet.
type joins struct {
	cfg     *Config
	metrics *metrics
	stream  *stream
	handler atomic.Pointer[JoinHandler]
	places  chan struct{} // as many as may be answered at a time
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

func newJoins(port *peerPort) (*joins, error) {
	s, err := port.listen(streamKey{kind: streamJoin})
	if err != nil {
		return nil, err
	}
	j := &joins{cfg: port.cfg, metrics: port.metrics, stream: s, places: make(chan struct{}, port.cfg.MaxJoins)}
	j.serve(port.cfg.OnJoin)
	j.ctx, j.cancel = context.WithCancel(context.Background())
	j.wg.Go(j.accept)
	return j, nil
}

// ServeJoin lets h answer nodes that are no members yet, from now on; nil: nobody. See AskToJoin.
func (c *Cluster) ServeJoin(h JoinHandler) { c.joins.serve(h) }

func (j *joins) serve(h JoinHandler) {
	if h == nil {
		j.handler.Store(nil)
		return
	}
	j.handler.Store(&h)
}

// accept answers connections, as many at a time as there are places. A stranger's connection is short: it has the time of a handshake to ask.
func (j *joins) accept() {
	for {
		conn, err := j.stream.Accept()
		if err != nil {
			return
		}
		j.wg.Go(func() {
			defer func() { _ = conn.Close() }()
			j.answer(conn.(*peerConn))
		})
	}
}

// answer reads the request and answers it.
func (j *joins) answer(conn *peerConn) {
	_ = conn.SetDeadline(time.Now().Add(j.cfg.HandshakeTimeout))
	frames := newFrameReader(conn, maxJoinBytes+rpcMinLength)
	f, size, err := frames.begin()
	if err == nil {
		err = frames.end(&f, size)
	}
	if err == nil && f.typ != frameRequest {
		err = errWrongWay
	}
	if err != nil {
		if errors.Is(err, errFrame) {
			conn.stream.port.dropped(verdictFrame, conn.Conn, conn.node, err)
		}
		return
	}
	left := min(f.left, joinTimeout)
	_ = conn.SetDeadline(time.Now().Add(left + j.cfg.HandshakeTimeout))
	status, body := j.ask(conn, &f, left)
	if int64(rpcMinLength+len(body)) > j.cfg.RPCFrameBytes {
		j.metrics.rpcBound.WithLabelValues("rpc_frame_bytes").Inc()
		status, body = statusFailed, []byte(ErrFrameTooLarge.Error())
	}
	answer := rpcFrame{typ: frameAnswer, kind: uint16(status), id: f.id, body: body}
	if _, err := conn.Write(answer.append(nil)); err != nil {
		return
	}
	// The other end closes when it has read the answer; closing first might overtake it.
	if _, err := io.CopyN(io.Discard, conn, 1); errors.Is(err, os.ErrDeadlineExceeded) {
		conn.stream.port.dropped(verdictSilent, conn.Conn, conn.node, err)
	}
}

// ask asks the handler.
func (j *joins) ask(conn *peerConn, f *rpcFrame, left time.Duration) (status rpcStatus, body []byte) {
	handler := j.handler.Load()
	if handler == nil {
		return statusUnserved, nil
	}
	select {
	case j.places <- struct{}{}:
		defer func() { <-j.places }()
	default:
		j.metrics.rpcBound.WithLabelValues("joins").Inc()
		return statusOverloaded, nil
	}
	ctx, cancel := context.WithTimeout(j.ctx, left)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			j.cfg.Logger.Error("the handler of joining nodes panicked", "from", conn.node, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			status, body = statusFailed, []byte("it panicked")
		}
	}()
	body, err := (*handler)(ctx, conn.node, f.body)
	switch {
	case err == nil:
		return statusDone, body
	case errors.Is(err, stock.ErrNotExecuted):
		return statusNotExecuted, []byte(err.Error())
	}
	return statusFailed, []byte(err.Error())
}

// close ends everything and waits.
func (j *joins) close() {
	j.cancel()
	_ = j.stream.Close()
	j.wg.Wait()
}
