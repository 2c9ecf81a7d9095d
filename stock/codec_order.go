package stock

import (
	"fmt"
	"math"
)

// The elements of each order command's array: its kind, what every keyed command carries, its own fields.
const (
	metaFields    = 4
	placeFields   = 1 + metaFields + 4
	confirmFields = 1 + metaFields + 2
	cancelFields  = 1 + metaFields + 2
	returnFields  = 1 + metaFields + 3
	fenceFields   = 1 + metaFields + 1
	expireFields  = 1 + 1
	adminFields   = 1 + 1
)

// The append functions of the order commands report whether every field is within the bounds that the decoder holds it to: a proposal that
// no replica could read must not enter the log.

func appendMeta(b []byte, fields int, kind Kind, m *Meta) ([]byte, bool) {
	b = append(b, mpFixArray|byte(fields), byte(kind))
	b = appendString(b, m.Caller)
	b = appendString(b, m.Key)
	b = appendInt(b, int64(m.Deadline))
	return appendBool(b, m.Retry), m.fits()
}

func appendPlace(b []byte, c *Place) ([]byte, bool) {
	b, fits := appendMeta(b, placeFields, KindPlace, &c.Meta)
	b = appendString(b, c.SKU)
	b = appendString(b, c.User)
	b = appendInt(b, c.Qty)
	b = appendString(b, c.ClientRef)
	return b, fits && len(c.SKU) <= MaxNameBytes && len(c.User) <= MaxNameBytes && len(c.ClientRef) <= MaxClientRefBytes
}

func appendConfirm(b []byte, c *Confirm) ([]byte, bool) {
	b, fits := appendMeta(b, confirmFields, KindConfirm, &c.Meta)
	b = appendOrderID(b, c.Order)
	b = appendString(b, c.PaymentID)
	return b, fits && c.Order.Partition < Partitions && len(c.PaymentID) <= MaxNameBytes
}

func appendCancel(b []byte, c *Cancel) ([]byte, bool) {
	b, fits := appendMeta(b, cancelFields, KindCancel, &c.Meta)
	b = appendOrderID(b, c.Order)
	b = appendString(b, c.Reason)
	return b, fits && c.Order.Partition < Partitions && len(c.Reason) <= MaxReasonBytes
}

func appendReturn(b []byte, c *Return) ([]byte, bool) {
	b, fits := appendMeta(b, returnFields, KindReturn, &c.Meta)
	b = appendOrderID(b, c.Order)
	b = appendInt(b, c.Qty)
	b = appendBool(b, c.Restock)
	return b, fits && c.Order.Partition < Partitions
}

func appendFence(b []byte, c *Fence) ([]byte, bool) {
	b, fits := appendMeta(b, fenceFields, KindFence, &c.Meta)
	b = appendString(b, c.SKU)
	return b, fits && len(c.SKU) <= MaxNameBytes
}

func appendExpire(b []byte, c *Expire) ([]byte, bool) {
	b = append(b, mpFixArray|expireFields, byte(KindExpire))
	b = appendString(b, c.SKU)
	return b, len(c.SKU) <= MaxNameBytes
}

func (m *Meta) fits() bool { return len(m.Caller) <= MaxNameBytes && len(m.Key) <= MaxKeyBytes }

// commandDecoder reads commands. Commands of one kind are allocated many at a time: they live and die with their proposal.
type commandDecoder struct {
	r mpReader
	// left is how many commands are still to come, this one included.
	left     int
	places   []Place
	confirms []Confirm
	cancels  []Cancel
	returns  []Return
	fences   []Fence
	expires  []Expire
}

// slabCommands bounds how many commands of one kind are allocated at once.
const slabCommands = 32

func next[T any](slab *[]T, left int) *T {
	if len(*slab) == 0 {
		*slab = make([]T, min(left, slabCommands))
	}
	c := &(*slab)[0]
	*slab = (*slab)[1:]
	return c
}

func (d *commandDecoder) commands(count int) []Command {
	if d.r.err != nil || count == 0 {
		return nil
	}
	commands := make([]Command, 0, count)
	for d.left = count; d.left > 0 && d.r.err == nil; d.left-- {
		commands = append(commands, d.command())
	}
	return commands
}

func (d *commandDecoder) command() Command {
	fields := d.r.arrayHeader()
	kind := d.r.uint64()
	if d.r.err != nil {
		return nil
	}
	if c := d.orderCommand(kind, fields); c != nil {
		return c
	}
	if kind <= math.MaxUint8 {
		if c := newAdmin(Kind(kind)); c != nil {
			d.expect(fields, adminFields)
			d.r.admin(c)
			return c
		}
	}
	d.r.stop(fmt.Errorf("%w: kind %d", ErrUnknownCommand, kind))
	return nil
}

// orderCommand reads the fields of an order command; it returns nil when the kind is not one.
func (d *commandDecoder) orderCommand(kind uint64, fields int) Command {
	switch kind {
	case uint64(KindPlace):
		return d.place(fields)
	case uint64(KindConfirm):
		return d.confirm(fields)
	case uint64(KindCancel):
		return d.cancel(fields)
	case uint64(KindReturn):
		return d.returned(fields)
	case uint64(KindFence):
		return d.fence(fields)
	case uint64(KindExpire):
		return d.expire(fields)
	}
	return nil
}

func (d *commandDecoder) expect(fields, want int) {
	if fields != want {
		d.r.fail("command of another length")
	}
}

func (d *commandDecoder) meta(m *Meta) {
	m.Caller = d.r.string(MaxNameBytes)
	m.Key = d.r.string(MaxKeyBytes)
	m.Deadline = Time(d.r.int64())
	m.Retry = d.r.bool()
}

func (d *commandDecoder) place(fields int) *Place {
	d.expect(fields, placeFields)
	c := next(&d.places, d.left)
	d.meta(&c.Meta)
	c.SKU = d.r.string(MaxNameBytes)
	c.User = d.r.string(MaxNameBytes)
	c.Qty = d.r.int64()
	c.ClientRef = d.r.string(MaxClientRefBytes)
	return c
}

func (d *commandDecoder) confirm(fields int) *Confirm {
	d.expect(fields, confirmFields)
	c := next(&d.confirms, d.left)
	d.meta(&c.Meta)
	c.Order = d.r.orderID()
	c.PaymentID = d.r.string(MaxNameBytes)
	return c
}

func (d *commandDecoder) cancel(fields int) *Cancel {
	d.expect(fields, cancelFields)
	c := next(&d.cancels, d.left)
	d.meta(&c.Meta)
	c.Order = d.r.orderID()
	c.Reason = d.r.string(MaxReasonBytes)
	return c
}

func (d *commandDecoder) returned(fields int) *Return {
	d.expect(fields, returnFields)
	c := next(&d.returns, d.left)
	d.meta(&c.Meta)
	c.Order = d.r.orderID()
	c.Qty = d.r.int64()
	c.Restock = d.r.bool()
	return c
}

func (d *commandDecoder) fence(fields int) *Fence {
	d.expect(fields, fenceFields)
	c := next(&d.fences, d.left)
	d.meta(&c.Meta)
	c.SKU = d.r.string(MaxNameBytes)
	return c
}

func (d *commandDecoder) expire(fields int) *Expire {
	d.expect(fields, expireFields)
	c := next(&d.expires, d.left)
	c.SKU = d.r.string(MaxNameBytes)
	return c
}
