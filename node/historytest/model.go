package historytest

import (
	"hash/maphash"

	"github.com/anishathalye/porcupine"
)

// Spec is what a SKU was created with.
type Spec struct {
	SKU   string
	Stock int64
	// Mode is "hold", which "" stands for, or "on_order".
	Mode         string
	LimitPerUser int64
}

// rules are the model of one SKU.
type rules struct {
	Spec
	seed maphash.Seed
	// keys and users are the heights of the trees of a state.
	keys, users int
	moves       moves
}

// step is a call as the model takes it.
type step struct {
	*Op
	// key and user are numbers; what names an order that no answer told of has a key of its own. Only orders that are placed have a user.
	key, user int
	// id is the id that answers gave the key's order, "" when none did.
	id string
	// at is the log index at which it had its effect, if it had one; 0 when no answer tells.
	at uint64
	// echo: an earlier call with this key got no answer, and a refusal of one of its copies may be told again.
	echo bool
}

// model returns the rules in the library's words.
func (r *rules) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{counters: counters{available: r.Stock, blurred: true}} },
		Step: func(s, in, _ any) (bool, any) {
			next, ok := r.take(s.(state), in.(*step))
			return ok, next
		},
		Equal: func(a, b any) bool { return a.(state).counters == b.(state).counters },
		Hash:  func(s any) uint64 { return maphash.Comparable(r.seed, s.(state).counters) },
	}
}

// take returns the state after a call, and whether its answer fits.
func (r *rules) take(s state, p *step) (state, bool) {
	switch p.Kind {
	case Place:
		return r.place(s, p)
	case Confirm:
		return r.confirm(s, p)
	case Cancel:
		return r.cancel(s, p)
	case Fence:
		return r.fence(s, p)
	case ReadOrder:
		return s, shows(s.orders.at(p.key, r.keys), &p.Answer)
	case ReadOutcome:
		return s, tells(s.orders.at(p.key, r.keys), &p.Answer)
	case ReadSKU:
		a := &p.Answer
		ok := a.Code == "" && a.Stock == r.Stock && a.Available == s.available && a.Held == s.held && a.Sold == s.sold && r.moves.read(&s, a.Version)
		return s, ok
	}
	return s, false
}

// place claims units, or repeats what its key was told.
func (r *rules) place(s state, p *step) (state, bool) {
	a := &p.Answer
	switch o := s.orders.at(p.key, r.keys); o.state {
	case "":
	case Fenced:
		return s, a.unknown() || a.Code == "fenced"
	default:
		differs := o.user != p.user || o.qty != p.Qty
		return s, a.unknown() || a.Code == "" && a.OrderID == o.id && !differs || a.Code == "idempotency_key_reused" && differs
	}
	refusal := r.refusal(&s, p)
	switch {
	case a.unknown() && refusal.Code != "":
		return s, true
	case a.unknown(), a.Code == "":
		if refusal.Code != "" || a.Replayed {
			return s, false
		}
		return r.accept(s, p)
	case p.echo:
		return s, true
	}
	return s, *a == refusal
}

// refusal returns what stands against an order; its code is "" for nothing.
func (r *rules) refusal(s *state, p *step) Answer {
	used := s.used.at(p.user, r.users)
	switch {
	case r.LimitPerUser > 0 && used+p.Qty > r.LimitPerUser:
		return Answer{Code: "limit_exceeded", Used: used}
	case s.available >= p.Qty:
		return Answer{}
	case s.available > 0:
		return Answer{Code: "insufficient_stock", Available: s.available}
	case s.held > 0:
		return Answer{Code: "sold_out_pending", Held: s.held}
	}
	return Answer{Code: "sold_out"}
}

func (r *rules) accept(s state, p *step) (state, bool) {
	o := order{state: "held", id: p.id, user: p.user, qty: p.Qty, version: p.at}
	if r.Mode == "on_order" {
		o.state = "confirmed"
		s.sold += p.Qty
	} else {
		s.held += p.Qty
	}
	s.available -= p.Qty
	if p.Answer.Code == "" && (p.Answer.State != o.state || p.Answer.OrderID != o.id) {
		return s, false
	}
	r.use(&s, p.user, p.Qty)
	r.put(&s, p.key, o)
	return s, r.moves.move(&s, p.at)
}

// put replaces an order.
func (r *rules) put(s *state, key int, o order) {
	s.sum -= placed{key, s.orders.at(key, r.keys)}.hash(r.seed)
	s.sum += placed{key, o}.hash(r.seed)
	s.orders = s.orders.with(key, r.keys, o)
}

// use adds to what a user has of the limit.
func (r *rules) use(s *state, user int, units int64) {
	if r.LimitPerUser > 0 {
		s.used = s.used.with(user, r.users, s.used.at(user, r.users)+units)
	}
}
