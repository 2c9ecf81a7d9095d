package scenario

import (
	"context"
	"fmt"

	"holdfast/bench/audit"
	"holdfast/bench/load"
	"holdfast/bench/sale"
)

// The scenarios.
const (
	Hot       = "hot"
	Soldout   = "soldout"
	Zipf      = "zipf"
	Lifecycle = "lifecycle"
	Flash     = "flash"
	Failover  = "failover"
)

// Scenario is a sale of some kind. It is played once: Prepare, calls, Finish.
type Scenario interface {
	Name() string
	// Prepare creates what is sold, and places the orders of before.
	Prepare(ctx context.Context, t sale.Target) error
	// Call is what callers do.
	Call() load.Call
	// Finish does what is left when no call is under way any more: it waits until holds have ended and replicas are back. It may be called without
	// any call before.
	Finish(ctx context.Context) error
	// SKUs are the names of what is sold.
	SKUs() []string
	Ledger() *audit.Ledger
}

var (
	_ Scenario = (*shop)(nil)
	_ Scenario = (*lifecycle)(nil)
	_ Scenario = (*failover)(nil)
)

// New makes a scenario for a target. It returns ErrTarget when the target cannot take the steps that it is about.
func New(name string, p Params, t sale.Target) (Scenario, error) {
	p, err := p.withDefaults(name)
	if err != nil {
		return nil, err
	}
	s := newShop(name, p, t)
	switch name {
	case Hot, Soldout:
	case Zipf:
		s.popular = newPopular(p.SKUs, p.Skew)
	case Flash:
		s.clicks = 2
	case Lifecycle:
		settler, settles := t.(sale.Settler)
		if !settles {
			return nil, fmt.Errorf("%w: orders of %s are not paid or cancelled", ErrTarget, t.About().Name)
		}
		return newLifecycle(s, settler), nil
	case Failover:
		leaders, killable := t.(sale.Leaders)
		if !killable {
			return nil, fmt.Errorf("%w: nothing of %s can be killed from here: failover needs an in-process target of three nodes", ErrTarget, t.About().Name)
		}
		return newFailover(s, leaders), nil
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return s, nil
}
