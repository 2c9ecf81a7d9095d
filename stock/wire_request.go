package stock

import "fmt"

// The kinds of queries. They never stand in a log, and their numbers lie above those of commands.
const (
	wireGetOrder   = 101
	wireGetOutcome = 102
	wireGetSKU     = 103
)

// The elements of each query's array.
const (
	getOrderFields   = 1 + 1
	getOutcomeFields = 1 + 3
	getSKUFields     = 1 + 1
)

// AppendRequest appends a command or query. It returns ErrMalformed when a field is beyond what WireReader.Request accepts and ErrUnknownCommand for
// what is no request; then b is as it was.
func AppendRequest(b []byte, r Request) ([]byte, error) {
	at, fits := len(b), true
	switch q := r.(type) {
	case *GetOrder:
		b = appendOrderID(append(b, mpFixArray|getOrderFields, wireGetOrder), q.Order)
		fits = q.Order.Partition < Partitions
	case *GetOutcome:
		b = appendString(append(b, mpFixArray|getOutcomeFields, wireGetOutcome), q.SKU)
		b = appendString(appendString(b, q.Caller), q.Key)
		fits = len(q.SKU) <= MaxNameBytes && len(q.Caller) <= MaxNameBytes && len(q.Key) <= MaxKeyBytes
	case *GetSKU:
		b = appendString(append(b, mpFixArray|getSKUFields, wireGetSKU), q.SKU)
		fits = len(q.SKU) <= MaxNameBytes
	case Command:
		var err error
		if b, err = appendCommand(b, q); err != nil {
			return b[:at], err
		}
	default:
		return b, fmt.Errorf("%w: %T", ErrUnknownCommand, r)
	}
	if !fits {
		return b[:at], fmt.Errorf("%w: %T with a field beyond its bound", ErrMalformed, r)
	}
	return b, nil
}

// Request reads what AppendRequest writes; nil after an error. Left is how many requests are still to come, this one included: commands of one kind
// are allocated many at a time, and live as long as the last of them.
func (r *WireReader) Request(left int) Request {
	r.d.left = left
	start := r.d.r.off
	fields := r.d.r.arrayHeader()
	kind := r.d.r.uint64()
	if r.d.r.err != nil {
		return nil
	}
	if q := r.query(kind, fields); q != nil {
		return q
	}
	r.d.r.off = start
	c := r.d.command()
	if q, ok := c.(Request); ok && r.d.r.err == nil {
		return q
	}
	r.d.r.stop(fmt.Errorf("%w: kind %d is no request", ErrUnknownCommand, kind))
	return nil
}

// query reads the fields of a query; it returns nil when the kind is not one.
func (r *WireReader) query(kind uint64, fields int) Request {
	switch kind {
	case wireGetOrder:
		r.d.expect(fields, getOrderFields)
		return &GetOrder{Order: r.d.r.orderID()}
	case wireGetOutcome:
		r.d.expect(fields, getOutcomeFields)
		return &GetOutcome{SKU: r.d.r.string(MaxNameBytes), Caller: r.d.r.string(MaxNameBytes), Key: r.d.r.string(MaxKeyBytes)}
	case wireGetSKU:
		r.d.expect(fields, getSKUFields)
		return &GetSKU{SKU: r.d.r.string(MaxNameBytes)}
	}
	return nil
}
