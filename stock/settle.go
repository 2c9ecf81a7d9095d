package stock

import "strings"

// confirm records a payment. A hold past its deadline is never confirmed, released or not (rule R3).
func (l *Ledger) confirm(c *Confirm) Outcome {
	r := l.order(c.Order)
	if r.state == 0 {
		return refuse(OrderNotFound)
	}
	if out, final := l.paid(c, &r); final {
		return out
	}
	switch {
	case l.broken:
		return refuse(Frozen)
	case l.late(&c.Meta):
		return refuse(DeadlineExceeded)
	case r.waits() && r.expires <= l.now:
		l.expireOrder(c.Order.Counter)
		return refuseWith(OrderExpired, Detail{ExpiredAt: r.expires})
	case r.state == StateOpen:
		if out := l.takeOpen(c, &r); out.Code != 0 {
			return out
		}
	}
	l.edit(c.Order.Counter, &r)
	switch r.state {
	case StateHeld:
		l.held -= r.qty
	case StateOpen:
		l.available -= r.qty
	}
	if r.waits() {
		l.sold += r.qty
		l.version = l.index
		l.waiting--
		r.state, r.confirmed = StateConfirmed, l.now
		l.journal.confirmed()
	}
	r.paymentID = l.hold(c.PaymentID)
	l.save(c.Order.Counter, &r)
	return Outcome{Code: OK, Order: l.view(c.Order.Counter, &r)}
}

// paid answers a confirm that the order's state decides already. A sold order without a payment (on_order) is not final: it takes one.
func (l *Ledger) paid(c *Confirm, r *row) (Outcome, bool) {
	switch {
	case r.state == StateCancelled:
		return refuseWith(InvalidState, Detail{State: r.state}), true
	case r.state == StateExpired:
		return refuseWith(OrderExpired, Detail{ExpiredAt: r.ended}), true
	case r.waits() || len(r.paymentID) == 0:
		return Outcome{}, false
	case string(r.paymentID) == c.PaymentID:
		return Outcome{Code: OK, Order: l.view(c.Order.Counter, r)}, true
	}
	return refuseWith(DuplicatePayment, Detail{FirstPaymentID: string(r.paymentID)}), true
}

// takeOpen decides whether an open order gets its units now (rule R7); a zero outcome means it does.
func (l *Ledger) takeOpen(c *Confirm, r *row) Outcome {
	if l.frozen {
		return refuse(Frozen)
	}
	key := memoryKey{Space: spacePayments, Counter: c.Order.Counter, Key: c.PaymentID}
	if out, ok := l.memory.recall(key, l.now); ok {
		return out
	}
	code := l.short(r.qty, 0)
	if code == 0 {
		return Outcome{}
	}
	out := l.explain(code, "")
	l.memory.remember(key, c.Deadline, l.now, out)
	return out
}

// cancel gives an order up before its payment.
func (l *Ledger) cancel(c *Cancel) Outcome {
	r := l.order(c.Order)
	switch {
	case r.state == 0:
		return refuse(OrderNotFound)
	case r.state == StateCancelled:
		return Outcome{Code: OK, Order: l.view(c.Order.Counter, &r)}
	case !r.waits():
		return refuseWith(InvalidState, Detail{State: r.state})
	case l.broken:
		return refuse(Frozen)
	case l.late(&c.Meta):
		return refuse(DeadlineExceeded)
	case r.expires <= l.now:
		l.expireOrder(c.Order.Counter)
		return refuseWith(InvalidState, Detail{State: StateExpired})
	}
	l.edit(c.Order.Counter, &r)
	l.settle(&r, StateCancelled, l.now)
	l.save(c.Order.Counter, &r)
	return Outcome{Code: OK, Order: l.view(c.Order.Counter, &r)}
}

// takeBack takes units of a sold order back.
func (l *Ledger) takeBack(c *Return) Outcome {
	r := l.order(c.Order)
	if r.state == 0 {
		return refuse(OrderNotFound)
	}
	if out, known := l.knownReturn(c); known {
		return out
	}
	switch {
	case l.broken:
		return refuse(Frozen)
	case l.late(&c.Meta):
		return refuse(DeadlineExceeded)
	case c.Qty < 0:
		return refuseWith(InvalidValue, Detail{Field: "qty", Reason: "must not be negative"})
	case r.state != StateConfirmed:
		return refuseWith(InvalidState, Detail{State: r.state})
	case c.Qty > r.left():
		return refuseWith(InvalidState, Detail{State: r.state, Returnable: r.left()})
	case l.returns.len() >= MaxOrders:
		return refuseWith(InvalidValue, Detail{Field: "sku", Reason: "has had as many returns as one can have"})
	}
	qty := c.Qty
	if qty == 0 {
		qty = r.left()
	}
	l.edit(c.Order.Counter, &r)
	l.moveBack(qty, c.Restock)
	r.returned += qty
	if r.left() == 0 {
		r.state, r.ended = StateReturned, l.now
	}
	l.use(r.user, -qty)
	l.journal.returned()
	l.save(c.Order.Counter, &r)
	l.noteReturn(c, &r)
	return Outcome{Code: OK, Order: l.view(c.Order.Counter, &r)}
}

// moveBack takes sold units back into what is available, or out of the stock.
func (l *Ledger) moveBack(qty int64, restock bool) {
	l.sold -= qty
	l.version = l.index
	if restock {
		l.available += qty
	} else {
		l.keepCreation()
		l.spec.Stock -= qty
	}
}

func (l *Ledger) noteReturn(c *Return, r *row) {
	rt := returned{
		key: strings.Clone(c.Key), caller: l.callerNumber(c.Caller), restock: c.Restock, paid: len(r.paymentID) > 0, state: r.state, qty: c.Qty,
		counter: c.Order.Counter, previous: l.lastReturn[c.Order.Counter], total: r.returned, at: l.now, version: l.index,
	}
	i := l.returns.push(rt)
	l.hash += rt.hash(i)
	l.knowReturn(i, &rt)
}

// knowReturn makes a return known by its key and its order.
func (l *Ledger) knowReturn(i uint64, rt *returned) {
	if l.returnKeys == nil {
		l.returnKeys, l.lastReturn = make(map[scopedKey]uint64), make(map[uint64]uint64)
	}
	l.returnKeys[scopedKey{rt.caller, rt.key}] = i
	l.lastReturn[rt.counter] = i + 1
}

func (l *Ledger) knownReturn(c *Return) (Outcome, bool) {
	caller, ok := l.callerNo(c.Caller)
	if !ok {
		return Outcome{}, false
	}
	i, ok := l.returnKeys[scopedKey{caller, c.Key}]
	if !ok {
		return Outcome{}, false
	}
	rt := l.returns.at(i)
	if d := differsReturn(c, rt); d != nil {
		return refuseWith(IdempotencyKeyReused, Detail{Differs: d}), true
	}
	r := l.find(rt.counter)
	o := l.view(rt.counter, &r)
	o.State, o.ReturnedQty, o.UpdatedAt, o.Version = rt.state, rt.total, rt.at, rt.version
	if o.ReturnedAt = 0; rt.state == StateReturned {
		o.ReturnedAt = rt.at
	}
	if !rt.paid {
		o.PaymentID = ""
	}
	return Outcome{Code: OK, Replayed: true, Order: o}, true
}

func differsReturn(c *Return, rt *returned) (fields []string) {
	if c.Order.Counter != rt.counter {
		fields = append(fields, "order")
	}
	if c.Qty != rt.qty {
		fields = append(fields, "qty")
	}
	if c.Restock != rt.restock {
		fields = append(fields, "restock")
	}
	return fields
}
