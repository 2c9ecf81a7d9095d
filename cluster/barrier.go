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
	select {
	case r.barring <- struct{}{}:
	case <-r.stop:
		return notChanged(ErrDown)
	case <-ctx.Done():
		return notChanged(ctx.Err())
	}
	wait := r.cfg.RPCTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(time.Until(deadline), time.Millisecond)
	}
	outcome := make(chan error, 1)
	go func() {
		// Not waited for at Close: raft forgets what lies in its queue then (raft#498).
		err := r.raft.Barrier(wait).Error()
		<-r.barring
		outcome <- barrierOutcome(err)
	}()
	select {
	case err := <-outcome:
		return err
	case <-r.stop:
		return fmt.Errorf("%w: %w", stock.ErrUnknown, errAbandoned)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", stock.ErrUnknown, ctx.Err())
	}
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
