package sale

import "time"

// SKU is a thing to be sold, as a target is told to create it.
type SKU struct {
	Name string
	// Stock is in units.
	Stock int64
	// LimitPerUser is in units; 0: none.
	LimitPerUser int64
	// Mode is hold, on_order or on_payment; "": hold.
	Mode string
	// HoldTTL is how long a hold waits for its payment; 0: the target's default.
	HoldTTL time.Duration
	// Hot asks for an actor of its own, where the target knows such.
	Hot bool
}

// Order is one order to be placed.
type Order struct {
	Key, SKU, User string
	// Qty is in units.
	Qty int64
}

// Verdict is what became of a request.
type Verdict uint8

// The verdicts.
const (
	// Unknown: it may have happened. The zero value, so that nothing is taken for answered that was not.
	Unknown Verdict = iota
	// Accepted: it happened, and the target says that it lasts.
	Accepted
	// Refused: the target decided against it (sold out, over the limit, ...).
	Refused
	// Failed: it did not happen and nothing was decided: overloaded, no leader, not reachable.
	Failed
)

// Answer is the answer to one request.
type Answer struct {
	Verdict Verdict
	// Reason is the target's code of a refusal or a failure, such as sold_out; "" else.
	Reason string
	// ID is the order's, when it was accepted.
	ID string
}

// Step is what happens to an order after it was placed.
type Step uint8

// The steps.
const (
	Pay Step = iota + 1
	Cancel
	Return
)

// Counters are a SKU's units as a target tells them. Stock = Available + Held + Sold.
type Counters struct{ Stock, Available, Held, Sold int64 }

// Stored is an order as a target keeps it.
type Stored struct {
	ID, Key, SKU, User string
	// Qty and Returned are in units.
	Qty, Returned int64
	// State is held, open, confirmed, cancelled, expired or returned.
	State string
}
