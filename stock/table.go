package stock

import (
	"bytes"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// add gives a new row the next counter. Counters start at 1.
func (l *Ledger) add(r *row) uint64 {
	counter := l.rows.len() + 1
	noted := l.stamp(r)
	l.rows.push(r)
	l.keys.add(keyHash(r.caller, xxhash.Sum64(r.key)), uint32(counter))
	l.follow(counter, r, noted)
	return counter
}

// find returns the row of a counter; its state is 0 when it never was, or has left memory.
func (l *Ledger) find(counter uint64) row { return l.rows.load(counter - 1) }

// order returns the row that an id names; its state is 0 when there is none.
func (l *Ledger) order(id OrderID) row {
	if id.SKU != l.number || id.Partition != l.partition {
		return row{}
	}
	r := l.find(id.Counter)
	if r.state == stateFence || id.Epoch != r.epoch {
		return row{}
	}
	return r
}

// edit begins a change of a row; save must follow.
func (l *Ledger) edit(counter uint64, r *row) { l.hash -= r.hash(counter) }

// save stamps and stores a changed row.
func (l *Ledger) save(counter uint64, r *row) {
	noted := l.stamp(r)
	l.rows.store(counter-1, r)
	l.follow(counter, r, noted)
}

// stamp puts the place in the log on a row. It reports whether an earlier command of the same entry did.
func (l *Ledger) stamp(r *row) (noted bool) {
	noted = r.version == l.index
	r.updated, r.version = l.now, l.index
	return noted
}

// follow keeps the hash and the agendas up with a row that was stored and notes it for storage.
func (l *Ledger) follow(counter uint64, r *row, noted bool) {
	l.hash += r.hash(counter)
	if r.settled() {
		l.settled.push(scheduled{l.now, counter})
	}
	if r.state != stateFence && !noted {
		l.journal.note(l.index, l.number, counter)
	}
}

// use changes the units a user has by delta.
func (l *Ledger) use(user uint32, delta int64) {
	a := l.users.mut(uint64(user))
	p := l.users.of(a)
	l.hash -= p.hash(uint64(user))
	p.used += delta
	a.used = p.used
	l.hash += p.hash(uint64(user))
}

func (l *Ledger) used(user string) int64 {
	if i, ok := l.userAt(user); ok {
		return l.users.at(uint64(i)).used
	}
	return 0
}

// userAt returns the number of a user.
func (l *Ledger) userAt(name string) (uint32, bool) {
	for p := l.names.seek(nameHash(xxhash.Sum64String(name))); ; {
		i := p.next()
		if i == 0 {
			return 0, false
		}
		if u := l.users.person(uint64(i - 1)); string(u.name) == name {
			return i - 1, true
		}
	}
}

func (l *Ledger) userNumber(name string) uint32 {
	i, ok := l.userAt(name)
	if !ok {
		i = uint32(l.users.add(name))
		l.names.add(nameHash(xxhash.Sum64String(name)), i+1)
		p := l.users.person(uint64(i))
		l.hash += p.hash(uint64(i))
	}
	return i
}

// fewCallers is how many callers are looked through one by one.
const fewCallers = 8

// callerNo returns the number of a caller.
func (l *Ledger) callerNo(name string) (uint32, bool) {
	if l.callerAt != nil {
		i, ok := l.callerAt[name]
		return i, ok
	}
	for i, c := range l.callers {
		if c == name {
			return uint32(i), true
		}
	}
	return 0, false
}

func (l *Ledger) callerNumber(name string) uint32 {
	i, ok := l.callerNo(name)
	if ok {
		return i
	}
	i = uint32(len(l.callers))
	l.callers = append(l.callers, strings.Clone(name))
	switch {
	case l.callerAt != nil:
		l.callerAt[l.callers[i]] = i
	case len(l.callers) > fewCallers:
		l.callerAt = make(map[string]uint32)
		for i, c := range l.callers {
			l.callerAt[c] = uint32(i)
		}
	}
	return i
}

// indexSeed sets the hashes of the lookup tables apart from those of the state. It is the same on every replica, though nothing depends on it.
const indexSeed = 0x2545F4914F6CDD1D

// keyHash makes the hash under which the key of a caller stands from that of its text.
func keyHash(caller uint32, key uint64) uint32 {
	return uint32(mix(key^indexSeed, uint64(caller)) >> 32)
}

// nameHash does the same for a user.
func nameHash(name uint64) uint32 { return uint32(mix(name, indexSeed) >> 32) }

// keyed returns the counter of the order or fence that holds a key.
func (l *Ledger) keyed(caller, key string) (uint64, bool) {
	i, ok := l.callerNo(caller)
	if !ok {
		return 0, false
	}
	return l.keyAt(i, key)
}

func (l *Ledger) keyAt(caller uint32, key string) (uint64, bool) {
	for p := l.keys.seek(keyHash(caller, xxhash.Sum64String(key))); ; {
		counter := p.next()
		if counter == 0 {
			return 0, false
		}
		if b, _ := l.rows.packed(uint64(counter) - 1); string(b.key()) == key && b.caller() == caller {
			return uint64(counter), true
		}
	}
}

// addKey makes the key of a row known; ok is false when it was.
func (l *Ledger) addKey(r *row, counter uint64) (ok bool) {
	hash := keyHash(r.caller, xxhash.Sum64(r.key))
	for p := l.keys.seek(hash); ; {
		other := p.next()
		if other == 0 {
			l.keys.add(hash, uint32(counter))
			return true
		}
		if b, _ := l.rows.packed(uint64(other) - 1); bytes.Equal(b.key(), r.key) && b.caller() == r.caller {
			return false
		}
	}
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
	o.PaymentID, o.ReturnedQty, o.State = string(r.paymentID), r.returned, r.state
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
	o := l.placed(counter, r)
	// One string for all texts, made behind what the buffer holds.
	at := len(l.buf)
	l.buf = append(append(append(l.buf, l.users.person(uint64(r.user)).name...), r.key...), r.clientRef...)
	all := string(l.buf[at:])
	l.buf = l.buf[:at]
	ref := len(all) - len(r.clientRef)
	key := ref - len(r.key)
	o.User, o.Key, o.ClientRef = all[:key], all[key:ref], all[ref:]
	return o
}

// placed returns an order as it was first given, without its texts.
func (l *Ledger) placed(counter uint64, r *row) *Order {
	o := &Order{
		ID:  OrderID{Epoch: r.epoch, Partition: l.partition, SKU: l.number, Counter: counter},
		SKU: l.spec.SKU, Caller: l.callers[r.caller], Qty: r.qty, State: l.initial(), Mode: l.spec.Mode,
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
