package historytest

import (
	"math"
	"slices"
)

// Never is the end of a call that got no answer.
const Never = math.MaxInt64

// told is what answers say of a key. Moments at which something was seen are the earliest end of such a call, Never when it was not seen.
type told struct {
	exists, fenced, cancelled, paid int64
	payment                         string
	// placedAt and settledAt are the log indexes at which it was placed, and paid or cancelled; 0 when nobody was told.
	placedAt, settledAt uint64
	// unseen and held are the latest beginning of a call that found no order yet, or one that was not settled.
	unseen, held int64
}

// hearAll collects what answers say of each key.
func hearAll(steps []*step, keys int) []told {
	all := make([]told, keys)
	for i := range all {
		all[i] = told{exists: Never, fenced: Never, cancelled: Never, paid: Never}
	}
	for _, p := range steps {
		if p.Kind != ReadSKU && !p.Answer.unknown() {
			all[p.key].hear(p)
		}
	}
	return all
}

// narrow tells the search what later answers say about calls without one. It loses no explanation of a history that has one: an acceptance, a fence,
// a payment and a cancellation are for good, so what was seen happened before it was seen, what was not seen happened later if at all, and what
// excludes another excludes it at all times. Without this the search would try every call without an answer at every moment.
func narrow(steps []*step, all []told) []*step {
	for _, p := range steps {
		if p.Kind != ReadSKU {
			p.at = all[p.key].effect(p)
		}
	}
	return slices.DeleteFunc(steps, func(p *step) bool {
		return p.Answer.unknown() && !all[p.key].narrow(p)
	})
}

// effect returns the log index of a call's effect, if it had one.
func (k *told) effect(p *step) uint64 {
	switch {
	case p.Kind == Place:
		return k.placedAt
	case p.Kind == Confirm && k.paid != Never && k.payment == p.Payment, p.Kind == Cancel && k.cancelled != Never:
		return k.settledAt
	}
	return 0
}

// hear takes an answer.
func (k *told) hear(p *step) {
	a := &p.Answer
	switch {
	case a.State == Fenced || a.Code == "fenced":
		k.fenced = min(k.fenced, p.Return)
		return
	case a.Code == "outcome_not_seen":
		k.unseen = max(k.unseen, p.Call)
		return
	case a.Code == "order_not_found", p.Kind == Place && a.Code != "":
		return
	}
	k.exists = min(k.exists, p.Return)
	if p.Kind != ReadOrder && p.Kind != Confirm && p.Kind != Cancel {
		k.placedAt = max(k.placedAt, a.Version) // these show the order as first given
		return
	}
	switch {
	case a.State == "cancelled":
		k.cancelled = min(k.cancelled, p.Return)
	case a.State == "confirmed" && a.Payment != "":
		k.paid, k.payment = min(k.paid, p.Return), a.Payment
	default:
		if a.State == "held" {
			k.held = max(k.held, p.Call)
		}
		k.placedAt = max(k.placedAt, a.Version)
		return
	}
	k.settledAt = max(k.settledAt, a.Version)
}

// narrow changes the interval of a call without an answer; false when the call cannot have had an effect.
func (k *told) narrow(p *step) bool {
	seen, later, excluded := int64(Never), int64(0), false
	switch p.Kind {
	case Place:
		seen, later, excluded = k.exists, k.unseen, k.fenced != Never
	case Fence:
		seen, later, excluded = k.fenced, k.unseen, k.exists != Never
	case Cancel:
		seen, later, excluded = k.cancelled, k.held, k.paid != Never
	case Confirm:
		later, excluded = k.held, k.cancelled != Never
		if k.payment == p.Payment {
			seen = k.paid
		} else if k.paid != Never {
			excluded = true
		}
	}
	if seen != Never {
		p.Return = max(p.Call, seen)
		return true
	}
	p.Call = max(p.Call, later)
	return !excluded
}
