package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"holdfast/cluster"
	"holdfast/stock"
)

// reads lets other nodes, and this one, read the snapshots of the groups that this node leads. A read goes on when the node leads no more: what it
// reads was durable and acknowledged.
type reads struct {
	cfg     *Config
	metrics *metrics

	mu     sync.Mutex // guards what follows
	open   map[uint64]*read
	opens  int    // reads in open, and such that are about to be
	last   uint64 // the last number given; it begins at random, so that nobody goes on with a read of an earlier process
	closed bool
}

// read is one snapshot being read.
type read struct {
	group uint32
	idle  *time.Timer

	mu    sync.Mutex // guards what follows
	state *cluster.SnapshotState
	// chunk is the last one, which ends at next.
	chunk []byte
	next  int64
}

var _ cluster.RequestHandler = (*reads)(nil)

// ServePeer answers a request. An error is stock.ErrNotExecuted: at worst a snapshot was taken that was not due yet.
func (s *reads) ServePeer(ctx context.Context, r cluster.Request) ([]byte, error) {
	answer, err := s.serve(ctx, r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	return answer, nil
}

func (s *reads) serve(ctx context.Context, body []byte) ([]byte, error) {
	q, err := decodeRequest(body)
	if err != nil {
		return nil, err
	}
	switch q.op {
	case opOpen:
		o, err := s.begin(ctx, q.group)
		if err != nil {
			return nil, err
		}
		return o.encode(), nil
	case opNext:
		chunk, err := s.readOn(&q)
		if err != nil {
			// A copy that comes late asks for what is over, and ends nothing; a snapshot that cannot be read is of no use any more.
			if !errors.Is(err, ErrBrokenOff) {
				s.end(q.read)
			}
			return nil, err
		}
		return encodeChunk(chunk), nil
	}
	s.end(q.read)
	return []byte{frameVersion}, nil
}

// begin takes a snapshot of a group that this node leads, of everything acknowledged before, and opens it.
func (s *reads) begin(ctx context.Context, id uint32) (o opened, err error) {
	group := s.cfg.Groups.Group(id)
	if group == nil {
		return o, fmt.Errorf("%w: no replica of group %d is here", ErrNoLeader, id)
	}
	if err := s.enter(); err != nil {
		return o, err
	}
	state, err := take(ctx, group)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.closed {
		err = errors.Join(ErrClosed, state.Close())
	}
	if err != nil {
		s.leaveLocked()
		return o, err
	}
	s.last++
	number := s.last
	s.open[number] = &read{group: id, state: state, idle: time.AfterFunc(s.cfg.IdleTimeout, func() { s.end(number) })}
	return opened{read: number, index: state.Index, term: state.Term, bytes: state.Bytes}, nil
}

// enter takes a place for a read.
func (s *reads) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.opens >= s.cfg.MaxReads:
		s.metrics.overload[boundReads].Inc()
		return fmt.Errorf("%w: %d snapshots are being read", ErrBusy, s.opens)
	}
	s.opens++
	s.metrics.reads.Set(float64(s.opens))
	return nil
}

func (s *reads) leaveLocked() {
	s.opens--
	s.metrics.reads.Set(float64(s.opens))
}

// take takes a snapshot on the leader and opens it. The barrier is what makes it current: a leader that was replaced does not pass it, and a new one
// has applied all of its predecessors' when it does.
func take(ctx context.Context, group Group) (*cluster.SnapshotState, error) {
	if err := group.Barrier(ctx); err != nil {
		return nil, err
	}
	if _, _, err := group.Snapshot(ctx); err != nil {
		return nil, err
	}
	return group.OpenSnapshot()
}

// readOn returns the next chunk, or the last one again.
func (s *reads) readOn(q *request) ([]byte, error) {
	s.mu.Lock()
	r := s.open[q.read]
	s.mu.Unlock()
	if r == nil || r.group != q.group {
		return nil, fmt.Errorf("%w: there is no such read", ErrBrokenOff)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle.Reset(s.cfg.IdleTimeout)
	switch {
	case r.state == nil:
		return nil, fmt.Errorf("%w: the read is over", ErrBrokenOff)
	case len(r.chunk) > 0 && q.offset == r.next-int64(len(r.chunk)):
		return r.chunk, nil
	case q.offset != r.next:
		return nil, fmt.Errorf("%w: the read is at byte %d and not at %d", ErrBrokenOff, r.next, q.offset)
	}
	want := min(int64(q.most), int64(s.cfg.ChunkBytes), r.state.Bytes-r.next)
	if want <= 0 {
		return nil, fmt.Errorf("%w: nothing is left to read", ErrBrokenOff)
	}
	// The chunk before is another's by now.
	r.chunk = make([]byte, want)
	if _, err := io.ReadFull(r.state, r.chunk); err != nil {
		r.chunk = nil
		return nil, err
	}
	r.next += want
	return r.chunk, nil
}

// end ends a read, if there still is one of that number.
func (s *reads) end(number uint64) {
	s.mu.Lock()
	r := s.open[number]
	if r != nil {
		delete(s.open, number)
		s.leaveLocked()
	}
	s.mu.Unlock()
	if r != nil {
		r.close()
	}
}

func (r *read) close() {
	r.idle.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	// It was read, or nobody will read it: there is nothing to do about an error.
	_ = r.state.Close()
	r.state, r.chunk = nil, nil
}

// close ends all reads.
func (s *reads) close() {
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = nil
	s.opens -= len(open)
	s.metrics.reads.Set(float64(s.opens))
	s.mu.Unlock()
	for _, r := range open {
		r.close()
	}
}
