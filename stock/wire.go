package stock

// What nodes say to each other about orders is msgpack as in a proposal: arrays, each value in its one form, lengths held against the input before
// anything is made of them. Who builds a message writes its head with the AppendWire functions and reads it with a WireReader.
//
//	command     as in a proposal
//	get order   [101, order]
//	get outcome [102, sku, caller, key]
//	get sku     [103, sku]
//	outcome     [code, flags, order or nil, sku or nil, detail or nil]
//
// The elements of the last three arrays stand in wire_outcome.go, in the order in which they are written.

// AppendWireArray appends the head of an array of n elements.
func AppendWireArray(b []byte, n int) []byte { return appendArrayHeader(b, n) }

// AppendWireUint appends an unsigned number.
func AppendWireUint(b []byte, n uint64) []byte { return appendUint(b, n) }

// AppendWireInt appends a number.
func AppendWireInt(b []byte, n int64) []byte { return appendInt(b, n) }

// AppendWireText appends a string.
func AppendWireText(b []byte, s string) []byte { return appendString(b, s) }

// AppendWireNil appends nil.
func AppendWireNil(b []byte) []byte { return appendNil(b) }

// WireReader reads a message. It accepts what the append functions write and nothing else, so that whatever it reads is written as the same bytes
// again. The first error stays, and every read behind it returns zero: ask End once, before anything is done with what was read. Strings share one
// copy of the message.
type WireReader struct{ d commandDecoder }

// NewWireReader returns a reader of a whole message.
func NewWireReader(message []byte) *WireReader {
	r := new(WireReader)
	r.d.r.s = string(message)
	return r
}

// Array reads the head of an array and returns its length, at most the bytes that follow.
func (r *WireReader) Array() int { return r.d.r.arrayHeader() }

// Uint reads an unsigned number of at most limit.
func (r *WireReader) Uint(limit uint64) uint64 { return r.d.r.uintMax(limit) }

// Int reads a number.
func (r *WireReader) Int() int64 { return r.d.r.int64() }

// Text reads a string of at most maxBytes bytes.
func (r *WireReader) Text(maxBytes int) string { return r.d.r.string(maxBytes) }

// Nil reports whether nil comes next, and reads it if so.
func (r *WireReader) Nil() bool { return r.d.r.isNil() }

// Fail makes what was read last an error.
func (r *WireReader) Fail(what string) { r.d.r.fail(what) }

// End returns the first error, ErrMalformed or ErrUnknownCommand; bytes that nobody read are one.
func (r *WireReader) End() error { return r.d.r.end() }
