package http

import (
	"context"
	"fmt"

	"holdfast/api/client"
	"holdfast/bench/sale"
)

// Settle takes a step with an order. A payment is named by the key.
func (t *Target) Settle(ctx context.Context, step sale.Step, id, key string) sale.Answer {
	var err error
	switch step {
	case sale.Pay:
		_, err = t.admin.Confirm(ctx, id, key)
	case sale.Cancel:
		_, err = t.admin.Cancel(ctx, id, "")
	case sale.Return:
		_, err = t.admin.Return(ctx, key, id, client.ReturnUnits{})
	default:
		return sale.Answer{Verdict: sale.Refused, Reason: "invalid_value"}
	}
	switch code := client.CodeOf(err); {
	case err == nil:
		return sale.Answer{Verdict: sale.Accepted, ID: id}
	case client.IsRefused(err):
		return sale.Answer{Verdict: sale.Refused, Reason: code}
	case client.IsNotExecuted(err):
		return sale.Answer{Verdict: sale.Failed, Reason: code}
	default:
		return sale.Answer{Verdict: sale.Unknown, Reason: code}
	}
}

// Resolve fences an order's key: the order is there by then, or never will be.
func (t *Target) Resolve(ctx context.Context, o sale.Order) (sale.Answer, error) {
	out, err := t.lasting.Fence(ctx, o.SKU, o.Key)
	switch {
	case err != nil:
		return sale.Answer{}, fmt.Errorf("http: fence %s of %s: %w", o.Key, o.SKU, err)
	case out.Outcome == client.Accepted && out.Order != nil:
		a := sale.Answer{Verdict: sale.Accepted, ID: out.Order.ID}
		t.note([]sale.Order{o}, []sale.Answer{a})
		return a, nil
	}
	return sale.Answer{Verdict: sale.Failed, Reason: "fenced"}, nil
}
