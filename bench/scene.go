package bench

import (
	"context"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/result"
	"holdfast/bench/sale"
)

// Scene is a scenario as a run plays it.
type Scene interface {
	// Name is that of the scenario.
	Name() string
	// Prepare creates what is sold.
	Prepare(ctx context.Context, t sale.Target) error
	// Call is what callers do.
	Call() load.Call
	// Finish does what is left when nobody asks any more: it waits for holds to end, say.
	Finish(ctx context.Context) error
	// SKUs are the names of what was sold, Ledger what callers were told.
	SKUs() []string
	Ledger() *audit.Ledger
}

// outages is a scene in which leaders are lost.
type outages interface {
	// Gaps are what that cost, in order.
	Gaps() []result.Gap
}
