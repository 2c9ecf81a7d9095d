package api

import (
	"strconv"
	"time"

	"holdfast/stock"
)

// orderBody is one order as it was asked for.
type orderBody struct {
	key, sku, user, clientRef string
	qty                       int64
	// bad is the first value out of range: the order's own fault, while a body of another shape is the whole call's.
	bad *problem
}

// decodeOrder reads the body of POST /v1/orders.
func decodeOrder(b []byte, o *orderBody) *problem {
	s, p := newScanner(b)
	if p != nil {
		return p
	}
	if p := o.scan(&s, orderShape); p != nil {
		return p
	}
	if p := s.end(); p != nil {
		return p
	}
	return o.bad
}

// scan reads one order object. Its problem is a wrong shape; a value out of range goes to o.bad. The cases are the members' places in both shapes.
func (o *orderBody) scan(s *scanner, sh *shape) *problem {
	o.qty = 1
	seen, p := s.object(sh.names, func(i int) (p *problem) {
		switch m := &sh.members[i]; i {
		case 0:
			o.sku, p = m.text(s)
		case 1:
			o.user, p = m.text(s)
		case 2:
			var fits bool
			if o.qty, fits, p = s.integer(m.name); p == nil && (!fits || !m.admits(o.qty)) {
				o.bad = invalid(m.name, m.bounds)
			}
		case 3:
			o.clientRef, p = m.text(s)
		case 4:
			o.key, p = m.text(s)
		}
		return p
	})
	if p == nil {
		p = sh.missing(seen)
	}
	if p != nil {
		return p
	}
	if sh == batchItemShape {
		o.check(&sh.members[4], codeOfKey, o.key)
	}
	o.check(&sh.members[0], stock.InvalidValue, o.sku)
	o.check(&sh.members[1], stock.InvalidValue, o.user)
	o.check(&sh.members[3], stock.InvalidValue, o.clientRef)
	return nil
}

func (o *orderBody) check(m *member, code stock.Code, text string) {
	if o.bad != nil {
		return
	}
	if reason := m.refuses(text); reason != "" {
		o.bad = fieldProblem(code, m.name, reason)
	}
}

// decodeBatch reads the body of POST /v1/orders:batch.
func decodeBatch(b []byte, maxItems int) ([]orderBody, *problem) {
	s, p := newScanner(b)
	if p != nil {
		return nil, p
	}
	var items []orderBody
	seen, p := s.object(batchShape.names, func(int) *problem {
		return s.array("orders", func() *problem {
			if len(items) == maxItems {
				return &problem{code: batchTooLarge, detail: &stock.Detail{Limit: int64(maxItems)}}
			}
			items = append(items, orderBody{})
			p := items[len(items)-1].scan(&s, batchItemShape)
			if p != nil {
				p = within("orders["+strconv.Itoa(len(items)-1)+"]", p)
			}
			return p
		})
	})
	if p == nil {
		p = s.end()
	}
	if p == nil {
		p = batchShape.missing(seen)
	}
	if p == nil && len(items) == 0 {
		p = invalid("orders", "must not be empty")
	}
	return items, p
}

// decodeConfirm reads the body of confirm.
func decodeConfirm(b []byte) (paymentID string, p *problem) {
	p = decodeObject(b, confirmShape, func(s *scanner, m *member) (p *problem) {
		paymentID, p = m.text(s)
		return p
	})
	if p == nil {
		p = confirmShape.members[0].checked(paymentID)
	}
	return paymentID, p
}

// decodeCancel reads the body of cancel.
func decodeCancel(b []byte) (reason string, p *problem) {
	p = decodeObject(b, cancelShape, func(s *scanner, m *member) (p *problem) {
		reason, p = m.text(s)
		return p
	})
	if p == nil {
		p = cancelShape.members[0].checked(reason)
	}
	return reason, p
}

// decodeReturn reads the body of return. Qty 0 means all that is left.
func decodeReturn(b []byte) (qty int64, restock bool, p *problem) {
	restock = true
	p = decodeObject(b, returnShape, func(s *scanner, m *member) (p *problem) {
		switch m.name {
		case "qty":
			qty, p = m.integer(s)
		case "restock":
			restock, p = s.boolean(m.name)
		}
		return p
	})
	return qty, restock, p
}

// decodeNothing reads a body that holds no member.
func decodeNothing(b []byte) *problem {
	return decodeObject(b, nothingShape, func(*scanner, *member) *problem { return nil })
}

const maxInt64 = 1<<63 - 1

// decodeObject reads a body that is one object of a shape; value reads the value of a member.
func decodeObject(b []byte, sh *shape, value func(s *scanner, m *member) *problem) *problem {
	s, p := newScanner(b)
	if p != nil {
		return p
	}
	seen, p := s.object(sh.names, func(i int) *problem { return value(&s, &sh.members[i]) })
	if p == nil {
		p = s.end()
	}
	if p == nil {
		p = sh.missing(seen)
	}
	return p
}

// moment reads a time: RFC 3339, any offset, at most milliseconds, after 1970 because zero means none.
func moment(s *scanner, field string) (stock.Time, *problem) {
	text, p := s.text(field)
	if p != nil {
		return 0, p
	}
	t, ok := parseTime(text)
	if !ok {
		return 0, invalid(field, "must be an RFC 3339 time with at most milliseconds, after 1970")
	}
	return t, nil
}

func parseTime(text string) (stock.Time, bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(text) <= seconds || text[10] != 'T' {
		return 0, false
	}
	rest := text[seconds:]
	if rest[0] == '.' {
		digits := 1
		for digits < len(rest) && rest[digits]-'0' <= 9 {
			digits++
		}
		if digits < 2 || digits > 4 {
			return 0, false
		}
		rest = rest[digits:]
	}
	// Package time lets an offset end with :60, and take 24 hours; it also takes a fraction after a comma, and one digit for the hour.
	if rest != "Z" && (len(rest) != len("+00:00") || rest[0] != '+' && rest[0] != '-' || rest[1:] > "23:59" || rest[4:] > "59") {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UnixMilli() <= 0 {
		return 0, false
	}
	return stock.TimeOf(t), true
}
