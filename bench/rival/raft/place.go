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

// Place implements sale.Target: each order is an entry, and all are on their way before the first is waited for. What is under way is waited for beyond
// the end of ctx: raft knows no way back.
func (t *Target) Place(_ context.Context, orders []sale.Order, answers []sale.Answer) {
	leader := t.leader()
	if leader == nil {
		for i := range orders {
			answers[i] = sale.Answer{Verdict: sale.Failed, Reason: "no_leader"}
		}
		return
	}
	if len(orders) == 1 {
		answers[0] = answer(leader.propose(place, &orders[0]), &orders[0])
		return
	}
	futures := make([]raft.ApplyFuture, len(orders))
	for i := range orders {
		futures[i] = leader.propose(place, &orders[i])
	}
	for i, f := range futures {
		answers[i] = answer(f, &orders[i])
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
