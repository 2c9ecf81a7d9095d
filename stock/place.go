package stock

// place decides about an order, in the API's order of precedence.
func (l *Ledger) place(c *Place) Outcome {
	if out, known := l.known(c); known {
		return out
	}
	if out, refused := l.memory.recall(refusalKey(&c.Meta), l.now); refused {
		if c.Retry {
			l.memory.extend(refusalKey(&c.Meta), c.Deadline)
		}
		return out
	}
	if l.late(&c.Meta) {
		return refuse(DeadlineExceeded)
	}
	out := l.forbidden(c, l.now)
	if out.Code == 0 {
		out = l.makeRoom(c)
	}
	if out.Code == 0 {
		return l.accept(c)
	}
	if c.Retry {
		l.memory.remember(refusalKey(&c.Meta), c.Deadline, l.now, out)
	}
	return out
}

func refusalKey(m *Meta) memoryKey {
	return memoryKey{Space: spaceRefusals, Caller: m.Caller, Key: m.Key}
}

// known answers for a key that an order or a fence holds: the stored answer again, or that the key belongs to something else.
func (l *Ledger) known(c *Place) (Outcome, bool) {
	counter, ok := l.keyed(c.Caller, c.Key)
	if !ok {
		return Outcome{}, false
	}
	r := l.find(counter)
	if r.state == stateFence {
		return refuse(Fenced), true
	}
	if d := differs(c, string(l.users.person(uint64(r.user)).name), r.qty, string(r.clientRef)); d != nil {
		return refuseWith(IdempotencyKeyReused, Detail{Differs: d}), true
	}
	return Outcome{Code: OK, Replayed: true, Order: l.first(counter, &r)}, true
}

// differs names the fields of a second request under a key that are not those of the first.
func differs(c *Place, user string, qty int64, clientRef string) (fields []string) {
	if c.User != user {
		fields = append(fields, "user")
	}
	if c.Qty != qty {
		fields = append(fields, "qty")
	}
	if c.ClientRef != clientRef {
		fields = append(fields, "client_ref")
	}
	return fields
}

// forbidden refuses what neither stock nor limits decide; a zero outcome means nothing stands against it.
func (l *Ledger) forbidden(c *Place, now Time) Outcome {
	switch {
	case c.Qty < 1:
		return refuseWith(InvalidValue, Detail{Field: "qty", Reason: "must be at least 1"})
	case l.frozen || l.broken:
		return refuse(Frozen)
	case l.spec.OpensAt != 0 && now < l.spec.OpensAt:
		return refuseWith(NotStarted, Detail{OpensAt: l.spec.OpensAt})
	case l.spec.ClosesAt != 0 && now >= l.spec.ClosesAt:
		return refuseWith(Ended, Detail{ClosesAt: l.spec.ClosesAt})
	case c.Qty > l.spec.MaxQty:
		return refuseWith(QtyAboveMax, Detail{MaxQty: l.spec.MaxQty})
	}
	return Outcome{}
}

// inFlight is what commands that are proposed but not applied may take.
type inFlight struct {
	units     int64
	userUnits int64
	waiting   int64
}

// blocked says what stands between an order and its acceptance when f is in flight; 0 means nothing.
func (l *Ledger) blocked(c *Place, f inFlight) Code {
	used := l.used(c.User)
	left := l.spec.LimitPerUser - used
	switch {
	case l.spec.Mode != ModeOnOrder && l.waiting+f.waiting >= l.settings.MaxOpenOrders:
		return Overloaded
	case l.spec.LimitPerUser > 0 && (left < f.userUnits || c.Qty > left-f.userUnits):
		return LimitExceeded
	}
	if code := l.short(c.Qty, f.units); code != 0 {
		return code
	}
	if c.Qty > maxInt64-used-f.userUnits || l.full() {
		return InvalidValue
	}
	return 0
}

// full reports whether the SKU has had as many orders and fences as places, and what is derived from them, can number (rule R8).
func (l *Ledger) full() bool { return l.rows.len() >= MaxOrders }

func refuseFull() Outcome {
	return refuseWith(InvalidValue, Detail{Field: "sku", Reason: "has had as many orders as one can have"})
}

// short says how the stock falls short of qty units when some are in flight; 0 means it does not.
func (l *Ledger) short(qty, inFlight int64) Code {
	switch {
	case l.available-inFlight >= qty:
		return 0
	case l.available > 0:
		return InsufficientStock
	case l.held > 0:
		return SoldOutPending
	}
	return SoldOut
}

// makeRoom releases due holds while they stand between the order and its acceptance (rule R3); a zero outcome means there is room.
func (l *Ledger) makeRoom(c *Place) Outcome {
	for released := int64(0); ; released++ {
		code := l.blocked(c, inFlight{})
		if code == 0 {
			return Outcome{}
		}
		if code == InvalidValue || released >= l.settings.ExpiryBatch || !l.releaseOne() {
			return l.explain(code, c.User)
		}
	}
}

// explain gives a refusal its members, from the applied state.
func (l *Ledger) explain(code Code, user string) Outcome {
	switch code {
	case Overloaded:
		return refuseWith(code, Detail{Bound: "max_open_orders_per_sku"})
	case InvalidValue:
		if l.full() {
			return refuseFull()
		}
		return refuseWith(code, Detail{Field: "qty", Reason: "overflows a counter"})
	case LimitExceeded:
		return refuseWith(code, Detail{Limit: l.spec.LimitPerUser, Used: l.used(user)})
	case InsufficientStock:
		return refuseWith(code, Detail{Available: l.available})
	case SoldOutPending:
		at, _ := l.nextDue()
		return refuseWith(code, Detail{Held: l.held, NextReleaseAt: at})
	}
	return refuse(code)
}

// accept takes the units.
func (l *Ledger) accept(c *Place) Outcome {
	r := row{
		key: l.hold(c.Key), clientRef: l.hold(c.ClientRef), qty: c.Qty, created: l.now, firstVersion: l.index,
		user: l.userNumber(c.User), caller: l.callerNumber(c.Caller), epoch: l.epoch, state: l.initial(),
	}
	switch r.state {
	case StateHeld:
		l.available -= c.Qty
		l.held += c.Qty
	case StateConfirmed:
		l.available -= c.Qty
		l.sold += c.Qty
		r.confirmed = l.now
	}
	if r.state != StateOpen {
		l.version = l.index
	}
	if r.waits() {
		r.expires = l.now.Add(l.spec.HoldTTLMS)
		l.waiting++
	}
	l.use(r.user, c.Qty)
	l.journal.accepted()
	counter := l.add(&r)
	if r.waits() {
		l.due.push(scheduled{r.expires, counter})
	}
	if l.unheard {
		return Outcome{Code: OK}
	}
	o := l.placed(counter, &r)
	o.User, o.Key, o.ClientRef = c.User, c.Key, c.ClientRef
	return Outcome{Code: OK, Order: o}
}

// fence takes a key's place unless an order holds it.
func (l *Ledger) fence(c *Fence) Outcome {
	if out, known := l.outcome(c.Caller, c.Key); known {
		out.Replayed = out.Code == OK
		return out
	}
	switch {
	case l.late(&c.Meta):
		return refuse(DeadlineExceeded)
	case l.broken:
		return refuse(Frozen)
	case l.full():
		return refuseFull()
	}
	l.add(&row{key: l.hold(c.Key), created: l.now, firstVersion: l.index, caller: l.callerNumber(c.Caller), epoch: l.epoch, state: stateFence})
	return Outcome{Code: OutcomeFenced}
}

// outcome says what became of a key, as first given.
func (l *Ledger) outcome(caller, key string) (Outcome, bool) {
	counter, ok := l.keyed(caller, key)
	if !ok {
		return refuse(OutcomeNotSeen), false
	}
	r := l.find(counter)
	if r.state == stateFence {
		return Outcome{Code: OutcomeFenced}, true
	}
	return Outcome{Code: OK, Order: l.first(counter, &r)}, true
}
