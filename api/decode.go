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

var (
	orderNames    = []string{"sku", "user", "qty", "client_ref", "key"}
	batchNames    = []string{"orders"}
	confirmNames  = []string{"payment_id"}
	cancelNames   = []string{"reason"}
	returnNames   = []string{"qty", "restock"}
	oneOrderNames = orderNames[:4]
)

// decodeOrder reads the body of POST /v1/orders.
func decodeOrder(b []byte, o *orderBody) *problem {
	s, p := newScanner(b)
	if p != nil {
		return p
	}
	if p := o.scan(&s, oneOrderNames); p != nil {
		return p
	}
	if p := s.end(); p != nil {
		return p
	}
	return o.bad
}

// scan reads one order object. Its problem is a wrong shape; a value out of range goes to o.bad.
func (o *orderBody) scan(s *scanner, names []string) *problem {
	o.qty = 1
	seen, p := s.object(names, func(i int) (p *problem) {
		switch i {
		case 0:
			o.sku, p = s.text("sku")
		case 1:
			o.user, p = s.text("user")
		case 2:
			var fits bool
			if o.qty, fits, p = s.integer("qty"); p == nil && (!fits || o.qty < 1) {
				o.bad = invalid("qty", "must be 1 to 9223372036854775807")
			}
		case 3:
			o.clientRef, p = s.text("client_ref")
		case 4:
			o.key, p = s.text("key")
		}
		return p
	})
	if p != nil {
		return p
	}
	if p := missing(seen, names, 0, 1); p != nil {
		return p
	}
	if len(names) > 4 {
		if p := missing(seen, names, 4); p != nil {
			return p
		}
		o.check("key", codeOfKey, stock.CheckKey(o.key))
	}
	o.check("sku", stock.InvalidValue, stock.CheckSKU(o.sku))
	o.check("user", stock.InvalidValue, stock.CheckText(o.user, 1, stock.MaxNameBytes))
	o.check("client_ref", stock.InvalidValue, stock.CheckText(o.clientRef, 0, stock.MaxClientRefBytes))
	return nil
}

func (o *orderBody) check(field string, code stock.Code, reason string) {
	if reason != "" && o.bad == nil {
		o.bad = fieldProblem(code, field, reason)
	}
}

// decodeBatch reads the body of POST /v1/orders:batch.
func decodeBatch(b []byte, maxItems int) ([]orderBody, *problem) {
	s, p := newScanner(b)
	if p != nil {
		return nil, p
	}
	var items []orderBody
	seen, p := s.object(batchNames, func(int) *problem {
		return s.array("orders", func() *problem {
			if len(items) == maxItems {
				return &problem{code: batchTooLarge, detail: &stock.Detail{Limit: int64(maxItems)}}
			}
			items = append(items, orderBody{})
			p := items[len(items)-1].scan(&s, orderNames)
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
		p = missing(seen, batchNames, 0)
	}
	if p == nil && len(items) == 0 {
		p = invalid("orders", "must not be empty")
	}
	return items, p
}

// decodeConfirm reads the body of confirm.
func decodeConfirm(b []byte) (paymentID string, p *problem) {
	seen, p := decodeObject(b, confirmNames, func(s *scanner, _ int) (p *problem) {
		paymentID, p = s.text("payment_id")
		return p
	})
	if p == nil {
		p = missing(seen, confirmNames, 0)
	}
	if p == nil {
		p = checked("payment_id", stock.CheckText(paymentID, 1, stock.MaxNameBytes))
	}
	return paymentID, p
}

// decodeCancel reads the body of cancel.
func decodeCancel(b []byte) (reason string, p *problem) {
	_, p = decodeObject(b, cancelNames, func(s *scanner, _ int) (p *problem) {
		reason, p = s.text("reason")
		return p
	})
	if p == nil {
		p = checked("reason", stock.CheckText(reason, 0, stock.MaxReasonBytes))
	}
	return reason, p
}

// decodeReturn reads the body of return. Qty 0 means all that is left.
func decodeReturn(b []byte) (qty int64, restock bool, p *problem) {
	restock = true
	_, p = decodeObject(b, returnNames, func(s *scanner, i int) (p *problem) {
		if i == 1 {
			restock, p = s.boolean("restock")
			return p
		}
		qty, p = integerIn(s, "qty", 1, maxInt64, "must be 1 to 9223372036854775807")
		return p
	})
	return qty, restock, p
}

// decodeNothing reads a body that holds no member.
func decodeNothing(b []byte) *problem {
	_, p := decodeObject(b, nil, func(*scanner, int) *problem { return nil })
	return p
}

const maxInt64 = 1<<63 - 1

// decodeObject reads a body that is one object.
func decodeObject(b []byte, names []string, value func(s *scanner, i int) *problem) (fields, *problem) {
	s, p := newScanner(b)
	if p != nil {
		return 0, p
	}
	seen, p := s.object(names, func(i int) *problem { return value(&s, i) })
	if p == nil {
		p = s.end()
	}
	return seen, p
}

// missing is the problem of the first of the wanted fields that is not there.
func missing(seen fields, names []string, wanted ...int) *problem {
	for _, i := range wanted {
		if !seen.has(i) {
			return fieldProblem(missingField, names[i], "")
		}
	}
	return nil
}

// checked is the problem of a field that was found wrong for a reason.
func checked(field, reason string) *problem {
	if reason == "" {
		return nil
	}
	return invalid(field, reason)
}

func integerIn(s *scanner, field string, low, high int64, reason string) (int64, *problem) {
	n, fits, p := s.integer(field)
	if p == nil && (!fits || n < low || n > high) {
		p = invalid(field, reason)
	}
	return n, p
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
	if rest != "Z" && len(rest) != len("+00:00") {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UnixMilli() <= 0 {
		return 0, false
	}
	return stock.TimeOf(t), true
}
