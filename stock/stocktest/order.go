package stocktest

import "holdfast/stock"

func (o *Oracle) confirm(at stock.Position, c *stock.Confirm) stock.Outcome {
	s, r, no := o.findOrder(c.Order)
	if r == nil {
		return no
	}
	paid := r.order.State == stock.StateConfirmed || r.order.State == stock.StateReturned
	switch {
	case paid && r.order.PaymentID == c.PaymentID:
		return r.answer()
	case paid && r.order.PaymentID != "":
		return refuseWith(stock.DuplicatePayment, stock.Detail{FirstPaymentID: r.order.PaymentID})
	case r.order.State == stock.StateCancelled:
		return invalidState(r, 0)
	case r.order.State == stock.StateExpired:
		return refuseWith(stock.OrderExpired, stock.Detail{ExpiredAt: r.order.ExpiredAt})
	case s.row.Broken:
		return refuse(stock.Frozen)
	case late(&c.Meta, at.Now):
		return refuse(stock.DeadlineExceeded)
	case paid:
		r.order.PaymentID = c.PaymentID
		r.touch(at)
		return r.answer()
	case r.due(at.Now):
		s.release(r, at)
	}
	switch r.order.State {
	case stock.StateExpired:
		return refuseWith(stock.OrderExpired, stock.Detail{ExpiredAt: r.order.ExpiredAt})
	case stock.StateOpen:
		return s.payOpen(r, at, c)
	}
	s.row.Held -= r.order.Qty
	return s.sell(r, at, c)
}

// payOpen takes stock for an open order, or refuses and remembers the refusal under the payment id (rule R7).
func (s *sku) payOpen(r *row, at stock.Position, c *stock.Confirm) stock.Outcome {
	if s.row.Frozen {
		return refuse(stock.Frozen)
	}
	if m, ok := r.refused[c.PaymentID]; ok && m.holds(at.Now) {
		return m.again()
	}
	if s.row.Available < r.order.Qty {
		no := s.short()
		if c.Deadline != 0 {
			r.refused[c.PaymentID] = remember(no, c.Deadline)
		}
		return no
	}
	s.row.Available -= r.order.Qty
	return s.sell(r, at, c)
}

func (s *sku) sell(r *row, at stock.Position, c *stock.Confirm) stock.Outcome {
	s.row.Sold += r.order.Qty
	s.touch(at)
	r.order.State, r.order.PaymentID, r.order.ConfirmedAt = stock.StateConfirmed, c.PaymentID, at.Now
	r.touch(at)
	return r.answer()
}

func invalidState(r *row, returnable int64) stock.Outcome {
	return refuseWith(stock.InvalidState, stock.Detail{State: r.order.State, Returnable: returnable})
}

func (o *Oracle) cancel(at stock.Position, c *stock.Cancel) stock.Outcome {
	s, r, no := o.findOrder(c.Order)
	if r == nil {
		return no
	}
	switch {
	case r.order.State == stock.StateCancelled:
		return r.answer()
	case !r.waits():
		return invalidState(r, 0)
	case s.row.Broken:
		return refuse(stock.Frozen)
	case late(&c.Meta, at.Now):
		return refuse(stock.DeadlineExceeded)
	case r.due(at.Now):
		s.release(r, at)
		return invalidState(r, 0)
	}
	s.letGo(r, at)
	r.order.State, r.order.CancelledAt = stock.StateCancelled, at.Now
	r.touch(at)
	return r.answer()
}

func (o *Oracle) giveBack(at stock.Position, c *stock.Return) stock.Outcome {
	s, r, no := o.findOrder(c.Order)
	if r == nil {
		return no
	}
	if known := s.returnByKey(scopeOf(&c.Meta)); known != nil {
		return known.replay(c)
	}
	left := r.order.Qty - r.order.ReturnedQty
	qty := c.Qty
	if qty == 0 {
		qty = left
	}
	switch {
	case late(&c.Meta, at.Now):
		return refuse(stock.DeadlineExceeded)
	case s.row.Broken:
		return refuse(stock.Frozen)
	case r.order.State != stock.StateConfirmed:
		return invalidState(r, 0)
	case qty > left:
		return invalidState(r, left)
	}
	s.row.Sold -= qty
	if c.Restock {
		s.row.Available += qty
	} else {
		s.row.Stock -= qty
	}
	s.touch(at)
	r.order.ReturnedQty += qty
	if qty == left {
		r.order.State, r.order.ReturnedAt = stock.StateReturned, at.Now
	}
	r.touch(at)
	r.returns = append(r.returns, giveBack{*c, r.order})
	return r.answer()
}

func (s *sku) returnByKey(k scope) *giveBack {
	for _, r := range s.rows {
		for i := range r.returns {
			if scopeOf(&r.returns[i].ask.Meta) == k {
				return &r.returns[i]
			}
		}
	}
	return nil
}

func (g *giveBack) replay(c *stock.Return) stock.Outcome {
	var differs []string
	if c.Order != g.ask.Order {
		differs = append(differs, "order")
	}
	if c.Qty != g.ask.Qty {
		differs = append(differs, "qty")
	}
	if c.Restock != g.ask.Restock {
		differs = append(differs, "restock")
	}
	if differs != nil {
		return refuseWith(stock.IdempotencyKeyReused, stock.Detail{Differs: differs})
	}
	order := g.order
	return stock.Outcome{Code: stock.OK, Replayed: true, Order: &order}
}
