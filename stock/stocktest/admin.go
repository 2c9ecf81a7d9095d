package stocktest

import "holdfast/stock"

// once runs an administrative command unless its node-made key was seen before its deadline; then the outcome is given again (rule R5).
func once(done map[scope]memory, at stock.Position, m *stock.Meta, run func() stock.Outcome) stock.Outcome {
	if seen, ok := done[scopeOf(m)]; ok && seen.holds(at.Now) {
		return seen.again()
	}
	if late(m, at.Now) {
		return refuse(stock.DeadlineExceeded)
	}
	outcome := run()
	if m.Deadline != 0 {
		done[scopeOf(m)] = remember(outcome, m.Deadline)
	}
	return outcome
}

func (o *Oracle) setSettings(at stock.Position, c *stock.SetSettings) stock.Outcome {
	return once(o.done, at, &c.Meta, func() stock.Outcome {
		o.settings = c.Settings
		return stock.Outcome{Code: stock.OK}
	})
}

func (o *Oracle) create(at stock.Position, c *stock.Create) stock.Outcome {
	s, no := o.find(c.Spec.SKU)
	if s != nil {
		return once(s.done, at, &c.Meta, func() stock.Outcome { return s.createAgain(&c.Spec) })
	}
	if no.Code != stock.SKUNotFound {
		return no
	}
	s = &sku{
		asked: c.Spec, gone: map[string]int64{}, refused: map[scope]memory{}, done: map[scope]memory{},
		row: stock.SKU{Spec: c.Spec, Number: uint32(len(o.skus) + 1), Available: c.Spec.Stock, Version: at.Index},
	}
	return once(s.done, at, &c.Meta, func() stock.Outcome {
		o.skus = append(o.skus, s)
		return s.answer()
	})
}

// createAgain compares with the creation request, whatever the SKU has become since.
func (s *sku) createAgain(spec *stock.Spec) stock.Outcome {
	was := &s.asked
	var differs []string
	for _, field := range []struct {
		name string
		same bool
	}{
		{"stock", spec.Stock == was.Stock},
		{"mode", spec.Mode == was.Mode},
		{"hold_ttl_ms", spec.HoldTTLMS == was.HoldTTLMS},
		{"limit_per_user", spec.LimitPerUser == was.LimitPerUser},
		{"max_qty", spec.MaxQty == was.MaxQty},
		{"opens_at", spec.OpensAt == was.OpensAt},
		{"closes_at", spec.ClosesAt == was.ClosesAt},
		{"hot", spec.Hot == was.Hot},
	} {
		if !field.same {
			differs = append(differs, field.name)
		}
	}
	if differs != nil {
		return refuseWith(stock.SKUExists, stock.Detail{Differs: differs})
	}
	again := s.answer()
	again.Replayed = true
	return again
}

func (o *Oracle) update(at stock.Position, c *stock.Update) stock.Outcome {
	s, no := o.find(c.SKU)
	if s == nil {
		return no
	}
	return once(s.done, at, &c.Meta, func() stock.Outcome {
		if s.row.Broken {
			return refuse(stock.Frozen)
		}
		spec := s.row.Spec
		set(&spec.HoldTTLMS, c.Patch.HoldTTLMS)
		set(&spec.LimitPerUser, c.Patch.LimitPerUser)
		set(&spec.MaxQty, c.Patch.MaxQty)
		set(&spec.OpensAt, c.Patch.OpensAt)
		set(&spec.ClosesAt, c.Patch.ClosesAt)
		set(&spec.Hot, c.Patch.Hot)
		if spec.OpensAt != 0 && spec.ClosesAt != 0 && spec.OpensAt >= spec.ClosesAt {
			return refuseWith(stock.InvalidValue, stock.Detail{Field: "closes_at", Reason: "must be after opens_at"})
		}
		s.row.Spec = spec
		s.touch(at)
		return s.answer()
	})
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func (o *Oracle) freeze(at stock.Position, c *stock.Freeze) stock.Outcome {
	s, no := o.find(c.SKU)
	if s == nil {
		return no
	}
	return once(s.done, at, &c.Meta, func() stock.Outcome {
		if s.row.Broken {
			return refuse(stock.Frozen)
		}
		s.row.Frozen = c.Frozen
		s.touch(at)
		return s.answer()
	})
}

func (o *Oracle) adjust(at stock.Position, c *stock.Adjust) stock.Outcome {
	s, no := o.find(c.SKU)
	if s == nil {
		return no
	}
	for i := range s.adjusted {
		if scopeOf(&s.adjusted[i].ask.Meta) == scopeOf(&c.Meta) {
			return s.adjusted[i].replay(c)
		}
	}
	switch {
	case late(&c.Meta, at.Now):
		return refuse(stock.DeadlineExceeded)
	case s.row.Broken:
		return refuse(stock.Frozen)
	case c.Delta > stock.MaxStock-s.row.Stock:
		return overflow("delta")
	}
	o.releaseFor(s, at, c.Delta)
	if s.row.Available+c.Delta < 0 {
		return refuseWith(stock.InsufficientStock, stock.Detail{Available: s.row.Available})
	}
	s.row.Available += c.Delta
	s.row.Stock += c.Delta
	s.touch(at)
	s.adjusted = append(s.adjusted, adjustment{*c, at.Now, s.row})
	return s.answer()
}

// releaseFor releases due holds while a negative delta finds too little available. Open orders hold nothing that could help.
func (o *Oracle) releaseFor(s *sku, at stock.Position, delta int64) {
	for range o.settings.ExpiryBatch {
		if s.row.Mode != stock.ModeHold || s.row.Available+delta >= 0 || !s.releaseNext(at) {
			return
		}
	}
}

func (a *adjustment) replay(c *stock.Adjust) stock.Outcome {
	var differs []string
	if c.Delta != a.ask.Delta {
		differs = append(differs, "delta")
	}
	if c.Reason != a.ask.Reason {
		differs = append(differs, "reason")
	}
	if differs != nil {
		return refuseWith(stock.IdempotencyKeyReused, stock.Detail{Differs: differs})
	}
	row := a.sku
	return stock.Outcome{Code: stock.OK, Replayed: true, SKU: &row}
}
