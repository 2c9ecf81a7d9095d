package stock

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// leader is a window over a ledger, and the proposals that are under way.
type leader struct {
	t       testing.TB
	book    *Book
	l       *Ledger
	w       Window
	clock   Time
	index   uint64
	flights []*Flight // proposed, in the order of the log
}

func newLeader(t testing.TB, spec Spec, settings Settings) *leader {
	t.Helper()
	b, _ := shard(t)
	d := &leader{t: t, book: b, clock: 1000, index: b.index}
	d.apply(&SetSettings{Meta: Meta{Key: "settings"}, Settings: settings})
	if out := d.apply(&Create{Meta: Meta{Key: "create"}, Spec: spec}); out.Code != OK {
		t.Fatal(out.Code)
	}
	d.l = b.slots[0].ledger
	return d
}

func (d *leader) apply(c Command) Outcome {
	d.index++
	return d.book.Apply(d.book.Begin(Header{Clock: d.clock}, d.index), c)
}

func (d *leader) admit(r Request) (*Flight, Action, Outcome) {
	f := &Flight{Req: r}
	action, out := d.w.Admit(d.l, d.clock, f)
	if action == Propose {
		d.flights = append(d.flights, f)
	}
	return f, action, out
}

// decide applies the oldest proposal and settles it.
func (d *leader) decide() (Outcome, []*Flight) {
	f := d.flights[0]
	d.flights = d.flights[1:]
	out := d.apply(f.Req.(Command))
	return out, d.w.Settle(f)
}

// reconsider returns what became of the parked orders that were decided, in their order.
func (d *leader) reconsider() (keys []string, codes []Code) {
	d.w.Reconsider(d.l, d.clock, func(*Flight) bool { return false }, func(f *Flight, action Action, out Outcome) {
		keys, codes = append(keys, f.Req.(*Place).Key), append(codes, out.Code)
		switch action {
		case Propose:
			d.flights = append(d.flights, f)
		case Answer:
			d.w.Settle(f)
		default:
			d.t.Fatalf("a parked order was decided as %d", action)
		}
	})
	return keys, codes
}

func (d *leader) want(r Request, action Action, code Code) *Flight {
	d.t.Helper()
	f, got, out := d.admit(r)
	if got != action || out.Code != code {
		d.t.Fatalf("%T: action %d, %v; want %d, %v", r, got, out.Code, action, code)
	}
	return f
}

func tea(mode Mode, stock int64) Spec {
	return Spec{SKU: "tea", Stock: stock, Mode: mode, HoldTTLMS: 100, MaxQty: 10}
}

func buy(user, key string, qty int64) *Place { return order("tea", user, key, qty) }

// Nothing is refused for what is only in flight (rule R10): it is parked, first in first out, and decided again.
func TestWindowParks(t *testing.T) {
	d := newLeader(t, tea(ModeHold, 3), DefaultSettings())
	d.want(buy("a", "k1", 2), Propose, 0)
	d.want(buy("b", "k2", 2), Park, 0) // fits what is available, not what is left of it
	d.want(buy("c", "k3", 1), Park, 0) // fits even that, but stands behind
	d.want(buy("d", "k4", 4), Answer, InsufficientStock)
	d.flights[0].Req.(*Place).Qty = 1 // what is decided may be less than what was claimed
	d.decide()
	if keys, _ := d.reconsider(); !slices.Equal(keys, []string{"k2"}) || d.w.Parked() != 1 {
		t.Fatalf("decided again: %v, %d parked", keys, d.w.Parked())
	}
	d.decide()
	if keys, codes := d.reconsider(); !slices.Equal(keys, []string{"k3"}) || codes[0] != SoldOutPending || !d.w.Idle() {
		t.Fatalf("decided again: %v %v, idle %v", keys, codes, d.w.Idle())
	}
}

// A full park refuses those who come, never one who is in it.
func TestWindowFullPark(t *testing.T) {
	d := newLeader(t, tea(ModeHold, 2), DefaultSettings())
	d.w.MaxParked = 2
	d.want(buy("a", "k1", 2), Propose, 0)
	d.want(buy("b", "k2", 1), Park, 0)
	d.want(buy("c", "k3", 1), Park, 0)
	if _, _, out := d.admit(buy("d", "k4", 1)); out.Code != Overloaded || out.Detail.Bound != "max-parked" {
		t.Fatalf("%v %+v", out.Code, out.Detail)
	}
	if keys, codes := d.reconsider(); keys != nil || d.w.Parked() != 2 {
		t.Fatalf("%v: %v", keys, codes)
	}
	d.w.Settle(d.flights[0]) // not executed after all
	d.flights = nil
	if keys, codes := d.reconsider(); !slices.Equal(keys, []string{"k2", "k3"}) || codes[0] != 0 || codes[1] != 0 {
		t.Fatalf("%v: %v", keys, codes)
	}
}

// Limits, the bound on waiting orders and due holds park like the stock does.
func TestWindowClaims(t *testing.T) {
	spec := tea(ModeHold, 100)
	spec.LimitPerUser = 3
	settings := DefaultSettings()
	settings.MaxOpenOrders = 2
	d := newLeader(t, spec, settings)
	d.want(buy("a", "k1", 2), Propose, 0)
	d.want(buy("a", "k2", 4), Answer, LimitExceeded)
	d.want(buy("a", "k3", 2), Park, 0)
	d.w.Clear()
	d.flights = nil
	d.want(buy("a", "k4", 1), Propose, 0)
	d.want(buy("b", "k5", 1), Propose, 0)
	d.want(buy("c", "k6", 1), Park, 0)
	d.decide()
	d.decide()
	if _, codes := d.reconsider(); !slices.Equal(codes, []Code{Overloaded}) {
		t.Fatalf("%v", codes)
	}
	d.clock += 100 // both holds are due: somebody may have room once they are released
	d.want(buy("c", "k7", 1), Park, 0)
	d.apply(&Expire{SKU: "tea"})
	if keys, codes := d.reconsider(); !slices.Equal(keys, []string{"k7"}) || codes[0] != 0 {
		t.Fatalf("%v: %v", keys, codes)
	}
	d.decide()
	if !d.w.Idle() {
		t.Error("not idle with nothing under way")
	}
}

// Payments of open orders and negative adjustments claim units, too (rule R11).
func TestWindowClaimsOfOthers(t *testing.T) {
	d := newLeader(t, tea(ModeOnPayment, 3), DefaultSettings())
	d.want(buy("a", "k1", 2), Propose, 0)
	out, _ := d.decide()
	d.want(&Confirm{Meta: Meta{Key: "c"}, Order: out.Order.ID, PaymentID: "p"}, Propose, 0)
	d.want(buy("b", "k2", 1), Propose, 0) // takes nothing yet, but one is left
	d.want(buy("b", "k3", 2), Park, 0)
	d.want(&Adjust{Meta: Meta{Key: "d"}, SKU: "tea", Delta: -1}, Propose, 0)
	d.decide()
	d.decide()
	d.decide()
	if keys, codes := d.reconsider(); !slices.Equal(keys, []string{"k3"}) || codes[0] != SoldOut || !d.w.Idle() {
		t.Fatalf("%v: %v, idle %v", keys, codes, d.w.Idle())
	}
	d.want(&Confirm{Meta: Meta{Key: "c"}, Order: out.Order.ID, PaymentID: "p"}, Answer, OK)
	d.want(&Confirm{Meta: Meta{Key: "c"}, Order: out.Order.ID, PaymentID: "q"}, Answer, DuplicatePayment)
	d.want(&Cancel{Meta: Meta{Key: "c"}, Order: out.Order.ID}, Answer, InvalidState)
	gone := out.Order.ID
	gone.Counter = 99
	for _, r := range []Request{&Confirm{Order: gone}, &Cancel{Order: gone}, &Return{Order: gone}, &GetOrder{Order: gone}} {
		d.want(r, Answer, OrderNotFound)
	}
}

// Others with an undecided key wait for the first; so does the question what became of it. A fence does not wait.
func TestWindowJoins(t *testing.T) {
	d := newLeader(t, tea(ModeHold, 5), DefaultSettings())
	d.want(buy("a", "k", 1), Propose, 0)
	same := d.want(buy("a", "k", 1), Join, 0)
	d.want(buy("a", "k", 2), Answer, IdempotencyKeyReused)
	asks := d.want(&GetOutcome{SKU: "tea", Key: "k"}, Join, 0)
	d.want(&GetOutcome{SKU: "tea", Key: "k", Caller: "shop"}, Answer, OutcomeNotSeen)
	d.want(&Fence{Meta: Meta{Key: "k"}, SKU: "tea"}, Propose, 0)
	out, joined := d.decide()
	if out.Code != OK || !slices.Equal(joined, []*Flight{same, asks}) {
		t.Fatalf("%v, %d joined", out.Code, len(joined))
	}
	if out, _ := d.decide(); out.Code != OK || !out.Replayed {
		t.Errorf("the fence came second: %v", out.Code)
	}
	d.want(buy("a", "k", 2), Answer, IdempotencyKeyReused)
	d.want(&Fence{Meta: Meta{Key: "k"}, SKU: "tea"}, Answer, OK)
	d.want(&GetOutcome{SKU: "tea", Key: "k"}, Answer, OK)

	// A fence that overtakes a parked order wins.
	d.want(buy("b", "l", 4), Propose, 0)
	d.want(buy("b", "m", 1), Park, 0)
	d.want(&Fence{Meta: Meta{Key: "m"}, SKU: "tea"}, Propose, 0)
	d.decide()
	d.decide()
	if keys, codes := d.reconsider(); !slices.Equal(keys, []string{"m"}) || codes[0] != Fenced || !d.w.Idle() {
		t.Fatalf("%v: %v", keys, codes)
	}
}

// A command that may have another copy under way is refused only through the log, also when a refusal is remembered that ends sooner (rule R4).
func TestWindowRetries(t *testing.T) {
	d := newLeader(t, tea(ModeHold, 1), DefaultSettings())
	retry := func(deadline Time) *Place {
		c := buy("b", "k", 1)
		c.Retry, c.Deadline = true, deadline
		return c
	}
	d.want(buy("a", "l", 1), Propose, 0)
	d.decide()
	d.want(retry(1050), Propose, 0)
	if out, _ := d.decide(); out.Code != SoldOutPending {
		t.Fatal(out.Code)
	}
	d.want(retry(1050), Answer, SoldOutPending)
	d.want(buy("b", "k", 1), Answer, SoldOutPending)
	d.want(retry(1070), Propose, 0)
	d.decide()
	d.clock = 1060
	d.want(retry(1070), Answer, SoldOutPending)
	d.clock = 1070
	d.want(retry(1070), Answer, DeadlineExceeded)
	d.want(retry(1090), Propose, 0)
}

// The refusals that time decides: before the opening by the leader's clock, after the end only by applied log time (rule R9).
func TestWindowTimes(t *testing.T) {
	spec := tea(ModeHold, 1)
	spec.OpensAt, spec.ClosesAt = 1100, 1200
	d := newLeader(t, spec, DefaultSettings())
	d.want(buy("a", "k", 1), Answer, NotStarted)
	d.clock = 1200
	d.want(buy("a", "k", 1), Propose, 0) // another leader's clock may be behind
	if out, _ := d.decide(); out.Code != Ended {
		t.Fatal(out.Code)
	}
	d.want(buy("a", "k", 1), Answer, Ended)
	late := &Cancel{Meta: Meta{Deadline: 1200}, Order: OrderID{Partition: PartitionOf("tea"), SKU: 1, Counter: 1}}
	d.want(late, Answer, OrderNotFound)
	d.want(&Adjust{Meta: Meta{Deadline: 1200}, SKU: "tea", Delta: 1}, Answer, DeadlineExceeded)
}

// TestWindowPrecedence takes away one refusal after the other, in the order of the API.
func TestWindowPrecedence(t *testing.T) {
	spec := tea(ModeHold, 1)
	spec.LimitPerUser, spec.MaxQty, spec.OpensAt = 2, 5, 2000
	d := newLeader(t, spec, DefaultSettings())
	patch := func(p Patch) func() {
		return func() { d.apply(&Update{Meta: Meta{Key: fmt.Sprint("u", d.index)}, SKU: "tea", Patch: p}) }
	}
	d.apply(&Fence{Meta: Meta{Key: "k"}, SKU: "tea"})
	d.apply(&Freeze{Meta: Meta{Key: "f"}, SKU: "tea", Frozen: true})
	key, limit, most, opens, closes := "k", int64(0), int64(10), Time(0), Time(900)
	for _, step := range []struct {
		want Code
		then func()
	}{
		{Fenced, func() { key = "l" }},
		{Frozen, func() { d.apply(&Freeze{Meta: Meta{Key: "g"}, SKU: "tea"}) }},
		{NotStarted, patch(Patch{OpensAt: &opens, ClosesAt: &closes})},
		{Ended, patch(Patch{ClosesAt: &opens})},
		{QtyAboveMax, patch(Patch{MaxQty: &most})},
		{LimitExceeded, patch(Patch{LimitPerUser: &limit})},
		{InsufficientStock, func() { d.apply(&Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: -1}) }},
		{SoldOut, func() { d.apply(&Adjust{Meta: Meta{Key: "b"}, SKU: "tea", Delta: 9}) }},
	} {
		d.want(buy("a", key, 6), Answer, step.want)
		if out := d.apply(buy("a", key, 6)); out.Code != step.want {
			t.Errorf("the log says %v, admission %v", out.Code, step.want)
		}
		step.then()
	}
	d.want(buy("a", key, 6), Propose, 0)
}

// TestWindowAgainstCounting draws requests, decisions and changes of leader, and counts by hand what is under way.
func TestWindowAgainstCounting(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spec := tea(rapid.SampledFrom([]Mode{ModeHold, ModeOnOrder, ModeOnPayment}).Draw(rt, "mode"), rapid.Int64Range(1, 12).Draw(rt, "stock"))
		spec.LimitPerUser = rapid.Int64Range(0, 5).Draw(rt, "limit")
		settings := DefaultSettings()
		settings.MaxOpenOrders = rapid.Int64Range(1, 8).Draw(rt, "open")
		m := &windowModel{leader: newLeader(t, spec, settings), rt: rt}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			m.step()
			m.check()
		}
		for len(m.flights) > 0 || m.w.Parked() > 0 {
			m.clock += 100
			m.apply(&Expire{SKU: "tea"})
			for len(m.flights) > 0 {
				m.decide()
			}
			m.again()
			m.check()
		}
		if !m.w.Idle() {
			rt.Fatalf("nothing is under way, but the window is not idle: %+v", m.w)
		}
	})
}

type windowModel struct {
	*leader
	rt     *rapid.T
	n      int
	parked []string // keys, in their order
}

func (m *windowModel) step() {
	switch k := rapid.IntRange(0, 11).Draw(m.rt, "what"); {
	case k < 6:
		m.place()
	case k < 8 && len(m.flights) > 0:
		m.decide()
		m.again()
	case k == 8 && len(m.flights) > 0: // not executed
		f := m.flights[len(m.flights)-1]
		m.flights = m.flights[:len(m.flights)-1]
		m.w.Settle(f)
		m.again()
	case k == 9:
		m.clock += rapid.SampledFrom([]Time{0, 1, 99, 100}).Draw(m.rt, "time")
		m.apply(&Expire{SKU: "tea"})
		m.again()
	case k == 10:
		m.confirm()
	case k == 11 && rapid.IntRange(0, 9).Draw(m.rt, "loss") == 0:
		lost := m.flights
		if got := len(m.w.Clear()); got != len(m.parked) || !m.w.Idle() {
			m.rt.Fatalf("%d parked come back of %d, idle %v", got, len(m.parked), m.w.Idle())
		}
		m.flights, m.parked = nil, nil
		for _, f := range lost { // what an earlier term proposed is decided late
			m.apply(f.Req.(Command))
			m.w.Settle(f)
		}
	}
}

func (m *windowModel) place() {
	m.n++
	c := buy(fmt.Sprint("u", rapid.IntRange(0, 2).Draw(m.rt, "user")), fmt.Sprint("k", m.n), rapid.Int64Range(1, 6).Draw(m.rt, "qty"))
	c.Retry = rapid.IntRange(0, 7).Draw(m.rt, "retry") == 0
	_, action, out := m.admit(c)
	switch action {
	case Park:
		m.parked = append(m.parked, c.Key)
	case Answer:
		m.refused(c, out)
	}
}

// refused fails when an order was refused that the applied state alone, due holds released, would have accepted.
func (m *windowModel) refused(c *Place, out Outcome) {
	copied := restored(m.t, m.book)
	index := m.index + 1
	again := copied.Apply(copied.Begin(Header{Clock: m.clock}, index), c)
	if again.Code != out.Code || c.Retry {
		m.rt.Fatalf("%+v was refused with %v; applied now it is %v", c, out.Code, again.Code)
	}
}

func (m *windowModel) confirm() {
	if n := m.l.rows.len(); n > 0 {
		counter := rapid.Uint64Range(1, n).Draw(m.rt, "order")
		id := OrderID{Partition: m.l.partition, SKU: 1, Counter: counter}
		m.n++
		m.admit(&Confirm{Meta: Meta{Key: fmt.Sprint("c", m.n)}, Order: id, PaymentID: "p"})
	}
}

// again decides again about the parked; those that are decided are the first ones, and the one that waits on must.
func (m *windowModel) again() {
	keys, _ := m.reconsider()
	if len(keys) > len(m.parked) || !slices.Equal(keys, m.parked[:len(keys)]) {
		m.rt.Fatalf("%v were decided of %v", keys, m.parked)
	}
	if m.parked = m.parked[len(keys):]; len(m.parked) == 0 {
		return
	}
	c := m.w.parked[0].Req.(*Place)
	claims := m.counted()
	claims.userUnits = m.ofUser(c.User)
	due, waits := m.l.nextDue()
	if m.l.blocked(c, claims) == 0 || (m.l.blocked(c, inFlight{}) != 0 && (!waits || due > m.clock)) {
		m.rt.Fatalf("%+v is parked with nothing to wait for", c)
	}
}

// counted counts by hand what the flights under way claim.
func (m *windowModel) counted() (f inFlight) {
	for _, flight := range m.flights {
		switch c := flight.Req.(type) {
		case *Place:
			if m.l.spec.Mode != ModeOnPayment {
				f.units += c.Qty
			}
			if m.l.spec.Mode != ModeOnOrder {
				f.waiting++
			}
		case *Confirm:
			f.units += flight.units
			if r := m.l.find(c.Order.Counter); flight.units != 0 && flight.units != r.qty {
				m.rt.Fatalf("a payment claims %d of %d units", flight.units, r.qty)
			}
		}
	}
	return f
}

func (m *windowModel) ofUser(user string) (units int64) {
	for _, f := range m.flights {
		if c, ok := f.Req.(*Place); ok && c.User == user {
			units += c.Qty
		}
	}
	return units
}

func (m *windowModel) check() {
	if want := m.counted(); m.w.claims != want {
		m.rt.Fatalf("claims %+v, counted %+v", m.w.claims, want)
	}
	users := 0
	for _, u := range []string{"u0", "u1", "u2"} {
		want := m.ofUser(u)
		if m.w.users[u] != want {
			m.rt.Fatalf("%s claims %d, counted %d", u, m.w.users[u], want)
		}
		if want != 0 {
			users++
		}
	}
	if len(m.w.users) != users || m.w.Parked() != len(m.parked) {
		m.rt.Fatalf("%d users of %d, %d parked of %d", len(m.w.users), users, m.w.Parked(), len(m.parked))
	}
	if m.w.Idle() != (len(m.flights) == 0 && len(m.parked) == 0) && len(m.flights) > 0 && m.counted() != (inFlight{}) {
		m.rt.Fatal("idle with something under way, or not with nothing")
	}
}

// What must be remembered until its deadline is bounded: when no more can be, only what the applied state accepts goes on, until something is over.
func TestWindowBoundsWhatIsRemembered(t *testing.T) {
	d := newLeader(t, tea(ModeOnPayment, 1), DefaultSettings())
	d.w.MaxRemembered = 20
	open := d.apply(buy("a", "open", 1)).Order
	retried := func(key string, qty int64, deadline Time) *Place {
		p := buy("b", key, qty)
		p.Retry, p.Deadline = true, deadline
		return p
	}
	full := func(r Request) {
		t.Helper()
		if _, action, out := d.admit(r); action != Answer || out.Code != Overloaded || out.Detail.Bound != "max-remembered" {
			t.Fatalf("%T: action %d, %v %+v", r, action, out.Code, out.Detail)
		}
	}
	before := len(d.l.memory.list)
	for i := before; i < 20; i++ {
		d.want(retried(fmt.Sprint("k", i), 2, 2000), Propose, 0)
		if out, _ := d.decide(); out.Code != InsufficientStock {
			t.Fatal(out.Code)
		}
	}
	full(retried("more", 2, 2000))
	full(retried("k5", 2, 3000)) // remembered for longer would be one more
	d.want(retried("k5", 2, 2000), Answer, InsufficientStock)
	full(&Freeze{Meta: Meta{Key: "f", Deadline: 2000}, SKU: "tea"})
	d.want(retried("fits", 1, 2000), Propose, 0)
	if out, _ := d.decide(); out.Code != OK {
		t.Fatal(out.Code)
	}
	pay := func(id string) *Confirm {
		return &Confirm{Meta: Meta{Key: id, Deadline: 2000}, Order: open.ID, PaymentID: id}
	}
	d.want(&Cancel{Meta: Meta{Key: "c"}, Order: d.apply(buy("c", "gone", 1)).Order.ID}, Propose, 0)
	d.decide()
	d.apply(&Adjust{Meta: Meta{Key: "none left"}, SKU: "tea", Delta: -1})
	full(pay("p1"))
	d.clock = 2000 // all is over, and the next command forgets it
	again := retried("more", 2, 3000)
	d.want(again, Propose, 0)
	d.decide()
	if n := len(d.l.memory.list); n != 1 {
		t.Errorf("%d outcomes are remembered", n)
	}
}

// What one remembered refusal costs, to size the bound.
func BenchmarkRemembered(b *testing.B) {
	d := newLeader(b, tea(ModeHold, 0), DefaultSettings())
	before := heap()
	n := 0
	for b.Loop() {
		n++
		p := buy("user", fmt.Sprintf("a-key-of-thirty-six-bytes-%010d", n), 1)
		p.Retry, p.Deadline = true, 1<<40
		d.apply(p)
	}
	b.ReportMetric(float64(heap()-before)/float64(n), "B/outcome")
	if len(d.l.memory.list) < n {
		b.Fatalf("%d of %d are remembered", len(d.l.memory.list), n)
	}
}
