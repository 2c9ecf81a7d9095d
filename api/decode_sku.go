package api

import "holdfast/stock"

// decodeCreate reads the body of PUT /v1/skus/{sku} and fills in the defaults.
func decodeCreate(b []byte, sku string) (spec stock.Spec, p *problem) {
	spec = stock.Spec{SKU: sku, Mode: stock.ModeHold, HoldTTLMS: stock.DefaultHoldTTLMS, MaxQty: 1}
	p = decodeObject(b, createShape, func(s *scanner, m *member) (p *problem) {
		switch m.name {
		case "stock":
			spec.Stock, p = m.integer(s)
		case "mode":
			spec.Mode, p = mode(s)
		case "hold_ttl_ms":
			spec.HoldTTLMS, p = m.integer(s)
		case "limit_per_user":
			spec.LimitPerUser, p = m.integer(s)
		case "max_qty":
			spec.MaxQty, p = m.integer(s)
		case "opens_at":
			spec.OpensAt, p = optionalMoment(s, m.name)
		case "closes_at":
			spec.ClosesAt, p = optionalMoment(s, m.name)
		case "hot":
			spec.Hot, p = s.boolean(m.name)
		}
		return p
	})
	if p == nil {
		if field, reason := spec.Check(); field != "" {
			p = invalid(field, reason)
		}
	}
	return spec, p
}

// decodeUpdate reads the body of PATCH /v1/skus/{sku}, a JSON merge patch: null clears a time and leaves anything else as it is.
func decodeUpdate(b []byte) (patch stock.Patch, p *problem) {
	p = decodeObject(b, updateShape, func(s *scanner, m *member) *problem {
		switch {
		case m.fixed:
			return invalid(m.name, "cannot be changed")
		case m.kind == aMoment:
			t, p := optionalMoment(s, m.name)
			if m.name == "opens_at" {
				patch.OpensAt = &t
			} else {
				patch.ClosesAt = &t
			}
			return p
		case s.null():
			return nil
		case m.kind == aBoolean:
			hot, p := s.boolean(m.name)
			patch.Hot = &hot
			return p
		}
		n, p := m.integer(s)
		switch m.name {
		case "hold_ttl_ms":
			patch.HoldTTLMS = &n
		case "limit_per_user":
			patch.LimitPerUser = &n
		case "max_qty":
			patch.MaxQty = &n
		}
		return p
	})
	if p == nil {
		p = checkPatch(&patch)
	}
	return patch, p
}

// checkPatch checks what can be seen without the SKU, by the rules of a whole spec; opens_at against the other's stored time is the core's.
func checkPatch(patch *stock.Patch) *problem {
	spec := stock.Spec{SKU: "x", Mode: stock.ModeHold, HoldTTLMS: 1, MaxQty: 1}
	set := func(to, from *int64) {
		if from != nil {
			*to = *from
		}
	}
	set(&spec.HoldTTLMS, patch.HoldTTLMS)
	set(&spec.LimitPerUser, patch.LimitPerUser)
	set(&spec.MaxQty, patch.MaxQty)
	if patch.OpensAt != nil && patch.ClosesAt != nil {
		spec.OpensAt, spec.ClosesAt = *patch.OpensAt, *patch.ClosesAt
	}
	if field, reason := spec.Check(); field != "" {
		return invalid(field, reason)
	}
	return nil
}

// decodeAdjust reads the body of an adjustment.
func decodeAdjust(b []byte) (delta int64, reason string, p *problem) {
	p = decodeObject(b, adjustShape, func(s *scanner, m *member) (p *problem) {
		switch m.name {
		case "delta":
			delta, p = m.integer(s)
		case "reason":
			reason, p = m.text(s)
		}
		return p
	})
	if p == nil {
		p = adjustShape.members[1].checked(reason)
	}
	return delta, reason, p
}

func mode(s *scanner) (stock.Mode, *problem) {
	text, p := s.text("mode")
	if p != nil {
		return 0, p
	}
	m, ok := stock.ParseMode(text)
	if !ok {
		return 0, invalid("mode", "must be hold, on_order or on_payment")
	}
	return m, nil
}

// optionalMoment reads a time, or null for none.
func optionalMoment(s *scanner, field string) (stock.Time, *problem) {
	if s.null() {
		return 0, nil
	}
	return moment(s, field)
}
