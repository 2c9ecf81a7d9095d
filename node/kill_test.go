package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"holdfast/stock"
)

// TestKilledLeader kills the leader of a SKU, whose order is there afterwards, at another's gateway and with the one that comes back.
func TestKilledLeader(t *testing.T) {
	f := fleetOf(t, 3, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	leader := func() (led *Node) {
		awaitFor(t, time.Minute, func() string { return "somebody leads" }, func() bool {
			for _, n := range f.running() {
				if n.Gateway().Leads(stock.PartitionOf("shoe")) {
					led = n
				}
			}
			return led != nil
		})
		return led
	}
	do := func(request func() stock.Request) (out stock.Outcome, by *Node) {
		for { // ends with the context at the latest: leader gives up, too
			by = leader()
			out = by.Gateway().Do(ctx, request())
			if !slices.Contains([]stock.Code{stock.NoLeader, stock.OutcomeUnknown}, out.Code) {
				return out, by
			}
		}
	}
	out, _ := do(func() stock.Request {
		return &stock.Create{Spec: stock.Spec{SKU: "shoe", Stock: 2, Mode: stock.ModeHold, HoldTTLMS: 600_000, MaxQty: 1}}
	})
	if out.Code != stock.OK {
		t.Fatalf("create: %+v", out)
	}
	out, first := do(func() stock.Request {
		return &stock.Place{Meta: stock.Meta{Key: "k", Retry: true}, SKU: "shoe", User: "u", Qty: 1}
	})
	if out.Code != stock.OK {
		t.Fatalf("place: %+v", out)
	}
	id := out.Order.ID
	f.end(first.cfg.NodeID, func(n *Node) {
		if err := n.Kill(); err != nil {
			t.Error(err)
		}
	})
	out, second := do(func() stock.Request { return &stock.GetOrder{Order: id} })
	if second == first || out.Code != stock.OK || out.Order.State != stock.StateHeld {
		t.Fatalf("after the kill: %+v", out)
	}
	f.start(first.cfg.NodeID)
	f.settle()
}
