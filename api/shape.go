package api

import (
	"strconv"

	"holdfast/stock"
)

// kind is what a member of a body may hold.
type kind uint8

const (
	// aText is a text of low to high bytes.
	aText kind = iota + 1
	// aSKU and aKey are texts that name a SKU and an idempotency key.
	aSKU
	aKey
	// anInteger is a plain integer of low to high.
	anInteger
	aBoolean
	aMode
	aMoment
	// aList holds orders.
	aList
)

// member is one member of a body: what its decoder takes and what the document says (openapi_schemas.go) are both read from here.
type member struct {
	name string
	kind kind
	// low and high bound an integer, or a text's bytes; nonzero leaves out 0.
	low, high int64
	nonzero   bool
	required  bool
	// nullable: null is taken too.
	nullable bool
	// fixed: known, and refused with invalid_value because it cannot be changed.
	fixed bool
	// byDefault is what a body without it means; nil: no value.
	byDefault any
	about     string
	// bounds is the reason of a value out of low and high.
	bounds string
}

// shape is what one body may hold: an object of these members, each at most once, and no others.
type shape struct {
	name    string
	members []member
	// names are those of the members, and required is the set of those that must be there.
	names    []string
	required fields
}

func newShape(name string, members ...member) *shape {
	sh := &shape{name: name, members: members}
	for i := range members {
		m := &members[i]
		m.bounds = "must be " + strconv.FormatInt(m.low, 10) + " to " + strconv.FormatInt(m.high, 10)
		if m.nonzero {
			m.bounds += " and not 0"
		}
		sh.names = append(sh.names, m.name)
		if m.required {
			sh.required |= 1 << i
		}
	}
	return sh
}

// The members that several bodies have.
var (
	skuMember    = member{name: "sku", kind: aSKU, low: 1, high: stock.MaxNameBytes, required: true, about: "The SKU's name."}
	userMember   = member{name: "user", kind: aText, low: 1, high: stock.MaxNameBytes, required: true, about: "Who buys; limits count by it."}
	qtyMember    = member{name: "qty", kind: anInteger, low: 1, high: maxInt64, byDefault: int64(1), about: "Units."}
	refMember    = member{name: "client_ref", kind: aText, high: stock.MaxClientRefBytes, about: "Your own name for the order; shown with it."}
	reasonMember = member{name: "reason", kind: aText, high: stock.MaxReasonBytes, about: "Why, for the log."}
	ttlMember    = member{name: "hold_ttl_ms", kind: anInteger, low: 1, high: stock.MaxHoldTTLMS, byDefault: int64(stock.DefaultHoldTTLMS),
		about: "How long an order waits for its payment, in milliseconds."}
	limitPerUser = member{name: "limit_per_user", kind: anInteger, high: stock.MaxStock, byDefault: int64(0),
		about: "Units in a user's open, held and confirmed orders; 0: no limit."}
	maxQty = member{name: "max_qty", kind: anInteger, low: 1, high: stock.MaxStock, byDefault: int64(1), about: "Units in one order."}
	opens  = member{name: "opens_at", kind: aMoment, nullable: true,
		about: "Orders are placed from then on; null: always. Given both, it lies before closes_at."}
	closes = member{name: "closes_at", kind: aMoment, nullable: true, about: "From then on no order is placed; null: never."}
	hot    = member{name: "hot", kind: aBoolean, byDefault: false, about: "Gives the SKU an actor of its own."}
)

// The bodies.
var (
	orderShape     = newShape("PlaceOrder", skuMember, userMember, qtyMember, refMember)
	batchItemShape = newShape("BatchItem", skuMember, userMember, qtyMember, refMember,
		member{name: "key", kind: aKey, low: 1, high: stock.MaxKeyBytes, required: true, about: "The order's idempotency key."})
	batchShape   = newShape("PlaceBatch", member{name: "orders", kind: aList, required: true, about: "Independent of each other, and of any SKU."})
	confirmShape = newShape("ConfirmOrder",
		member{name: "payment_id", kind: aText, low: 1, high: stock.MaxNameBytes, required: true, about: "Names the payment; it may pay several orders."})
	cancelShape = newShape("CancelOrder", reasonMember)
	returnShape = newShape("ReturnOrder",
		member{name: "qty", kind: anInteger, low: 1, high: maxInt64, about: "Units; without it all that is left."},
		member{name: "restock", kind: aBoolean, byDefault: true, about: "Whether the units become available; else they leave the stock."})
	nothingShape = newShape("Nothing")
	createShape  = newShape("CreateSku",
		member{name: "stock", kind: anInteger, high: stock.MaxStock, required: true, about: "Units to sell."},
		member{name: "mode", kind: aMode, byDefault: stock.ModeHold.String(), about: "When an order takes stock."},
		ttlMember, limitPerUser, maxQty, opens, closes, hot)
	updateShape = newShape("UpdateSku", patched(ttlMember), patched(limitPerUser), patched(maxQty), patched(opens), patched(closes), patched(hot),
		member{name: "stock", fixed: true}, member{name: "mode", fixed: true}, member{name: "sku", fixed: true})
	adjustShape = newShape("AdjustSku",
		member{name: "delta", kind: anInteger, low: -stock.MaxStock, high: stock.MaxStock, nonzero: true, required: true,
			about: "Units to add; a negative number takes available ones away."},
		needed(reasonMember))
	// shapes are all of them.
	shapes = []*shape{orderShape, batchItemShape, batchShape, confirmShape, cancelShape, returnShape, nothingShape, createShape, updateShape,
		adjustShape, addNodeShape, transferShape, rebuildShape, settingsShape}
)

// patched is a member in a patch: null leaves it as it is, or clears a time, and so does its absence.
func patched(m member) member {
	m.nullable, m.byDefault = true, nil
	return m
}

func needed(m member) member {
	m.required = true
	return m
}

// missing is the problem of the first required member that is not there.
func (sh *shape) missing(seen fields) *problem {
	if sh.required&^seen == 0 {
		return nil
	}
	for i, name := range sh.names {
		if sh.required.has(i) && !seen.has(i) {
			return fieldProblem(missingField, name, "")
		}
	}
	return nil
}

// refuses returns why a text cannot be the member's, or "".
func (m *member) refuses(s string) string {
	switch m.kind {
	case aSKU:
		return stock.CheckSKU(s)
	case aKey:
		return stock.CheckKey(s)
	}
	return stock.CheckText(s, int(m.low), int(m.high))
}

// admits reports whether an integer is within the member's bounds.
func (m *member) admits(n int64) bool {
	return n >= m.low && n <= m.high && (n != 0 || !m.nonzero)
}

// integer reads the member's value.
func (m *member) integer(s *scanner) (int64, *problem) {
	n, fits, p := s.integer(m.name)
	if p == nil && (!fits || !m.admits(n)) {
		p = invalid(m.name, m.bounds)
	}
	return n, p
}

// text reads the member's value; its bounds are looked at when the whole body has been read (checked).
func (m *member) text(s *scanner) (string, *problem) { return s.text(m.name) }

// checked is the problem of a text that is not one for the member.
func (m *member) checked(s string) *problem {
	if reason := m.refuses(s); reason != "" {
		return invalid(m.name, reason)
	}
	return nil
}
