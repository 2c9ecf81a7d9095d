package api

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"holdfast/stock"
)

// naive reads bodies by the words of docs/api.md and nothing of the scanner's: the grammar by regular expressions, strings by encoding/json,
// numbers by math/big. It is slow and short. It stops at the first thing that is wrong, reading from left to right; values of texts are judged when all
// is read.
type naive struct{ rest []byte }

// verdict is what is wrong with a body; nil: nothing.
type verdict struct{ code, field string }

var (
	refSpace   = regexp.MustCompile(`^[ \t\r\n]*`)
	refString  = regexp.MustCompile(`^"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"`)
	refInteger = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)`)
	refLiteral = regexp.MustCompile(`^(?:null|true|false)`)
	refTime    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$`)
	refPair    = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	refLone    = regexp.MustCompile(`^(?:[^\\]|\\[^u]|\\u[^dD]|\\u[dD][0-7])*\\u[dD][89a-fA-F]`)
)

func refMalformed() *verdict { return &verdict{"malformed_json", ""} }

func refInvalid(field string) *verdict { return &verdict{"invalid_value", field} }

// space steps over space and returns the next byte, 0 at the end.
func (r *naive) space() byte {
	r.rest = r.rest[len(refSpace.Find(r.rest)):]
	if len(r.rest) == 0 {
		return 0
	}
	return r.rest[0]
}

// take steps over a byte when it comes next, behind any space.
func (r *naive) take(c byte) bool {
	if r.space() != c || len(r.rest) == 0 {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// otherwise judges a value that is not of its member's type: what begins like a value of another type is one.
func (r *naive) otherwise(field string) *verdict {
	if len(r.rest) > 0 && bytes.IndexByte([]byte(`"{[-0123456789`), r.rest[0]) >= 0 || refLiteral.Match(r.rest) {
		return refInvalid(field)
	}
	return refMalformed()
}

// text reads a string. One with half of a surrogate pair becomes something that is not UTF-8.
func (r *naive) text(field string) (string, *verdict) {
	if r.space() != '"' {
		return "", r.otherwise(field)
	}
	found := refString.Find(r.rest)
	if found == nil {
		return "", refMalformed()
	}
	r.rest = r.rest[len(found):]
	var s string
	if err := json.Unmarshal(found, &s); err != nil {
		panic(err)
	}
	if refLone.Match(refPair.ReplaceAll(escapedApart(found), nil)) {
		s += "\xFF"
	}
	return s, nil
}

// escapedApart takes out escaped backslashes, so that what follows one is not taken for an escape.
func escapedApart(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`\\`), []byte("__")) }

func (r *naive) integer(field string) (*big.Int, *verdict) {
	c := r.space()
	found := refInteger.Find(r.rest)
	switch {
	case found == nil && c == '-':
		return nil, refMalformed()
	case found == nil:
		return nil, r.otherwise(field)
	}
	r.rest = r.rest[len(found):]
	if len(r.rest) > 0 {
		switch next := r.rest[0]; {
		case next >= '0' && next <= '9':
			return nil, refMalformed()
		case next == '.' || next == 'e' || next == 'E':
			return nil, refInvalid(field)
		}
	}
	n, _ := new(big.Int).SetString(string(found), 10)
	return n, nil
}

func (r *naive) within(field string, low, high int64) (int64, *verdict) {
	n, v := r.integer(field)
	if v == nil && (n.Cmp(big.NewInt(low)) < 0 || n.Cmp(big.NewInt(high)) > 0) {
		v = refInvalid(field)
	}
	if v != nil {
		return 0, v
	}
	return n.Int64(), nil
}

func (r *naive) boolean(field string) (bool, *verdict) {
	r.space()
	for _, word := range []string{"true", "false"} {
		if bytes.HasPrefix(r.rest, []byte(word)) {
			r.rest = r.rest[len(word):]
			return word == "true", nil
		}
	}
	return false, r.otherwise(field)
}

func (r *naive) null() bool {
	r.space()
	if !bytes.HasPrefix(r.rest, []byte("null")) {
		return false
	}
	r.rest = r.rest[4:]
	return true
}

func (r *naive) moment(field string) (stock.Time, *verdict) {
	if r.null() {
		return 0, nil
	}
	text, v := r.text(field)
	if v != nil {
		return 0, v
	}
	t, err := time.Parse(time.RFC3339, text)
	if !refTime.MatchString(text) || err != nil || t.UnixMilli() <= 0 {
		return 0, refInvalid(field)
	}
	return stock.Time(t.UnixMilli()), nil
}

// object reads an object that may have members of these names; read reads the value of one. An unknown name is refused before what follows it.
func (r *naive) object(names []string, read func(name string) *verdict) (map[string]bool, *verdict) {
	if r.space() != '{' {
		return nil, r.otherwise("")
	}
	r.rest = r.rest[1:]
	seen := map[string]bool{}
	if r.take('}') {
		return seen, nil
	}
	for {
		if r.space() != '"' {
			return nil, refMalformed()
		}
		name, v := r.text("")
		switch {
		case v != nil:
			return nil, v
		case !slices.Contains(names, name):
			return nil, &verdict{"unknown_field", name}
		case !r.take(':'):
			return nil, refMalformed()
		case seen[name]:
			return nil, &verdict{"duplicate_field", name}
		}
		seen[name] = true
		if v := read(name); v != nil {
			return nil, v
		}
		if r.take('}') {
			return seen, nil
		}
		if !r.take(',') {
			return nil, refMalformed()
		}
	}
}

// whole reads a body that is one object of these members and nothing else. within is asked first once the object is read, late when nothing follows.
func whole(b []byte, names []string, read func(r *naive, name string) *verdict, within, late func(seen map[string]bool) *verdict) *verdict {
	if len(b) == 0 || bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")) || !utf8.Valid(b) {
		return refMalformed()
	}
	r := &naive{b}
	seen, v := r.object(names, func(name string) *verdict { return read(r, name) })
	if v != nil && *v == *refInvalid("") {
		return refMalformed() // the body is something else altogether
	}
	if v == nil {
		v = within(seen)
	}
	if v == nil {
		if r.space(); len(r.rest) > 0 {
			v = refMalformed()
		}
	}
	if v == nil {
		v = late(seen)
	}
	return v
}

// nothing has nothing to say about an object.
func nothing(map[string]bool) *verdict { return nil }

// refText judges a text by the rules of docs/api.md.
func refText(field, s string, low, high int) *verdict {
	if len(s) < low || len(s) > high || !utf8.ValidString(s) || regexp.MustCompile(`[\x00-\x1f\x7f-\x{9f}]`).MatchString(s) {
		return refInvalid(field)
	}
	return nil
}

func refName(field, s string) *verdict {
	if s == "." || s == ".." {
		return refInvalid(field)
	}
	return refText(field, s, 1, 128)
}

var refKeyForm = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)

func refKey(s string) bool { return refKeyForm.MatchString(s) && s != "." && s != ".." }

var refOrderNames = []string{"sku", "user", "qty", "client_ref", "key"}

// order reads a member of an order; bad is what is wrong with its qty.
func (r *naive) order(o *orderBody, name string, bad **verdict) (v *verdict) {
	switch name {
	case "sku":
		o.sku, v = r.text(name)
	case "user":
		o.user, v = r.text(name)
	case "client_ref":
		o.clientRef, v = r.text(name)
	case "key":
		o.key, v = r.text(name)
	case "qty":
		n, v := r.integer(name)
		switch {
		case v != nil:
			return v
		case n.Sign() <= 0 || !n.IsInt64():
			*bad = refInvalid(name)
		default:
			o.qty = n.Int64()
		}
	}
	return v
}

func lacking(seen map[string]bool, names ...string) *verdict {
	for _, name := range names {
		if !seen[name] {
			return &verdict{"missing_field", name}
		}
	}
	return nil
}

func first(verdicts ...*verdict) *verdict {
	for _, v := range verdicts {
		if v != nil {
			return v
		}
	}
	return nil
}

func lateOrder(o *orderBody, bad *verdict, withKey bool) *verdict {
	if bad == nil && withKey && !refKey(o.key) {
		bad = &verdict{"idempotency_key_invalid", "key"}
	}
	return first(bad, refName("sku", o.sku), refText("user", o.user, 1, 128), refText("client_ref", o.clientRef, 0, 128))
}

// refOrder reads the body of POST /v1/orders.
func refOrder(b []byte) (o orderBody, v *verdict) {
	o.qty = 1
	var bad *verdict
	v = whole(b, refOrderNames[:4], func(r *naive, name string) *verdict { return r.order(&o, name, &bad) },
		func(seen map[string]bool) *verdict { return lacking(seen, "sku", "user") },
		func(map[string]bool) *verdict { return lateOrder(&o, bad, false) })
	return o, v
}

// refBatch reads the body of a batch: what is wrong with its shape, else what is wrong with each order.
func refBatch(b []byte, most int) (items []orderBody, bads []*verdict, v *verdict) {
	v = whole(b, []string{"orders"}, func(r *naive, _ string) *verdict {
		if r.space() != '[' {
			return r.otherwise("orders")
		}
		r.rest = r.rest[1:]
		if r.take(']') {
			return nil
		}
		for {
			if len(items) == most {
				return &verdict{"batch_too_large", ""}
			}
			o, bad, v := r.item()
			if v != nil {
				return inside(len(items), v)
			}
			items, bads = append(items, o), append(bads, bad)
			if r.take(']') {
				return nil
			}
			if !r.take(',') {
				return refMalformed()
			}
		}
	}, nothing, func(seen map[string]bool) *verdict {
		if v := lacking(seen, "orders"); v != nil || len(items) > 0 {
			return v
		}
		return refInvalid("orders")
	})
	return items, bads, v
}

// item reads one order of a batch.
func (r *naive) item() (o orderBody, bad, v *verdict) {
	o.qty = 1
	seen, v := r.object(refOrderNames, func(name string) *verdict { return r.order(&o, name, &bad) })
	if v == nil {
		v = lacking(seen, "sku", "user", "key")
	}
	return o, lateOrder(&o, bad, true), v
}

func inside(i int, v *verdict) *verdict {
	field := "orders[" + strconv.Itoa(i) + "]"
	switch {
	case v.code == "malformed_json":
		field = ""
	case v.field != "":
		field += "." + v.field
	}
	return &verdict{v.code, field}
}

// refOther reads the bodies of the other calls, and returns what they say as the decoder of each does.
func refOther(call string, b []byte) (said any, v *verdict) {
	switch call {
	case "confirm":
		var id string
		v = whole(b, []string{"payment_id"}, func(r *naive, name string) (v *verdict) { id, v = r.text(name); return v }, nothing,
			func(seen map[string]bool) *verdict {
				return first(lacking(seen, "payment_id"), refText("payment_id", id, 1, 128))
			})
		return id, v
	case "cancel":
		var reason string
		v = whole(b, []string{"reason"}, func(r *naive, name string) (v *verdict) { reason, v = r.text(name); return v }, nothing,
			func(map[string]bool) *verdict { return refText("reason", reason, 0, 256) })
		return reason, v
	case "return":
		back := givenBack{restock: true}
		v = whole(b, []string{"qty", "restock"}, func(r *naive, name string) (v *verdict) {
			if name == "qty" {
				back.qty, v = r.within(name, 1, maxInt64)
			} else {
				back.restock, v = r.boolean(name)
			}
			return v
		}, nothing, nothing)
		return back, v
	case "adjust":
		var a adjustment
		const most = 1<<53 - 1
		v = whole(b, []string{"delta", "reason"}, func(r *naive, name string) (v *verdict) {
			if name == "reason" {
				a.reason, v = r.text(name)
			} else if a.delta, v = r.within(name, -most, most); v == nil && a.delta == 0 {
				v = refInvalid(name)
			}
			return v
		}, nothing, func(seen map[string]bool) *verdict {
			return first(lacking(seen, "delta", "reason"), refText("reason", a.reason, 0, 256))
		})
		return a, v
	case "create":
		return refCreate(b)
	case "patch":
		return refPatch(b)
	}
	return nil, whole(b, nil, nil, nothing, nothing)
}

type givenBack struct {
	qty     int64
	restock bool
}

type adjustment struct {
	delta  int64
	reason string
}

// refBounds are the ranges of docs/api.md for the numbers of a SKU.
var refBounds = map[string][2]int64{
	"stock": {0, 1<<53 - 1}, "hold_ttl_ms": {1, 31536000000}, "limit_per_user": {0, 1<<53 - 1}, "max_qty": {1, 1<<53 - 1},
}

var refModes = map[string]stock.Mode{"hold": stock.ModeHold, "on_order": stock.ModeOnOrder, "on_payment": stock.ModeOnPayment}

func refCreate(b []byte) (spec stock.Spec, v *verdict) {
	spec = stock.Spec{SKU: "cup", Mode: stock.ModeHold, HoldTTLMS: 600000, MaxQty: 1}
	numbers := map[string]*int64{"stock": &spec.Stock, "hold_ttl_ms": &spec.HoldTTLMS, "limit_per_user": &spec.LimitPerUser, "max_qty": &spec.MaxQty}
	names := []string{"stock", "mode", "hold_ttl_ms", "limit_per_user", "max_qty", "opens_at", "closes_at", "hot"}
	v = whole(b, names, func(r *naive, name string) (v *verdict) {
		switch name {
		case "mode":
			var text string
			if text, v = r.text(name); v == nil && refModes[text] == 0 {
				v = refInvalid(name)
			}
			spec.Mode = refModes[text]
		case "opens_at":
			spec.OpensAt, v = r.moment(name)
		case "closes_at":
			spec.ClosesAt, v = r.moment(name)
		case "hot":
			spec.Hot, v = r.boolean(name)
		default:
			*numbers[name], v = r.within(name, refBounds[name][0], refBounds[name][1])
		}
		return v
	}, nothing, func(seen map[string]bool) *verdict {
		return first(lacking(seen, "stock"), refOrderOfTimes(spec.OpensAt, spec.ClosesAt))
	})
	return spec, v
}

func refOrderOfTimes(opens, closes stock.Time) *verdict {
	if opens != 0 && closes != 0 && opens >= closes {
		return refInvalid("closes_at")
	}
	return nil
}

func refPatch(b []byte) (patch stock.Patch, v *verdict) {
	numbers := map[string]**int64{"hold_ttl_ms": &patch.HoldTTLMS, "limit_per_user": &patch.LimitPerUser, "max_qty": &patch.MaxQty}
	names := []string{"hold_ttl_ms", "limit_per_user", "max_qty", "opens_at", "closes_at", "hot", "stock", "mode", "sku"}
	v = whole(b, names, func(r *naive, name string) *verdict {
		if name == "opens_at" || name == "closes_at" {
			at, v := r.moment(name)
			if name == "opens_at" {
				patch.OpensAt = &at
			} else {
				patch.ClosesAt = &at
			}
			return v
		}
		switch to := numbers[name]; {
		case to == nil && name != "hot":
			return refInvalid(name)
		case r.null():
		case name == "hot":
			hot, v := r.boolean(name)
			patch.Hot = &hot
			return v
		default:
			n, v := r.within(name, refBounds[name][0], refBounds[name][1])
			*to = &n
			return v
		}
		return nil
	}, nothing, func(map[string]bool) *verdict {
		if patch.OpensAt == nil || patch.ClosesAt == nil {
			return nil
		}
		return refOrderOfTimes(*patch.OpensAt, *patch.ClosesAt)
	})
	return patch, v
}
