package cluster

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/stock"
)

func TestOutcomeOfApply(t *testing.T) {
	for _, tc := range []struct {
		name     string
		err      error
		response any
		want     error
	}{
		{"committed and handed over", nil, committed{}, nil},
		{"not the leader", raft.ErrNotLeader, nil, stock.ErrNotExecuted},
		{"transfer in progress", raft.ErrLeadershipTransferInProgress, nil, stock.ErrNotExecuted},
		{"queue full", raft.ErrEnqueueTimeout, nil, stock.ErrNotExecuted},
		{"not the leader, wrapped", fmt.Errorf("x: %w", raft.ErrNotLeader), nil, stock.ErrNotExecuted},
		{"leadership lost", raft.ErrLeadershipLost, nil, stock.ErrUnknown},
		{"shut down", raft.ErrRaftShutdown, nil, stock.ErrUnknown},
		{"aborted by a restore", raft.ErrAbortedByRestore, nil, stock.ErrUnknown},
		{"the log failed", errors.New("write: input/output error"), nil, stock.ErrUnknown},
		{"a panic in the FSM", nil, nil, stock.ErrUnknown},
		{"a response of another type", nil, true, stock.ErrUnknown},
		{"an error as a response", nil, errors.New("no"), stock.ErrUnknown},
		{"our deadline", errAbandoned, nil, stock.ErrUnknown},
		{"an error and a response", raft.ErrLeadershipLost, committed{}, stock.ErrUnknown},
		{"something new", raft.ErrCantBootstrap, committed{}, stock.ErrUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := outcomeOf(tc.err, tc.response)
			if !errors.Is(got, tc.want) || (got == nil) != (tc.want == nil) {
				t.Errorf("outcome %v, want %v", got, tc.want)
			}
			if tc.err != nil && !errors.Is(got, tc.err) {
				t.Errorf("the cause is lost: %v", got)
			}
			if errors.Is(got, stock.ErrUnknown) && errors.Is(got, stock.ErrNotExecuted) {
				t.Errorf("both: %v", got)
			}
		})
	}
}
