package stock

import "strings"

// add gives a new row the next counter. Counters start at 1.
func (l *Ledger) add(r row) uint64 {
	counter := l.rows.push(r) + 1
	l.keys[scopedKey{r.caller, r.key}] = counter
	l.save(counter, l.rows.mut(counter-1))
	return counter
}

// find returns the row of a counter for reading; nil when it never was, or has left memory.
func (l *Ledger) find(counter uint64) *row {
	if counter == 0 {
		return nil
	}
	if r := l.rows.at(counter - 1); r != nil && r.state != 0 {
		return r
	}
	return nil
}

// order returns the row that an id names; nil when there is none.
func (l *Ledger) order(id OrderID) *row {
	r := l.find(id.Counter)
	if r == nil || r.state == stateFence || id.Epoch != r.epoch || id.SKU != l.number || id.Partition != l.partition {
		return nil
	}
	return r
}

// edit returns a row for writing; save must follow.
func (l *Ledger) edit(counter uint64) *row {
	r := l.rows.mut(counter - 1)
	l.hash -= r.hash(counter)
	return r
}

// save stamps a changed row, keeps the hash and the schedules up and notes it for storage.
func (l *Ledger) save(counter uint64, r *row) {
	noted := r.version == l.index // by an earlier command of the same entry
	r.updated, r.version = l.now, l.index
	l.hash += r.hash(counter)
	if r.settled() {
		l.settled.push(scheduled{l.now, counter})
	}
	if r.state == stateFence {
		return
	}
	if !noted {
		l.journal.note(l.index, l.number, counter)
	}
}

// use changes the units a user has by delta.
func (l *Ledger) use(user uint32, delta int64) {
	p := l.users.mut(uint64(user))
	l.hash -= p.hash(uint64(user))
	p.used += delta
	l.hash += p.hash(uint64(user))
}

func (l *Ledger) used(user string) int64 {
	if i, ok := l.userAt[user]; ok {
		return l.users.at(uint64(i)).used
	}
	return 0
}

func (l *Ledger) userNumber(name string) uint32 {
	i, ok := l.userAt[name]
	if !ok {
		name = strings.Clone(name)
		i = uint32(l.users.push(person{name: name}))
		l.userAt[name] = i
		l.hash += l.users.at(uint64(i)).hash(uint64(i))
	}
	return i
}

func (l *Ledger) callerNumber(name string) uint32 {
	i, ok := l.callerAt[name]
	if !ok {
		name = strings.Clone(name)
		i = uint32(len(l.callers))
		l.callers = append(l.callers, name)
		l.callerAt[name] = i
	}
	return i
}

// keyed returns the counter of the order or fence that holds a key.
func (l *Ledger) keyed(caller, key string) (uint64, bool) {
	i, ok := l.callerAt[caller]
	if !ok {
		return 0, false
	}
	counter, ok := l.keys[scopedKey{i, key}]
	return counter, ok
}

// settle ends the waiting of a row that is being edited.
func (l *Ledger) settle(r *row, s State, ended Time) {
	if r.state == StateHeld {
		l.held -= r.qty
		l.available += r.qty
		l.version = l.index
	}
	r.state, r.ended = s, ended
	l.journal.settled(s, r.expires)
	l.waiting--
	l.use(r.user, -r.qty)
}

// view returns an order as it stands.
func (l *Ledger) view(counter uint64, r *row) *Order {
	o := l.first(counter, r)
	o.PaymentID, o.ReturnedQty, o.State = r.paymentID, r.returned, r.state
	o.ConfirmedAt, o.UpdatedAt, o.Version = r.confirmed, r.updated, r.version
	switch r.state {
	case StateCancelled:
		o.CancelledAt = r.ended
	case StateExpired:
		o.ExpiredAt = r.ended
	case StateReturned:
		o.ReturnedAt = r.ended
	}
	return o
}

// first returns an order as it was first given.
func (l *Ledger) first(counter uint64, r *row) *Order {
	o := &Order{
		ID:  OrderID{Epoch: r.epoch, Partition: l.partition, SKU: l.number, Counter: counter},
		SKU: l.spec.SKU, User: l.users.at(uint64(r.user)).name, Caller: l.callers[r.caller], Key: r.key, ClientRef: r.clientRef,
		Qty: r.qty, State: l.initial(), Mode: l.spec.Mode,
		CreatedAt: r.created, ExpiresAt: r.expires, UpdatedAt: r.created, Version: r.firstVersion,
	}
	if o.State == StateConfirmed {
		o.ConfirmedAt = r.created
	}
	return o
}

// initial is the state of a new order under the SKU's mode.
func (l *Ledger) initial() State {
	switch l.spec.Mode {
	case ModeOnOrder:
		return StateConfirmed
	case ModeOnPayment:
		return StateOpen
	}
	return StateHeld
}

// View returns the SKU as it stands.
func (l *Ledger) View() *SKU {
	return &SKU{
		Spec: l.spec, Number: l.number, Available: l.available, Held: l.held, Sold: l.sold,
		Frozen: l.frozen || l.broken, Broken: l.broken, Version: l.version,
	}
}

// Availability returns what buyers may know.
func (l *Ledger) Availability() Availability {
	return Availability{
		SKU: l.spec.SKU, Frozen: l.frozen || l.broken, Available: l.available, Held: l.held, Sold: l.sold,
		OpensAt: l.spec.OpensAt, ClosesAt: l.spec.ClosesAt, Index: l.version,
	}
}
