package api

import "holdfast/stock"

var (
	createNames = []string{"stock", "mode", "hold_ttl_ms", "limit_per_user", "max_qty", "opens_at", "closes_at", "hot"}
	updateNames = []string{"hold_ttl_ms", "limit_per_user", "max_qty", "opens_at", "closes_at", "hot", "stock", "mode", "sku"}
	adjustNames = []string{"delta", "reason"}
)

// decodeCreate reads the body of PUT /v1/skus/{sku} and fills in the defaults.
func decodeCreate(b []byte, sku string) (spec stock.Spec, p *problem) {
	spec = stock.Spec{SKU: sku, Mode: stock.ModeHold, HoldTTLMS: stock.DefaultHoldTTLMS, MaxQty: 1}
	seen, p := decodeObject(b, createNames, func(s *scanner, i int) (p *problem) {
		switch createNames[i] {
		case "stock":
			spec.Stock, p = count(s, "stock")
		case "mode":
			spec.Mode, p = mode(s)
		case "hold_ttl_ms":
			spec.HoldTTLMS, p = count(s, "hold_ttl_ms")
		case "limit_per_user":
			spec.LimitPerUser, p = count(s, "limit_per_user")
		case "max_qty":
			spec.MaxQty, p = count(s, "max_qty")
		case "opens_at":
			spec.OpensAt, p = optionalMoment(s, "opens_at")
		case "closes_at":
			spec.ClosesAt, p = optionalMoment(s, "closes_at")
		case "hot":
			spec.Hot, p = s.boolean("hot")
		}
		return p
	})
	if p == nil {
		p = missing(seen, createNames, 0)
	}
	if p == nil {
		if field, reason := spec.Check(); field != "" {
			p = invalid(field, reason)
		}
	}
	return spec, p
}

// decodeUpdate reads the body of PATCH /v1/skus/{sku}, a JSON merge patch: null clears a time and leaves anything else as it is.
func decodeUpdate(b []byte) (patch stock.Patch, p *problem) {
	_, p = decodeObject(b, updateNames, func(s *scanner, i int) *problem {
		name := updateNames[i]
		switch name {
		case "stock", "mode", "sku":
			return invalid(name, "cannot be changed")
		case "opens_at":
			t, p := optionalMoment(s, name)
			patch.OpensAt = &t
			return p
		case "closes_at":
			t, p := optionalMoment(s, name)
			patch.ClosesAt = &t
			return p
		}
		if s.null() {
			return nil
		}
		if name == "hot" {
			hot, p := s.boolean(name)
			patch.Hot = &hot
			return p
		}
		n, p := count(s, name)
		switch name {
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
	seen, p := decodeObject(b, adjustNames, func(s *scanner, i int) (p *problem) {
		if i == 1 {
			reason, p = s.text("reason")
			return p
		}
		const bounds = "must be -9007199254740991 to 9007199254740991 and not 0"
		if delta, p = integerIn(s, "delta", -stock.MaxStock, stock.MaxStock, bounds); p == nil && delta == 0 {
			p = invalid("delta", bounds)
		}
		return p
	})
	if p == nil {
		p = missing(seen, adjustNames, 0, 1)
	}
	if p == nil {
		p = checked("reason", stock.CheckText(reason, 0, stock.MaxReasonBytes))
	}
	return delta, reason, p
}

// count reads a number that is never negative and that every JSON reader holds exactly.
func count(s *scanner, field string) (int64, *problem) {
	return integerIn(s, field, 0, max(stock.MaxStock, stock.MaxHoldTTLMS), "must be 0 to 9007199254740991")
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
