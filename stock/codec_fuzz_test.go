package stock

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// FuzzOrderCommandBytes holds the encoding by hand against msgpack/v5: the library's compact encoder writes the same bytes from the same
// values, and its decoder reads the same values from the bytes.
func FuzzOrderCommandBytes(f *testing.F) {
	f.Add(uint8(KindPlace), "shop", "key", int64(1<<40), true, "sku", "user", int64(-1), uint64(1)<<52|uint64(1023)<<32|9, uint64(1<<63))
	for k := KindPlace; k <= KindExpire; k++ {
		f.Add(uint8(k), "", "0123456789abcdef0123456789abcdef", int64(-1<<40), false, "é", "", int64(1<<33), uint64(1<<31), uint64(300))
	}
	f.Fuzz(func(t *testing.T, kind uint8, caller, key string, deadline int64, retry bool, sku, text string, qty int64, place, counter uint64) {
		meta := Meta{Caller: caller, Key: key, Deadline: Time(deadline), Retry: retry}
		id := OrderID{Epoch: uint16(place >> 42), Partition: Partition(place >> 32 & 1023), SKU: uint32(place), Counter: counter}
		c, values := commandAndValues(Kind(kind), meta, sku, text, qty, id)
		got, err := appendCommand(nil, c)
		if errors.Is(err, ErrMalformed) {
			return // a text beyond its bound
		}
		if err != nil {
			t.Fatal(err)
		}
		mustBytes(t, values, got, libraryBytes(t, func(e *msgpack.Encoder) error { return e.Encode(values) }))
		d := msgpack.NewDecoder(bytes.NewReader(got))
		d.UseLooseInterfaceDecoding(true)
		back, err := d.DecodeInterfaceLoose()
		if err != nil || d.Buffered().(*bytes.Reader).Len() != 0 || !reflect.DeepEqual(loose(back), loose(values)) {
			t.Fatalf("the library read %v, %v, want %v", back, err, values)
		}
	})
}

// commandAndValues returns an order command and the same as a list of plain values.
func commandAndValues(k Kind, m Meta, sku, text string, qty int64, id OrderID) (Command, []any) {
	values := []any{uint64(k), m.Caller, m.Key, int64(m.Deadline), m.Retry}
	order := []any{uint64(id.Epoch), uint64(id.Partition), uint64(id.SKU), id.Counter}
	switch k {
	case KindPlace:
		return &Place{Meta: m, SKU: sku, User: text, Qty: qty, ClientRef: text}, append(values, sku, text, qty, text)
	case KindConfirm:
		return &Confirm{Meta: m, Order: id, PaymentID: text}, append(values, order, text)
	case KindCancel:
		return &Cancel{Meta: m, Order: id, Reason: text}, append(values, order, text)
	case KindReturn:
		return &Return{Meta: m, Order: id, Qty: qty, Restock: m.Retry}, append(values, order, qty, m.Retry)
	case KindFence:
		return &Fence{Meta: m, SKU: sku}, append(values, sku)
	}
	return &Expire{SKU: sku}, []any{uint64(KindExpire), sku}
}

// loose returns v with numbers that fit as int64: msgpack does not tell signed from unsigned.
func loose(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = loose(v[i])
		}
		return out
	case uint64:
		if v < 1<<63 {
			return int64(v)
		}
	}
	return v
}

// FuzzDecodeProposal decodes arbitrary bytes, as they are and as a payload whose frame is right: no panic, no allocation out of proportion,
// and what is accepted encodes to the same bytes.
func FuzzDecodeProposal(f *testing.F) {
	golden := sealed(f, everyCommand())
	f.Add(golden)
	f.Add(golden[payloadAt:])
	for _, c := range append(everyCommand().Commands, laterCommands().Commands...) {
		f.Add(sealed(f, Proposal{Header: Header{Term: 1}, Commands: []Command{c, c}})[payloadAt:])
	}
	f.Add(framedCommands(1, "\x92\x10\x93\x01\xdd\x7f\xff\xff\xff")[payloadAt:])
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, data := range [][]byte{in, framed(in)} {
			var p Proposal
			var err error
			spent := allocated(func() { p, err = DecodeProposal(data) })
			if limit := allocationBound(data); spent > limit {
				t.Fatalf("%d bytes allocated for %d, bound %d", spent, len(data), limit)
			}
			if err == nil {
				mustBytes(t, p, sealed(t, p), data)
			} else if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownCommand) {
				t.Fatalf("an error of neither kind: %v", err)
			}
			if h, _, peekErr := PeekHeader(data); err == nil && (peekErr != nil || h != p.Header) {
				t.Fatalf("peeked %+v, %v, decoded %+v", h, peekErr, p.Header)
			}
		}
	})
}
