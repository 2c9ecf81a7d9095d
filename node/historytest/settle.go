package historytest

// confirm pays an order. A held one is sold; one that was sold at once only gets its payment.
func (r *rules) confirm(s state, p *step) (state, bool) {
	a, o := &p.Answer, s.orders.at(p.key, r.keys)
	switch {
	case o.state == "" || o.state == Fenced:
		return s, a.unknown() || a.Code == "order_not_found"
	case o.state == "cancelled":
		return s, a.unknown() || a.Code == "invalid_state" && a.State == o.state
	case o.payment == p.Payment && o.state == "confirmed":
		return s, a.unknown() || shows(o, a)
	case o.payment != "":
		return s, a.unknown() || a.Code == "duplicate_payment"
	}
	held := o.state == "held"
	o.state, o.payment, o.version = "confirmed", p.Payment, p.at
	if !a.unknown() && !shows(o, a) {
		return s, false
	}
	r.put(&s, p.key, o)
	if !held {
		return s, true
	}
	s.held -= o.qty
	s.sold += o.qty
	return s, r.moves.move(&s, p.at)
}

// cancel gives a held order's units back.
func (r *rules) cancel(s state, p *step) (state, bool) {
	a, o := &p.Answer, s.orders.at(p.key, r.keys)
	switch o.state {
	case "", Fenced:
		return s, a.unknown() || a.Code == "order_not_found"
	case "cancelled":
		return s, a.unknown() || shows(o, a)
	case "confirmed":
		return s, a.unknown() || a.Code == "invalid_state" && a.State == o.state
	}
	o.state, o.version = "cancelled", p.at
	if !a.unknown() && !shows(o, a) {
		return s, false
	}
	r.put(&s, p.key, o)
	r.use(&s, o.user, -o.qty)
	s.held -= o.qty
	s.available += o.qty
	return s, r.moves.move(&s, p.at)
}

// fence takes a key's place, unless an order has it.
func (r *rules) fence(s state, p *step) (state, bool) {
	o := s.orders.at(p.key, r.keys)
	if o.state == "" {
		o.state = Fenced
		r.put(&s, p.key, o)
	}
	return s, p.Answer.unknown() || tells(o, &p.Answer)
}

// shows reports whether an answer shows an order as it stands.
func shows(o order, a *Answer) bool {
	if o.state == "" || o.state == Fenced {
		return a.Code == "order_not_found"
	}
	version := o.version == 0 || a.Version == 0 || o.version == a.Version
	return a.Code == "" && a.OrderID == o.id && a.State == o.state && a.Payment == o.payment && version
}

// tells reports whether an answer says what became of a key.
func tells(o order, a *Answer) bool {
	switch o.state {
	case "":
		return a.Code == "outcome_not_seen"
	case Fenced:
		return a.Code == "" && a.State == Fenced
	}
	return a.Code == "" && a.State != Fenced && a.OrderID == o.id
}
