package stock

// Window is a leader's view of one SKU between admission and apply: what the commands that are under way may take, and who waits for them. It
// admits; it decides nothing: every admitted command is decided by Ledger.Apply (rules R9 to R11). It is owned by the ledger's actor.
type Window struct {
	claims inFlight
	// round is made anew when the window is cleared: what was claimed before, or in another window, claims nothing now.
	round *round
	users map[string]int64
	keys  map[flightKey]*Flight
	// parked waits, first in first out, for claims in flight to be decided, or for due holds to be released (rule R10).
	parked []*Flight
	// MaxParked bounds parked; 0 means DefaultMaxParked.
	MaxParked int
	// MaxRemembered bounds the outcomes that the ledger must remember until a deadline; 0 means DefaultMaxRemembered. What is in flight when it is
	// reached comes on top.
	MaxRemembered int
}

// DefaultMaxParked is how many orders of one SKU may be parked.
const DefaultMaxParked = 65536

// round is nothing but an identity.
type round struct{ _ byte }

// DefaultMaxRemembered is how many outcomes of one SKU may be remembered until their deadlines, at about 240 bytes each.
const DefaultMaxRemembered = 65536

// Flight is a request under way.
type Flight struct {
	Req Request
	// Owner is whatever the actor needs to find who waits.
	Owner any

	units, userUnits, waiting int64
	round                     *round // of the window, while it claims; else nil
	joined                    []*Flight
}

type flightKey struct{ caller, key string }

// Action is what becomes of a request that asks for admission.
type Action uint8

const (
	// Answer it now with the outcome; it leaves no trace.
	Answer Action = iota + 1
	// Propose it to the log.
	Propose
	// Park it: the window keeps it and Reconsider returns it.
	Park
	// Join it to the undecided request with the same key: Settle of that one returns it.
	Join
)

// Admit decides what becomes of a request, by the leader's clock and the applied state of the ledger.
func (w *Window) Admit(l *Ledger, clock Time, f *Flight) (Action, Outcome) {
	switch q := f.Req.(type) {
	case *Place:
		if first := w.keys[flightKey{q.Caller, q.Key}]; first != nil {
			return first.join(f, q)
		}
		action, out := w.admitPlace(l, clock, q, len(w.parked) > 0)
		if action == Park && w.full() {
			return Answer, refuseWith(Overloaded, Detail{Bound: "max-parked"})
		}
		if action != Answer {
			w.take(l, action, f, q)
		}
		return action, out
	case *GetOutcome:
		if first := w.keys[flightKey{q.Caller, q.Key}]; first != nil {
			first.joined = append(first.joined, f)
			return Join, Outcome{}
		}
		return Answer, l.Read(q)
	case *GetOrder, *GetSKU:
		return Answer, l.Read(q)
	case Command:
		return w.admitOther(l, clock, f, q)
	}
	return Answer, refuse(Internal)
}

// join makes an order wait for the undecided one with its key. Another body is answered at once: that the key was used twice is true whatever
// becomes of the first (docs/adr/0014-a-reused-key-is-answered-at-once.md).
func (first *Flight) join(f *Flight, c *Place) (Action, Outcome) {
	p := first.Req.(*Place)
	if d := differs(c, p.User, p.Qty, p.ClientRef); d != nil {
		return Answer, refuseWith(IdempotencyKeyReused, Detail{Differs: d})
	}
	first.joined = append(first.joined, f)
	return Join, Outcome{}
}

func (w *Window) admitPlace(l *Ledger, clock Time, c *Place, behind bool) (Action, Outcome) {
	if out, known := l.known(c); known {
		return Answer, out
	}
	// One that has another copy under way goes through the log even so: the refusal must be remembered until its deadline, too (rule R4).
	if out, until := l.memory.until(refusalKey(&c.Meta)); clock < until && (!c.Retry || c.Deadline <= until) {
		return Answer, out
	}
	if c.Deadline != 0 && clock >= c.Deadline {
		return Answer, refuse(DeadlineExceeded)
	}
	// A command that may have another copy under way is refused only through the log (rule R4).
	if c.Retry {
		return w.admitRetry(l, clock, c)
	}
	out := l.forbidden(c, clock)
	switch {
	// The clock alone does not end a sale: another leader's may be behind. The log decides, once (rule R9).
	case out.Code == Ended && l.now < l.spec.ClosesAt:
		return Propose, Outcome{}
	case out.Code != 0:
		return Answer, out
	}
	if code := l.blocked(c, inFlight{}); code != 0 {
		if due, ok := l.nextDue(); ok && due <= clock && code != InvalidValue {
			return Park, Outcome{}
		}
		return Answer, l.explain(code, c.User)
	}
	claims := w.claims
	claims.userUnits = w.users[c.User]
	if behind || l.blocked(c, claims) != 0 {
		return Park, Outcome{}
	}
	return Propose, Outcome{}
}

// admitRetry proposes an order that may have another copy under way: the log alone refuses it, and remembers that (rule R4). While no more can be
// remembered, one that the applied state would refuse is told to come again; its other copies stay as undecided as they are.
func (w *Window) admitRetry(l *Ledger, clock Time, c *Place) (Action, Outcome) {
	if w.memoryFull(l, clock) && (l.forbidden(c, clock).Code != 0 || l.blocked(c, inFlight{}) != 0) {
		return Answer, tooManyRemembered()
	}
	return Propose, Outcome{}
}

// memoryFull reports whether the ledger remembers as much as it may. One that can forget something does so with the next command.
func (w *Window) memoryFull(l *Ledger, clock Time) bool {
	limit := w.MaxRemembered
	if limit <= 0 {
		limit = DefaultMaxRemembered
	}
	return l.memory.atLeast(limit, clock)
}

func tooManyRemembered() Outcome { return refuseWith(Overloaded, Detail{Bound: "max-remembered"}) }

// full reports whether no more orders may be parked.
func (w *Window) full() bool {
	limit := w.MaxParked
	if limit <= 0 {
		limit = DefaultMaxParked
	}
	return len(w.parked) >= limit
}

// take registers an order that was admitted or parked.
func (w *Window) take(l *Ledger, action Action, f *Flight, c *Place) {
	if w.keys == nil {
		w.keys, w.users = make(map[flightKey]*Flight), make(map[string]int64)
	}
	w.keys[flightKey{c.Caller, c.Key}] = f
	if action == Park {
		w.parked = append(w.parked, f)
		return
	}
	w.claim(l, f, c)
}

func (w *Window) claim(l *Ledger, f *Flight, c *Place) {
	f.userUnits = min(c.Qty, maxInt64-w.users[c.User])
	if l.spec.Mode != ModeOnPayment {
		f.units = c.Qty
	}
	if l.spec.Mode != ModeOnOrder {
		f.waiting = 1
	}
	w.users[c.User] += f.userUnits
	w.count(f)
}

func (w *Window) count(f *Flight) {
	if w.round == nil {
		w.round = new(round)
	}
	f.round = w.round
	// What does not fit a counter cannot be available either, so counting less of it claims as much.
	f.units = min(f.units, maxInt64-w.claims.units)
	w.claims.units += f.units
	w.claims.waiting += f.waiting
}

// admitOther admits everything but orders: what the applied state decides for good is answered, the rest goes to the log.
func (w *Window) admitOther(l *Ledger, clock Time, f *Flight, c Command) (Action, Outcome) {
	if out, final := l.preview(c); final {
		return Answer, out
	}
	if m := c.Head(); m != nil && m.Deadline != 0 && clock >= m.Deadline {
		return Answer, refuse(DeadlineExceeded)
	}
	if l.mayRemember(c) && w.memoryFull(l, clock) {
		return Answer, tooManyRemembered()
	}
	switch c := c.(type) {
	case *Confirm:
		if r := l.order(c.Order); r.state == StateOpen {
			if l.short(r.qty, 0) != 0 && w.memoryFull(l, clock) {
				return Answer, tooManyRemembered()
			}
			f.units = r.qty
		}
	case *Adjust:
		f.units = max(0, -max(c.Delta, -MaxStock))
	case *Create, *Update, *Freeze:
		if w.memoryFull(l, clock) {
			return Answer, tooManyRemembered()
		}
	}
	w.count(f)
	return Propose, Outcome{}
}

// preview answers a command whose outcome no later command can change, without the log.
func (l *Ledger) preview(c Command) (Outcome, bool) {
	switch c := c.(type) {
	case *Confirm:
		r := l.order(c.Order)
		if r.state == 0 {
			return refuse(OrderNotFound), true
		}
		return l.paid(c, &r)
	case *Cancel:
		r := l.order(c.Order)
		switch {
		case r.state == 0:
			return refuse(OrderNotFound), true
		case r.state == StateCancelled:
			return Outcome{Code: OK, Order: l.view(c.Order.Counter, &r)}, true
		case !r.waits():
			return refuseWith(InvalidState, Detail{State: r.state}), true
		}
	case *Return:
		if r := l.order(c.Order); r.state == 0 {
			return refuse(OrderNotFound), true
		}
		return l.knownReturn(c)
	case *Fence:
		out, known := l.outcome(c.Caller, c.Key)
		out.Replayed = out.Code == OK
		return out, known
	}
	return Outcome{}, false
}

// Settle takes a flight out of the window once it is decided, or known not to have been executed, and returns those that joined it.
func (w *Window) Settle(f *Flight) (joined []*Flight) {
	joined, f.joined = f.joined, nil
	c, place := f.Req.(*Place)
	if place && w.keys[flightKey{c.Caller, c.Key}] == f {
		delete(w.keys, flightKey{c.Caller, c.Key})
	}
	if f.round == nil || f.round != w.round {
		return joined
	}
	f.round = nil
	w.claims.units -= f.units
	w.claims.waiting -= f.waiting
	if place && f.userUnits != 0 {
		if w.users[c.User] -= f.userUnits; w.users[c.User] == 0 {
			delete(w.users, c.User)
		}
	}
	return joined
}

// Reconsider decides again about the parked orders, in their order, until one must go on waiting (rule R10). decided is called for each with what
// became of it; gone tells which nobody waits for any more: decided is called for those with Action 0.
func (w *Window) Reconsider(l *Ledger, clock Time, gone func(*Flight) bool, decided func(*Flight, Action, Outcome)) {
	for len(w.parked) > 0 {
		f := w.parked[0]
		c := f.Req.(*Place)
		if gone(f) {
			w.unpark()
			decided(f, 0, Outcome{})
			continue
		}
		action, out := w.admitPlace(l, clock, c, false)
		if action == Park {
			return
		}
		w.unpark()
		if action == Propose {
			w.claim(l, f, c)
		}
		decided(f, action, out)
	}
}

func (w *Window) unpark() {
	w.parked[0] = nil
	if w.parked = w.parked[1:]; len(w.parked) == 0 {
		w.parked = nil
	}
}

// Parked returns the number of parked orders.
func (w *Window) Parked() int { return len(w.parked) }

// Clear empties the window and returns its parked flights; the proposed ones are the caller's to answer.
// Invariant: nothing outstanding means that nothing is in flight and nothing parked (rule R11).
func (w *Window) Clear() (parked []*Flight) {
	parked = w.parked
	*w = Window{MaxParked: w.MaxParked, MaxRemembered: w.MaxRemembered}
	return parked
}

// Idle reports whether nothing is in flight and nothing parked.
func (w *Window) Idle() bool {
	return w.claims == inFlight{} && len(w.keys) == 0 && len(w.users) == 0 && len(w.parked) == 0
}
