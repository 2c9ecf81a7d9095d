package raft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/bench/sale"
)

// enqueueWithin bounds the wait for a place in raft's queue.
const enqueueWithin = 10 * time.Second

// reasons are the outcomes of a placement that are refusals, in the codes of our own API.
var reasons = map[outcome]string{
	soldOut: "sold_out", insufficient: "insufficient_stock", overLimit: "limit_exceeded", fenced: "fenced", reused: "idempotency_key_reused", noSKU: "sku_not_found",
}

// window is how many orders of a call are under way at once. With all of a thousand, followers fall behind and the rate is a quarter: raft replicates
// appendEntries at a time, however many wait.
const window = 64

// Place implements sale.Target: each order is an entry, and a window of them is on its way while the first is waited for. What is under way is waited for
// beyond the end of ctx: raft knows no way back.
func (t *Target) Place(_ context.Context, orders []sale.Order, answers []sale.Answer) {
	leader := t.leader()
	if leader == nil {
		for i := range orders {
			answers[i] = sale.Answer{Verdict: sale.Failed, Reason: "no_leader"}
		}
		return
	}
	var futures [window]raft.ApplyFuture
	for i := range len(orders) + window {
		f := &futures[i%window]
		if before := i - window; before >= 0 && before < len(orders) {
			answers[before] = answer(*f, &orders[before])
		}
		if i < len(orders) {
			*f = leader.propose(place, &orders[i])
		}
	}
}

func (n *node) propose(k kind, o *sale.Order) raft.ApplyFuture {
	e := entry{kind: k, order: *o}
	return n.raft.Apply(e.encode(), enqueueWithin)
}

// answer waits for a future.
func answer(f raft.ApplyFuture, o *sale.Order) sale.Answer {
	said, err := wait(f)
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return sale.Answer{Verdict: sale.Failed, Reason: "no_leader"}
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return sale.Answer{Verdict: sale.Failed, Reason: "overloaded"}
	case err != nil:
		return sale.Answer{Verdict: sale.Unknown, Reason: "outcome_unknown"}
	case said == done:
		return sale.Answer{Verdict: sale.Accepted, ID: o.Key}
	}
	if reason := reasons[said]; reason != "" {
		return sale.Answer{Verdict: sale.Refused, Reason: reason}
	}
	return sale.Answer{}
}

// wait returns what the state machine said, or why nobody knows.
func wait(f raft.ApplyFuture) (outcome, error) {
	if err := f.Error(); err != nil {
		return none, err
	}
	said, ok := f.Response().(outcome)
	if !ok || said == none {
		return none, errNoAnswer
	}
	return said, nil
}

// Resolve implements sale.Target: a fence goes through the log, behind whatever copy of the order may be under way.
func (t *Target) Resolve(_ context.Context, o sale.Order) (sale.Answer, error) {
	leader := t.leader()
	if leader == nil {
		return sale.Answer{}, fmt.Errorf("resolve %s: %w", o.Key, errNoLeader)
	}
	said, err := wait(leader.propose(fence, &o))
	if err != nil {
		return sale.Answer{}, fmt.Errorf("resolve %s: %w", o.Key, err)
	}
	if said == done {
		return sale.Answer{Verdict: sale.Accepted, ID: o.Key}, nil
	}
	return sale.Answer{Verdict: sale.Failed, Reason: reasons[said]}, nil
}
