package forward

import (
	"fmt"

	"holdfast/stock"
)

// item is a request under way: what is known of its copies.
type item struct {
	req stock.Request
	out *stock.Outcome
	// own: the caller itself says that an earlier copy of its own may be under way.
	own   bool
	query bool
	done  bool

	// copies counts the attempts that may be executed yet, or may have been. While it is 0 the request is as if it had never been sent, and may be
	// told so.
	copies int
	// newest is the last attempt while it was not heard of; only its refusal counts.
	newest *attempt
	// barred: a copy may be with the leader of the term since, or an earlier one; only one of a higher term is asked.
	barred bool
	since  uint64
	// last says why the last attempt that came to nothing did.
	last stock.Code

	key      string
	deadline stock.Time
}

func newItem(r stock.Request, out *stock.Outcome) item {
	it := item{req: r, out: out, query: true, last: stock.DeadlineExceeded}
	if c, ok := r.(stock.Command); ok {
		m := c.Head()
		it.query, it.own, it.key, it.deadline = false, m.Retry, m.Key, m.Deadline
	}
	return it
}

// attempted notes an attempt at the gateway here that was not decided.
func (it *item) attempted(c stock.Code) {
	switch {
	case it.query || c != stock.OutcomeUnknown:
		it.last = stock.NoLeader
		it.deadline = 0
	default:
		it.copies++
	}
}

// caller returns on whose behalf a request is made, "" where that does not matter.
func caller(r stock.Request) string {
	switch r := r.(type) {
	case stock.Command:
		return r.Head().Caller
	case *stock.GetOutcome:
		return r.Caller
	}
	return ""
}

// copy returns the request as it is sent now. A command is never changed once it was handed out: whoever has it may still read it.
func (it *item) copy() stock.Request {
	if it.query {
		return it.req
	}
	r := cloned(it.req)
	m := r.(stock.Command).Head()
	m.Key, m.Deadline, m.Retry = it.key, it.deadline, it.own || it.copies > 0
	return r
}

func cloned(r stock.Request) stock.Request {
	switch c := r.(type) {
	case *stock.Place:
		return of(*c)
	case *stock.Confirm:
		return of(*c)
	case *stock.Cancel:
		return of(*c)
	case *stock.Return:
		return of(*c)
	case *stock.Fence:
		return of(*c)
	case *stock.Create:
		return of(*c)
	case *stock.Update:
		return of(*c)
	case *stock.Adjust:
		return of(*c)
	case *stock.Freeze:
		return of(*c)
	}
	panic(fmt.Sprintf("forward: %T is no request that changes anything", r))
}

func of[T any](v T) *T { return &v }

// finish gives the answer.
func (it *item) finish(out stock.Outcome) {
	*it.out, it.done = out, true
}

// giveUp answers for a request whose time is up. What may have been proposed is unknown, and nothing else is (rule R18).
func (it *item) giveUp() stock.Outcome {
	if it.copies > 0 {
		return stock.Outcome{Code: stock.OutcomeUnknown}
	}
	return stock.Outcome{Code: it.last}
}

// unmask returns an acceptance as its caller is to see it. One that was given before is shown as such, unless it was most likely given to another
// copy that this node sent: another may have been executed, the caller sent once, and the change is not older than the call.
func (it *item) unmask(out stock.Outcome, others int, began stock.Time, skewMS int64) stock.Outcome {
	if !out.Replayed || others == 0 || it.own {
		return out
	}
	changed := began
	switch it.req.(type) {
	case *stock.Place:
		if out.Order != nil {
			changed = out.Order.CreatedAt
		}
	case *stock.Return:
		if out.Order != nil {
			changed = out.Order.UpdatedAt
		}
	case *stock.Adjust:
	default:
		return out
	}
	out.Replayed = changed < began.Add(-2*skewMS)
	return out
}
