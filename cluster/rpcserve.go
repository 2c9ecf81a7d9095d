package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"holdfast/stock"
)

// accept serves the connections on which others ask, until the stream closes.
func (p *Peers) accept() {
	for {
		conn, err := p.stream.Accept()
		if err != nil {
			return
		}
		s := &rpcServer{
			peers: p, conn: conn.(*peerConn), answers: make(chan []byte, p.cfg.MaxRPCOutstanding), done: make(chan struct{}),
			serving: make(map[uint64]context.CancelFunc),
		}
		s.ctx, s.cancel = context.WithCancel(p.ctx)
		p.wg.Go(s.run)
	}
}

// rpcServer is a connection on which another node asks. The reader hands each request to a goroutine of its own, of which there is a bounded
// number; when answers are not taken off, it waits, and with it only this connection.
type rpcServer struct {
	peers   *Peers
	conn    *peerConn
	answers chan []byte
	done    chan struct{} // the writer has ended
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu      sync.Mutex // guards what follows
	serving map[uint64]context.CancelFunc
	// active is the number of goroutines: those in serving, and those that wait for room for their answer.
	// Invariant: len(serving) <= active
	active int
}

// run serves the connection until it ends.
func (s *rpcServer) run() {
	s.wg.Go(s.write)
	err := s.read()
	switch {
	case errors.Is(err, errFrame):
		s.conn.stream.port.dropped(verdictFrame, s.conn.Conn, s.conn.node, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.conn.stream.port.dropped(verdictSilent, s.conn.Conn, s.conn.node, err)
	}
	s.cancel()
	_ = s.conn.Close()
	s.wg.Wait()
}

// read reads requests. A peer that stays silent although it pings, or leaves a frame half sent, is gone.
func (s *rpcServer) read() error {
	cfg := s.peers.cfg
	frames := newFrameReader(s.conn, cfg.RPCFrameBytes)
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(2 * silentPings * cfg.PingInterval))
		f, size, err := frames.begin()
		if err != nil {
			return err
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(cfg.RPCTimeout))
		if f.typ != frameRequest {
			if err := s.control(frames, &f, size); err != nil {
				return err
			}
			continue
		}
		held := int64(rpcHeadBytes + size)
		if !s.peers.budget.take(held) {
			s.peers.metrics.rpcBound.WithLabelValues("rpc_bytes").Inc()
			if err := frames.skip(size); err != nil {
				return err
			}
			s.refuse(&f, statusOverloaded)
			continue
		}
		if err = frames.end(&f, size); err == nil {
			err = s.request(&f, held)
		} else {
			s.peers.budget.give(held)
		}
		if err != nil {
			return err
		}
	}
}

// control does what a frame asks for that is no request. It holds no bytes: such frames have no body.
func (s *rpcServer) control(frames *frameReader, f *rpcFrame, size int) error {
	if size != 0 {
		return fmt.Errorf("%w: type %d with a body", errFrame, f.typ)
	}
	if err := frames.end(f, 0); err != nil {
		return err
	}
	switch f.typ {
	case frameCancel:
		s.mu.Lock()
		if cancel := s.serving[f.id]; cancel != nil {
			cancel()
		}
		s.mu.Unlock()
	case framePing:
		s.send((&rpcFrame{typ: framePong}).append(nil))
	default:
		return errWrongWay
	}
	return nil
}

// request hands a request to its handler, which gives back the bytes it holds.
func (s *rpcServer) request(f *rpcFrame, held int64) error {
	handler := s.peers.handler(RequestKind(f.kind))
	if handler == nil {
		s.peers.budget.give(held)
		s.refuse(f, statusUnserved)
		return nil
	}
	ctx, cancel := context.WithDeadline(s.ctx, time.Now().Add(f.left))
	if full, err := s.enter(f.id, cancel); full || err != nil {
		cancel()
		s.peers.budget.give(held)
		if full {
			s.peers.metrics.rpcBound.WithLabelValues("rpc_outstanding").Inc()
			s.refuse(f, statusOverloaded)
		}
		return err
	}
	s.wg.Go(func() {
		defer s.peers.budget.give(held)
		defer cancel()
		s.serve(ctx, handler, f)
	})
	return nil
}

// enter counts a request in unless there are too many, or its id is one of those under way.
func (s *rpcServer) enter(id uint64, cancel context.CancelFunc) (full bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.peers.cfg.MaxRPCOutstanding
	switch {
	case s.serving[id] != nil:
		return false, fmt.Errorf("%w: request %d came twice", errFrame, id)
	case len(s.serving) >= most || s.active >= 2*most:
		return true, nil
	}
	s.serving[id] = cancel
	s.active++
	return false, nil
}

// serve calls the handler and sends what it answers.
func (s *rpcServer) serve(ctx context.Context, h RequestHandler, f *rpcFrame) {
	s.peers.metrics.rpcServing.Inc()
	status, body := s.ask(ctx, h, f)
	s.peers.metrics.rpcServing.Dec()
	if size := int64(rpcMinLength + len(body)); size > s.peers.cfg.RPCFrameBytes {
		s.peers.metrics.rpcBound.WithLabelValues("rpc_frame_bytes").Inc()
		status, body = statusFailed, fmt.Appendf(nil, "an answer of %d bytes, at most %d", size, s.peers.cfg.RPCFrameBytes)
	}
	s.mu.Lock()
	delete(s.serving, f.id) // Before the answer leaves: the other end counts it as over when it has the answer.
	s.mu.Unlock()
	s.peers.metrics.rpcServed.WithLabelValues(status.String()).Inc()
	s.send((&rpcFrame{typ: frameAnswer, kind: uint16(status), id: f.id, body: body}).append(nil))
	s.mu.Lock()
	s.active--
	s.mu.Unlock()
}

// ask returns how a request went. A handler that panics may have done anything before.
func (s *rpcServer) ask(ctx context.Context, h RequestHandler, f *rpcFrame) (status rpcStatus, body []byte) {
	switch {
	case s.peers.ctx.Err() != nil:
		return statusClosing, nil
	case ctx.Err() != nil:
		return statusLate, nil
	}
	defer func() {
		if p := recover(); p != nil {
			s.peers.cfg.Logger.Error("a handler of peer requests panicked", "kind", f.kind, "from", s.conn.node, "panic", fmt.Sprint(p),
				"stack", string(debug.Stack()))
			status, body = statusFailed, []byte("it panicked")
		}
	}()
	body, err := h.ServePeer(ctx, Request{
		Kind: RequestKind(f.kind), From: s.conn.node, Caller: f.caller, Attempt: f.attempt, Body: f.body,
	})
	switch {
	case err == nil:
		return statusDone, body
	case errors.Is(err, stock.ErrNotExecuted):
		return statusNotExecuted, []byte(err.Error())
	}
	return statusFailed, []byte(err.Error())
}

// refuse answers a request for which nothing was done.
func (s *rpcServer) refuse(f *rpcFrame, status rpcStatus) {
	s.peers.metrics.rpcServed.WithLabelValues(status.String()).Inc()
	s.send((&rpcFrame{typ: frameAnswer, kind: uint16(status), id: f.id}).append(nil))
}

// send queues a frame for the writer, and waits for room unless the writer has ended.
func (s *rpcServer) send(b []byte) {
	select {
	case s.answers <- b:
	case <-s.done:
	}
}

// write writes answers. A peer that takes none for Config.RPCTimeout loses the connection.
func (s *rpcServer) write() {
	defer close(s.done)
	var buf []byte
	for {
		if cap(buf) > 2*rpcBatchBytes {
			buf = nil // A large answer is rare; its memory does not stay.
		}
		select {
		case b := <-s.answers:
			_ = s.conn.SetWriteDeadline(time.Now().Add(s.peers.cfg.RPCTimeout))
			buf = s.gather(append(buf[:0], b...))
			if _, err := s.conn.Write(buf); err != nil {
				_ = s.conn.Close()
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

// gather adds what else is queued, up to a batch.
func (s *rpcServer) gather(b []byte) []byte {
	for len(b) < rpcBatchBytes {
		select {
		case more := <-s.answers:
			b = append(b, more...)
		default:
			return b
		}
	}
	return b
}
