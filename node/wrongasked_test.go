package node

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/api/topology"
	"holdfast/cluster"
	"holdfast/cluster/control"
	"holdfast/stock"
)

// What an operator asks for and cannot have is told in words without the names of packages, with a way out, and no promise that it may go later.
func TestFailuresAreToldPlainly(t *testing.T) {
	for _, row := range []struct {
		cause error
		code  topology.Code
		text  string
		retry bool
	}{
		{control.ErrUnknownShard, topology.UnknownShard, "there is no such shard: 9", false},
		{control.ErrUnknownNode, topology.UnknownNode, "there is no such node: 9", false},
		{control.ErrNotJoined, topology.UnknownNode, "the node has not joined yet: 9", false},
		{control.ErrNotEligible, topology.ReplicaLearns, "the node has no vote in the shard: 9", false},
		{control.ErrSilent, topology.NodeUnreachable, "the node does not answer: 9", false},
		{cluster.ErrNoHeir, topology.NodeUnreachable, "nobody to hand leadership to: 9", false},
		{control.ErrBusy, topology.Overloaded, "too many commands outstanding: 9", true},
		{control.ErrNoLeader, topology.NoLeader, "the group has no leader that answers: 9", true},
	} {
		r := failure(fmt.Errorf("%w: %w: 9", stock.ErrNotExecuted, row.cause))
		if r.Code != row.code || r.Text != row.text || r.Retryable != row.retry || r.WayOut == "" {
			t.Errorf("%v: %+v", row.cause, r)
		}
	}
	r := failure(fmt.Errorf("%w: %w", stock.ErrUnknown, cluster.ErrMaybeSent))
	if r.Code != topology.OutcomeUnknown || strings.Contains(r.Text, "cluster:") {
		t.Errorf("%+v", r)
	}
}
