package stock

import (
	"fmt"
	"math"
)

// The elements of an outcome's array and of those in it.
const (
	outcomeFields = 5
	orderFields   = 19
	skuFields     = 16
	detailFields  = 16
)

// An outcome's flags: Outcome.Replayed and Outcome.Unconfirmed.
const (
	flagReplayed = 1 << iota
	flagUnconfirmed
)

// maxDiffers bounds the fields that one refusal can name.
const maxDiffers = 32

// AppendOutcome appends an outcome. It returns ErrMalformed when a field is beyond what WireReader.Outcome accepts; then b is as it was.
// An empty Detail.Differs comes back as nil.
func AppendOutcome(b []byte, o *Outcome) ([]byte, error) {
	at := len(b)
	b = append(b, mpFixArray|outcomeFields)
	b = appendUint(appendUint(b, uint64(o.Code)), o.flags())
	fits := o.Code >= OK && o.Code <= Internal
	if o.Order != nil {
		b, fits = appendOrder(b, o.Order), fits && o.Order.fits()
	} else {
		b = appendNil(b)
	}
	if o.SKU != nil {
		b, fits = appendSKU(b, o.SKU), fits && len(o.SKU.SKU) <= MaxNameBytes
	} else {
		b = appendNil(b)
	}
	if o.Detail != nil {
		b, fits = appendDetail(b, o.Detail), fits && o.Detail.fits()
	} else {
		b = appendNil(b)
	}
	if !fits {
		return b[:at], fmt.Errorf("%w: an outcome with a field beyond its bound", ErrMalformed)
	}
	return b, nil
}

func (o *Outcome) flags() (flags uint64) {
	if o.Replayed {
		flags |= flagReplayed
	}
	if o.Unconfirmed {
		flags |= flagUnconfirmed
	}
	return flags
}

func (o *Order) fits() bool {
	return o.ID.Partition < Partitions && max(len(o.SKU), len(o.User), len(o.Caller), len(o.PaymentID)) <= MaxNameBytes &&
		len(o.Key) <= MaxKeyBytes && len(o.ClientRef) <= MaxClientRefBytes
}

func appendOrder(b []byte, o *Order) []byte {
	b = appendOrderID(appendArrayHeader(b, orderFields), o.ID)
	for _, s := range [...]string{o.SKU, o.User, o.Caller, o.Key, o.ClientRef, o.PaymentID} {
		b = appendString(b, s)
	}
	b = appendInt(appendInt(b, o.Qty), o.ReturnedQty)
	b = appendUint(appendUint(b, uint64(o.State)), uint64(o.Mode))
	for _, t := range [...]Time{o.CreatedAt, o.ConfirmedAt, o.CancelledAt, o.ExpiredAt, o.ReturnedAt, o.ExpiresAt, o.UpdatedAt} {
		b = appendInt(b, int64(t))
	}
	return appendUint(b, o.Version)
}

func appendSKU(b []byte, k *SKU) []byte {
	b = appendString(appendArrayHeader(b, skuFields), k.SKU)
	b = appendUint(appendInt(b, k.Stock), uint64(k.Mode))
	for _, n := range [...]int64{k.HoldTTLMS, k.LimitPerUser, k.MaxQty, int64(k.OpensAt), int64(k.ClosesAt)} {
		b = appendInt(b, n)
	}
	b = appendUint(appendBool(b, k.Hot), uint64(k.Number))
	for _, n := range [...]int64{k.Available, k.Held, k.Sold} {
		b = appendInt(b, n)
	}
	b = appendBool(appendBool(b, k.Frozen), k.Broken)
	return appendUint(b, k.Version)
}

func (d *Detail) fits() bool {
	for _, name := range d.Differs {
		if len(name) > MaxNameBytes {
			return false
		}
	}
	return len(d.Differs) <= maxDiffers && max(len(d.FirstPaymentID), len(d.Field), len(d.Bound)) <= MaxNameBytes && len(d.Reason) <= MaxReasonBytes
}

func appendDetail(b []byte, d *Detail) []byte {
	b = appendArrayHeader(b, detailFields)
	for _, n := range [...]int64{
		int64(d.OpensAt), int64(d.ClosesAt), d.MaxQty, d.Limit, d.Used, d.Available, d.Held, int64(d.NextReleaseAt), int64(d.ExpiredAt),
	} {
		b = appendInt(b, n)
	}
	b = appendInt(appendUint(b, uint64(d.State)), d.Returnable)
	b = appendArrayHeader(appendString(b, d.FirstPaymentID), len(d.Differs))
	for _, name := range d.Differs {
		b = appendString(b, name)
	}
	return appendString(appendString(appendString(b, d.Field), d.Reason), d.Bound)
}

// Outcome reads what AppendOutcome writes.
func (r *WireReader) Outcome() Outcome {
	m := &r.d.r
	m.array(outcomeFields)
	o := Outcome{Code: Code(m.uintMax(uint64(Internal)))}
	if o.Code == 0 {
		m.fail("no code")
	}
	flags := m.uintMax(flagReplayed | flagUnconfirmed)
	o.Replayed, o.Unconfirmed = flags&flagReplayed != 0, flags&flagUnconfirmed != 0
	if m.err != nil {
		return Outcome{}
	}
	if !m.isNil() {
		o.Order = m.order()
	}
	if !m.isNil() {
		o.SKU = m.sku()
	}
	if !m.isNil() {
		o.Detail = m.detail()
	}
	return o
}

func (r *mpReader) order() *Order {
	r.array(orderFields)
	return &Order{
		ID: r.orderID(), SKU: r.string(MaxNameBytes), User: r.string(MaxNameBytes), Caller: r.string(MaxNameBytes), Key: r.string(MaxKeyBytes),
		ClientRef: r.string(MaxClientRefBytes), PaymentID: r.string(MaxNameBytes), Qty: r.int64(), ReturnedQty: r.int64(),
		State: State(r.uintMax(math.MaxUint8)), Mode: Mode(r.uintMax(math.MaxUint8)),
		CreatedAt: r.time(), ConfirmedAt: r.time(), CancelledAt: r.time(), ExpiredAt: r.time(), ReturnedAt: r.time(), ExpiresAt: r.time(),
		UpdatedAt: r.time(), Version: r.uint64(),
	}
}

func (r *mpReader) sku() *SKU {
	r.array(skuFields)
	return &SKU{
		Spec: Spec{
			SKU: r.string(MaxNameBytes), Stock: r.int64(), Mode: Mode(r.uintMax(math.MaxUint8)), HoldTTLMS: r.int64(), LimitPerUser: r.int64(),
			MaxQty: r.int64(), OpensAt: r.time(), ClosesAt: r.time(), Hot: r.bool(),
		},
		Number: r.uint32(), Available: r.int64(), Held: r.int64(), Sold: r.int64(), Frozen: r.bool(), Broken: r.bool(), Version: r.uint64(),
	}
}

func (r *mpReader) detail() *Detail {
	r.array(detailFields)
	return &Detail{
		OpensAt: r.time(), ClosesAt: r.time(), MaxQty: r.int64(), Limit: r.int64(), Used: r.int64(), Available: r.int64(), Held: r.int64(),
		NextReleaseAt: r.time(), ExpiredAt: r.time(), State: State(r.uintMax(math.MaxUint8)), Returnable: r.int64(),
		FirstPaymentID: r.string(MaxNameBytes), Differs: r.names(), Field: r.string(MaxNameBytes), Reason: r.string(MaxReasonBytes),
		Bound: r.string(MaxNameBytes),
	}
}

func (r *mpReader) time() Time { return Time(r.int64()) }

// names reads a short list of names; nil for an empty one.
func (r *mpReader) names() (names []string) {
	n := r.arrayHeader()
	if n > maxDiffers {
		r.fail("more names than are written")
		return nil
	}
	for range n {
		names = append(names, r.string(MaxNameBytes))
	}
	return names
}
