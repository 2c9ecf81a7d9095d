package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/stock"
)

// handover is what a replica knows of its own leadership transfers. While one is under way raft refuses proposals, as not executed. After two that
// failed it may go on refusing for as long as it lives, in later terms too (raft#696): the goroutine that would end the second waits for a follower's
// replication that has ended. So after a failure the watch asks until raft has been seen to take changes again, and when it leads and refuses for
// longer than any transfer lasts, the replica is built anew.
type handover struct {
	suspect atomic.Bool  // one failed, and raft was not seen to take changes since
	since   atomic.Int64 // when raft was first seen to refuse, in nanoseconds since 1970; 0: not seen
	asking  atomic.Bool
}

// stuckTransfers is how many election timeouts a leader may refuse because of a transfer: one lasts at most two.
const stuckTransfers = 3

// Transfer hands the group's leadership to a node's replica, or to the voter that trails least when to is "". It returns nil when this replica does
// not lead any more: mostly the other one does by then. Proposals that come meanwhile are not executed. It lasts at most two election timeouts, and
// one more while the other voters have not answered this leader: one that was just elected has heard of nobody yet.
//
// Errors: stock.ErrNotExecuted with ErrNotLeader, with ErrTransferring while another transfer is under way, or with ErrNoHeir for a node that has no
// vote or does not answer, the leader's own included; stock.ErrUnknown when it failed or ctx ended: the other replica may lead at any moment.
func (s *Shard) Transfer(ctx context.Context, to string) error {
	r := s.replica.Load()
	if r == nil {
		return notChanged(s.absent())
	}
	heir, err := r.awaitHeir(ctx, to)
	if err != nil {
		return notChanged(err)
	}
	outcome := make(chan error, 1)
	begun := r.begin(func() {
		err := r.raft.LeadershipTransferToServer(heir.ID, heir.Address).Error()
		if err != nil && !errors.Is(err, raft.ErrNotLeader) {
			r.handover.suspect.Store(true)
		}
		outcome <- s.transferred(err)
	})
	if !begun {
		return notChanged(ErrDown)
	}
	return r.await(ctx, outcome)
}

// transferred counts and explains what raft said of a transfer.
func (s *Shard) transferred(err error) error {
	switch {
	case err == nil:
		s.metrics.transfersDone.Inc()
		return nil
	case errors.Is(err, raft.ErrNotLeader):
		return notChanged(fmt.Errorf("%w: %w", ErrNotLeader, err))
	case errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return notChanged(fmt.Errorf("%w: %w", ErrTransferring, err))
	}
	s.metrics.transfersFailed.Inc()
	return fmt.Errorf("%w: transfer of shard %d: %w", stock.ErrUnknown, s.id, err)
}

// awaitHeir returns the heir. Voters that have not answered in this term, or not lately, have an election timeout for it.
func (r *replica) awaitHeir(ctx context.Context, to string) (*raft.Server, error) {
	enough := time.NewTimer(r.cfg.ElectionTimeout)
	defer enough.Stop()
	for {
		heard := r.shard.Heard()
		if _, leads := r.leadership(); !leads {
			return nil, ErrNotLeader
		}
		if heir := r.heir(to, time.Now()); heir != nil {
			return heir, nil
		}
		if !slices.ContainsFunc(r.members.newest().members, func(m raft.Server) bool { return r.mayInherit(&m, to) }) {
			return nil, fmt.Errorf("%w: %q", ErrNoHeir, to)
		}
		select {
		case <-heard:
		case <-enough.C:
			return nil, fmt.Errorf("%w: %q", ErrNoHeir, to)
		case <-r.stop:
			return nil, ErrDown
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// mayInherit reports whether a member is another voter, on that node, or on any when to is "".
func (r *replica) mayInherit(member *raft.Server, to string) bool {
	return member.Suffrage == raft.Voter && member.ID != r.self && (to == "" || nodeOf(member.ID) == to)
}

// heir returns the voter on a node, or of all other voters the one that has most of the log, if it answered lately; nil for none. Raft would pick by
// the log alone, and hand over to a node that is gone.
func (r *replica) heir(to string, now time.Time) *raft.Server {
	var best *raft.Server
	var most uint64
	term := r.raft.CurrentTerm()
	for _, member := range r.members.newest().members {
		if !r.mayInherit(&member, to) {
			continue
		}
		last := r.shard.contacts.last(member.ID)
		if last.term != term || now.Sub(last.at) > r.cfg.HeartbeatTimeout {
			continue
		}
		if best == nil || last.matched > most {
			best, most = &member, last.matched
		}
	}
	return best
}

// Resign hands leadership to the best voter, in the background: the leader must not go on (rule R2), or the node drains. Without another voter
// nothing happens. It never blocks.
func (s *Shard) Resign() {
	r := s.replica.Load()
	if r == nil || r.resigning.Swap(true) {
		return
	}
	begun := r.begin(func() {
		defer r.resigning.Store(false)
		if err := r.resign(); err != nil {
			r.cfg.Logger.Warn("leadership was not handed over", "shard", s.id, "error", err)
		}
	})
	if !begun {
		r.resigning.Store(false)
	}
}

func (r *replica) resign() error {
	c := r.members.newest()
	if c.voters() < 2 {
		return nil
	}
	if err := r.shard.Transfer(context.Background(), ""); !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrDown) {
		return err
	}
	return nil
}

// checkTransfer looks whether raft refuses since a transfer failed, and for how long. It asks for a change of members that cannot be: of a
// configuration at an index that no log has.
func (r *replica) checkTransfer(now time.Time, leads bool) {
	h := &r.handover
	if !h.suspect.Load() {
		return
	}
	if !leads {
		h.since.Store(0)
		return
	}
	if since := h.since.Load(); since != 0 && now.Sub(time.Unix(0, since)) > stuckTransfers*r.cfg.ElectionTimeout {
		r.shard.metrics.transfersStuck.Inc()
		r.shard.fail(0, 0, fmt.Errorf("%w for %v", ErrTransferStuck, now.Sub(time.Unix(0, since))))
		return
	}
	if h.asking.Swap(true) {
		return
	}
	begun := r.begin(func() {
		defer h.asking.Store(false)
		err := r.raft.RemoveServer(r.self, math.MaxUint64, r.cfg.PollInterval).Error()
		switch {
		case errors.Is(err, raft.ErrLeadershipTransferInProgress):
			h.since.CompareAndSwap(0, now.UnixNano())
		case errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrNotLeader):
			// Raft is busy, or does not lead: no answer.
		default:
			h.suspect.Store(false)
			h.since.Store(0)
		}
	})
	if !begun {
		h.asking.Store(false)
	}
}
