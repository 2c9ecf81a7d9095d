package forward

import (
	"context"
	"fmt"
	"time"

	"holdfast/cluster"
	"holdfast/stock"
)

// server answers other nodes' requests at this node's gateway. It never asks a third node, and keeps nothing.
type server struct{ f *Forwarder }

var _ cluster.RequestHandler = (*server)(nil)

// Handlers returns what answers the requests of other nodes, by kind, for cluster.Peers.Handle.
func (f *Forwarder) Handlers() map[cluster.RequestKind]cluster.RequestHandler {
	return map[cluster.RequestKind]cluster.RequestHandler{cluster.KindRequests: &server{f}, cluster.KindListing: &lister{f}}
}

// ServePeer answers a frame with requests.
func (s *server) ServePeer(ctx context.Context, r cluster.Request) ([]byte, error) {
	q, err := readRequests(r.Body)
	if err == nil {
		err = s.check(&q, r.Caller)
	}
	if err != nil {
		s.f.metrics.served[0].Inc()
		s.f.cfg.Logger.Warn("a frame of another node was refused", "node", r.From, "error", err)
		return nil, refused(ErrFrame, err)
	}
	a := s.answer(ctx, &q)
	s.f.metrics.served[a.verdict].Add(float64(len(q.list)))
	var leader route
	leader.node, leader.address, leader.term = s.f.cfg.Routes.Leader(q.shard)
	a.leader = leader
	return a.append(nil)
}

// check holds a frame's requests against its shard and its authenticated caller (rule R18), and commands against what the first node gives them.
func (s *server) check(q *requests, by string) error {
	for _, r := range q.list {
		if shard := s.f.cfg.Routes.ShardOf(r.Partition()); shard != q.shard {
			return fmt.Errorf("%w: %T of shard %d, not %d", ErrStray, r, shard, q.shard)
		}
		if caller(r) != by {
			return fmt.Errorf("%w: %T", ErrCaller, r)
		}
		if c, ok := r.(stock.Command); ok && (c.Head().Key == "" || c.Head().Deadline == 0) {
			return fmt.Errorf("%w: %T without key or deadline", ErrFrame, r)
		}
	}
	if len(q.list) == 0 {
		return fmt.Errorf("%w: no requests", ErrFrame)
	}
	return nil
}

// answer has a frame's requests answered if this node leads their shard and their deadlines fit its clock.
func (s *server) answer(ctx context.Context, q *requests) answer {
	clock, leads := s.f.cfg.Local.Clock(q.list[0].Partition())
	if !leads {
		return answer{verdict: verdictNoLeader}
	}
	if until, bounded := ctx.Deadline(); bounded {
		left := time.Until(until)
		for _, r := range q.list {
			if c, ok := r.(stock.Command); ok && !s.f.fits(c.Head().Deadline, clock, left) {
				return answer{verdict: verdictClock, clock: clock}
			}
		}
	}
	return answer{verdict: verdictAnswered, clock: clock, outcomes: s.f.cfg.Local.DoAll(ctx, q.list)}
}
