package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/stock"
)

// Barrier returns when everything that was acknowledged in the group before the call has been given to this replica's machine: it commits an entry
// without a command. A leader that was replaced without knowing it cannot commit one. A snapshot that is taken afterwards holds all of that.
//
// An error is stock.ErrNotExecuted, with ErrNotLeader when another replica is to be asked, or stock.ErrUnknown; nothing but a position of the log
// came of it in either case.
func (s *Shard) Barrier(ctx context.Context) error {
	r := s.replica.Load()
	if r == nil {
		return notChanged(s.absent())
	}
	if _, leads := r.leadership(); !leads {
		return notChanged(ErrNotLeader)
	}
	// One at a time, for the same reason as a change of members.
	if err := r.reserve(ctx, r.barring); err != nil {
		return err
	}
	return r.put(ctx, r.barring, func(wait time.Duration) error { return barrierOutcome(r.raft.Barrier(wait).Error()) })
}

func barrierOutcome(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return notChanged(fmt.Errorf("%w: %w", ErrNotLeader, err))
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return notChanged(err)
	}
	return fmt.Errorf("%w: %w", stock.ErrUnknown, err)
}
