package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/stock"
)

// AddLearner makes a node's replica follow the group without a vote. Address is the node's peer address, which counts as long as Config.AddressOf
// knows none. Prev is the index of the configuration on which that was decided, as Group tells it: of two changes decided on the same one, one
// succeeds. It returns when the change is committed, at once when the replica is a learner already.
//
// Every error of AddLearner, Promote, Demote and RemoveMember is stock.ErrNotExecuted, with ErrNotLeader, ErrStaleConfiguration, ErrNotMember,
// ErrLastVoter or what ended the wait; or stock.ErrUnknown: the change may come into force. Look at Group then.
func (s *Shard) AddLearner(ctx context.Context, node string, number uint64, address string, prev uint64) error {
	id := raftID(node, number)
	return s.change(ctx, prev, func(r *replica, c *configuration) (func(time.Duration) raft.IndexFuture, error) {
		switch member := c.on(id); {
		case checkNodeID(node) != "" || number == 0 || address == "":
			return nil, fmt.Errorf("%w: %s at %q", ErrConfig, id, address)
		case member != nil && member.Suffrage == raft.Voter:
			return nil, fmt.Errorf("%w: %s votes already", ErrNotMember, id)
		case member != nil:
			return nil, nil
		}
		return func(wait time.Duration) raft.IndexFuture {
			return r.raft.AddNonvoter(id, memberAddress(id, address), prev, wait)
		}, nil
	})
}

// Promote gives a learner its vote. It must have caught up: until it has, it counts for the majority and contributes nothing. See AddLearner.
func (s *Shard) Promote(ctx context.Context, node string, number uint64, address string, prev uint64) error {
	id := raftID(node, number)
	return s.change(ctx, prev, func(r *replica, c *configuration) (func(time.Duration) raft.IndexFuture, error) {
		switch member := c.on(id); {
		case member == nil:
			return nil, fmt.Errorf("%w: %s", ErrNotMember, id)
		case member.Suffrage == raft.Voter:
			return nil, nil
		}
		return func(wait time.Duration) raft.IndexFuture {
			return r.raft.AddVoter(id, memberAddress(id, address), prev, wait)
		}, nil
	})
}

// Demote takes a replica's vote; it goes on as a learner. See AddLearner.
func (s *Shard) Demote(ctx context.Context, node string, number uint64, prev uint64) error {
	id := raftID(node, number)
	return s.change(ctx, prev, func(r *replica, c *configuration) (func(time.Duration) raft.IndexFuture, error) {
		switch member := c.on(id); {
		case member == nil:
			return nil, fmt.Errorf("%w: %s", ErrNotMember, id)
		case member.Suffrage != raft.Voter:
			return nil, nil
		case c.voters() == 1:
			return nil, fmt.Errorf("%w: %s", ErrLastVoter, id)
		}
		return func(wait time.Duration) raft.IndexFuture { return r.raft.DemoteVoter(id, prev, wait) }, nil
	})
}

// RemoveMember takes a replica out of the group; it is done already when there is none. The replica itself, which may not hear of it, stays until its
// node removes it. A leader that removes itself leads no more. See AddLearner.
func (s *Shard) RemoveMember(ctx context.Context, node string, number uint64, prev uint64) error {
	id := raftID(node, number)
	return s.change(ctx, prev, func(r *replica, c *configuration) (func(time.Duration) raft.IndexFuture, error) {
		switch member := c.on(id); {
		case member == nil:
			return nil, nil
		case member.Suffrage == raft.Voter && c.voters() == 1:
			return nil, fmt.Errorf("%w: %s", ErrLastVoter, id)
		}
		return func(wait time.Duration) raft.IndexFuture { return r.raft.RemoveServer(id, prev, wait) }, nil
	})
}

// change carries out one change of members. Plan looks at the configuration of index prev and returns what asks raft for the change: nil when all is
// as wanted.
func (s *Shard) change(ctx context.Context, prev uint64,
	plan func(*replica, *configuration) (func(time.Duration) raft.IndexFuture, error)) error {
	r := s.replica.Load()
	if r == nil {
		return notChanged(s.absent())
	}
	if _, leads := r.leadership(); !leads {
		return notChanged(ErrNotLeader)
	}
	if err := ctx.Err(); err != nil {
		return notChanged(err)
	}
	// One at a time: raft takes no second one before the first is committed, and a caller that no longer waits leaves its goroutine behind.
	if err := r.reserve(ctx, r.changing); err != nil {
		return err
	}
	c := r.members.newest()
	if c.index != prev || prev == 0 {
		<-r.changing
		return notChanged(fmt.Errorf("%w: decided at %d, now %d", ErrStaleConfiguration, prev, c.index))
	}
	ask, err := plan(r, &c)
	if ask == nil {
		<-r.changing
		if err != nil {
			return notChanged(err)
		}
		return nil
	}
	return r.put(ctx, r.changing, func(wait time.Duration) error { return changeOutcome(ask(wait).Error()) })
}

// reserve takes the place of what is put to raft one at a time.
func (r *replica) reserve(ctx context.Context, place chan struct{}) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-r.stop:
		return notChanged(ErrDown)
	case <-ctx.Done():
		return notChanged(ctx.Err())
	}
}

// put puts something to raft, gives the place back when raft has answered, and returns the outcome, which is unknown when the replica stops or ctx
// ends before. Raft has as long as ctx to take it: a change is not taken before the configuration in force is committed.
func (r *replica) put(ctx context.Context, place chan struct{}, ask func(wait time.Duration) error) error {
	wait := r.cfg.RPCTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(time.Until(deadline), time.Millisecond)
	}
	outcome := make(chan error, 1)
	go func() {
		// Not waited for at Close: raft forgets what lies in its queue then (raft#498).
		err := ask(wait)
		<-place
		outcome <- err
	}()
	return r.await(ctx, outcome)
}

// await returns what became of something that was put to raft.
func (r *replica) await(ctx context.Context, outcome <-chan error) error {
	select {
	case err := <-outcome:
		return err
	case <-r.stop:
		return fmt.Errorf("%w: %w", stock.ErrUnknown, errAbandoned)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", stock.ErrUnknown, ctx.Err())
	}
}

// absent says why there is no replica.
func (s *Shard) absent() error {
	if err := s.Fault(); err != nil {
		return err
	}
	return ErrDown // It is back by now.
}

func notChanged(cause error) error { return fmt.Errorf("%w: %w", stock.ErrNotExecuted, cause) }

// staleText is how raft's error begins when prevIndex is not the newest; it has no value of its own.
const staleText = "configuration changed since"

// changeOutcome says what became of a change of members from what raft's future said. See outcomeOf.
func changeOutcome(err error) error {
	switch {
	case err == nil:
		return nil
	case strings.HasPrefix(err.Error(), staleText):
		return notChanged(fmt.Errorf("%w: %w", ErrStaleConfiguration, err))
	case errors.Is(err, raft.ErrNotLeader):
		return notChanged(fmt.Errorf("%w: %w", ErrNotLeader, err))
	case errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return notChanged(err)
	}
	return fmt.Errorf("%w: %w", stock.ErrUnknown, err)
}

func (c *configuration) voters() int {
	n := 0
	for _, member := range c.members {
		if member.Suffrage == raft.Voter {
			n++
		}
	}
	return n
}
