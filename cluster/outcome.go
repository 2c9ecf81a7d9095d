package cluster

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"holdfast/stock"
)

// committed is what the FSM answers for an entry that was handed to the machine. Raft answers a future whose FSM panicked with no error and no
// response, so "no response" must never look like success.
type committed struct{}

var errNoResponse = errors.New("cluster: no answer from the state machine")

// outcomeOf says what became of a proposal from what raft's future said: nil for committed, stock.ErrNotExecuted when it is certain that the
// entry never entered a log, stock.ErrUnknown for everything else, whatever it may be. It is the only place that decides this.
func outcomeOf(err error, response any) error {
	switch {
	case err == nil:
		if _, ok := response.(committed); ok {
			return nil
		}
		return fmt.Errorf("%w: %w", stock.ErrUnknown, errNoResponse)
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", stock.ErrNotExecuted, err)
	}
	return fmt.Errorf("%w: %w", stock.ErrUnknown, err)
}
