package stock

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// maxBodyDepth bounds the nesting of an administrative command's body; the deepest that is written is 2.
const maxBodyDepth = 16

// newAdmin returns an empty administrative command, nil when the kind is not one.
func newAdmin(k Kind) Command {
	switch k {
	case KindInit:
		return new(Init)
	case KindOpen:
		return new(Open)
	case KindCreate:
		return new(Create)
	case KindUpdate:
		return new(Update)
	case KindAdjust:
		return new(Adjust)
	case KindFreeze:
		return new(Freeze)
	case KindSettings:
		return new(SetSettings)
	case KindFlushMark:
		return new(FlushMark)
	case KindFlushSpan:
		return new(FlushSpan)
	case KindRaiseLevel:
		return new(RaiseLevel)
	case KindHashMark:
		return new(HashMark)
	case KindRaiseEpoch:
		return new(RaiseEpoch)
	}
	return nil
}

// adminFits reports whether every field of an administrative command is within its bound. Both ways hold it to the same bounds.
func adminFits(c Command) bool {
	if m := c.Head(); m != nil && !m.fits() {
		return false
	}
	switch c := c.(type) {
	case *Init:
		return partitionsFit(c.Partitions)
	case *Create:
		return len(c.Spec.SKU) <= MaxNameBytes
	case *Update:
		return len(c.SKU) <= MaxNameBytes
	case *Adjust:
		return len(c.SKU) <= MaxNameBytes && len(c.Reason) <= MaxReasonBytes
	case *Freeze:
		return len(c.SKU) <= MaxNameBytes
	case *HashMark:
		return c.fits()
	case *RaiseEpoch:
		return c.Epoch <= MaxEpoch
	}
	return true
}

func partitionsFit(ps []Partition) bool {
	if len(ps) > Partitions {
		return false
	}
	for _, p := range ps {
		if p >= Partitions {
			return false
		}
	}
	return true
}

// appendAdmin appends [kind, body], the body by msgpack/v5.
func appendAdmin(b []byte, c Command) ([]byte, error) {
	if !adminFits(c) {
		return b, fmt.Errorf("%w: %T with a field beyond its bound", ErrMalformed, c)
	}
	if err := known(c); err != nil {
		return b, err
	}
	b = appendArrayHeader(b, adminFields)
	return appendBody(appendUint(b, uint64(c.Kind())), c)
}

func appendBody(b []byte, c Command) ([]byte, error) {
	w := bodyWriter{b: b}
	e := msgpack.GetEncoder()
	defer msgpack.PutEncoder(e)
	e.Reset(&w)
	e.UseCompactInts(true)
	e.UseArrayEncodedStructs(true)
	if err := e.Encode(c); err != nil {
		return w.b, fmt.Errorf("stock: encode %T: %w", c, err)
	}
	return w.b, nil
}

// bodyWriter appends what the library writes.
type bodyWriter struct{ b []byte }

func (w *bodyWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *bodyWriter) WriteByte(c byte) error {
	w.b = append(w.b, c)
	return nil
}

// admin reads the body of an administrative command into c. The library never sees a length that its input does not hold, nor deep nesting
// (scanValue); and because it turns nil into zero, -1 into a large number and a long form into a short one without a word, and takes maps with
// a key twice, the command must encode to the very bytes it was read from, to the last.
func (r *mpReader) admin(c Command) {
	n, err := scanValue(r.s[r.off:], maxBodyDepth)
	if err != nil {
		r.stop(err)
		return
	}
	body := r.s[r.off : r.off+n]
	d := msgpack.GetDecoder()
	defer msgpack.PutDecoder(d)
	d.Reset(strings.NewReader(body))
	if err := d.Decode(c); err != nil {
		r.fail(fmt.Sprintf("%T: %v", c, err))
		return
	}
	again, err := appendBody(make([]byte, 0, n), c)
	if err != nil || !bytes.Equal(again, []byte(body)) || !adminFits(c) {
		r.fail(fmt.Sprintf("%T that is not in its one form", c))
		return
	}
	if err := known(c); err != nil {
		r.stop(err)
		return
	}
	r.off += n
}
