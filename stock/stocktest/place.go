package stocktest

import (
	"math"

	"holdfast/stock"
)

func (o *Oracle) place(at stock.Position, c *stock.Place) stock.Outcome {
	s, no := o.find(c.SKU)
	if s == nil {
		return no
	}
	key := scopeOf(&c.Meta)
	if r := s.byKey(key); r != nil {
		return replay(r, c)
	}
	if m, ok := s.refused[key]; ok && m.holds(at.Now) {
		if c.Retry && c.Deadline > m.until {
			s.refused[key] = remember(m.outcome, c.Deadline)
		}
		return m.again()
	}
	if late(&c.Meta, at.Now) {
		return refuse(stock.DeadlineExceeded)
	}
	no, refused := o.refusal(s, at, c)
	if !refused {
		return s.accept(o.epoch, at, c)
	}
	if c.Retry && c.Deadline != 0 {
		s.refused[key] = remember(no, c.Deadline)
	}
	return no
}

// replay answers a Place whose key is taken.
func replay(r *row, c *stock.Place) stock.Outcome {
	if r.fence {
		return refuse(stock.Fenced)
	}
	var differs []string
	if c.User != r.order.User {
		differs = append(differs, "user")
	}
	if c.Qty != r.order.Qty {
		differs = append(differs, "qty")
	}
	if c.ClientRef != r.order.ClientRef {
		differs = append(differs, "client_ref")
	}
	if differs != nil {
		return refuseWith(stock.IdempotencyKeyReused, stock.Detail{Differs: differs})
	}
	return firstGiven(r)
}

func firstGiven(r *row) stock.Outcome {
	order := r.first
	return stock.Outcome{Code: stock.OK, Replayed: true, Order: &order}
}

// refusal judges a Place by the SKU, in the order of the API's precedence.
func (o *Oracle) refusal(s *sku, at stock.Position, c *stock.Place) (no stock.Outcome, refused bool) {
	spec := &s.row.Spec
	switch {
	case s.row.Frozen || s.row.Broken:
		return refuse(stock.Frozen), true
	case spec.OpensAt != 0 && at.Now < spec.OpensAt:
		return refuseWith(stock.NotStarted, stock.Detail{OpensAt: spec.OpensAt}), true
	case spec.ClosesAt != 0 && at.Now >= spec.ClosesAt:
		return refuseWith(stock.Ended, stock.Detail{ClosesAt: spec.ClosesAt}), true
	case c.Qty > spec.MaxQty:
		return refuseWith(stock.QtyAboveMax, stock.Detail{MaxQty: spec.MaxQty}), true
	}
	no, refused = o.blocked(s, c)
	for n := int64(0); refused && n < o.settings.ExpiryBatch && s.releaseNext(at); n++ {
		no, refused = o.blocked(s, c)
	}
	return no, refused
}

// blocked judges a Place by what due orders may stand in the way of: the bound on open orders, the limit, the stock.
func (o *Oracle) blocked(s *sku, c *stock.Place) (no stock.Outcome, refused bool) {
	limit, used := s.row.LimitPerUser, s.used(c.User)
	switch {
	case s.row.Mode != stock.ModeOnOrder && s.waiting() >= o.settings.MaxOpenOrders:
		return refuseWith(stock.Overloaded, stock.Detail{Bound: "max_open_orders_per_sku"}), true
	case limit > 0 && c.Qty > limit-used:
		return refuseWith(stock.LimitExceeded, stock.Detail{Limit: limit, Used: used}), true
	case s.row.Available < c.Qty:
		return s.short(), true
	case c.Qty > math.MaxInt64-used:
		return overflow("qty"), true
	}
	return stock.Outcome{}, false
}

func overflow(field string) stock.Outcome {
	return refuseWith(stock.InvalidValue, stock.Detail{Field: field, Reason: "overflows a counter"})
}

func (s *sku) accept(epoch uint16, at stock.Position, c *stock.Place) stock.Outcome {
	order := stock.Order{
		SKU: c.SKU, User: c.User, Caller: c.Caller, Key: c.Key, ClientRef: c.ClientRef, Qty: c.Qty,
		Mode: s.row.Mode, CreatedAt: at.Now, UpdatedAt: at.Now, Version: at.Index,
	}
	switch order.Mode {
	case stock.ModeHold:
		order.State, order.ExpiresAt = stock.StateHeld, at.Now.Add(s.row.HoldTTLMS)
		s.row.Available -= c.Qty
		s.row.Held += c.Qty
		s.touch(at)
	case stock.ModeOnOrder:
		order.State, order.ConfirmedAt = stock.StateConfirmed, at.Now
		s.row.Available -= c.Qty
		s.row.Sold += c.Qty
		s.touch(at)
	case stock.ModeOnPayment:
		order.State, order.ExpiresAt = stock.StateOpen, at.Now.Add(s.row.HoldTTLMS)
	}
	return s.add(epoch, order, false).answer()
}

func (o *Oracle) fence(at stock.Position, c *stock.Fence) stock.Outcome {
	s, no := o.find(c.SKU)
	if s == nil {
		return no
	}
	if r := s.byKey(scopeOf(&c.Meta)); r != nil {
		if r.fence {
			return refuse(stock.OutcomeFenced)
		}
		return firstGiven(r)
	}
	switch {
	case late(&c.Meta, at.Now):
		return refuse(stock.DeadlineExceeded)
	case s.row.Broken:
		return refuse(stock.Frozen)
	}
	s.add(o.epoch, stock.Order{Caller: c.Caller, Key: c.Key, UpdatedAt: at.Now, Version: at.Index}, true)
	return stock.Outcome{Code: stock.OutcomeFenced}
}
