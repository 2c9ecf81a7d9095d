package stock

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// everyRequest holds each kind of request; the commands are those of the proposals' golden file.
func everyRequest() (rs []Request) {
	for _, c := range everyCommand().Commands {
		if r, ok := c.(Request); ok {
			rs = append(rs, r)
		}
	}
	id := OrderID{Epoch: 2, Partition: 1023, SKU: 70_000, Counter: 1 << 40}
	return append(rs, &GetOrder{Order: id}, &GetOutcome{SKU: "sneaker-42", Caller: "shop", Key: "k"}, &GetSKU{SKU: "sneaker-42"})
}

// everyOutcome fills each field and every form an outcome can have.
func everyOutcome() (outs []Outcome) {
	outs = append(outs, Outcome{Code: SoldOut})
	var full Outcome
	fill(reflect.ValueOf(&full).Elem(), new(int64))
	full.Code = InvalidState
	return append(outs, full, Outcome{Code: OK, Order: full.Order}, Outcome{Code: Internal, SKU: full.SKU}, Outcome{Code: Overloaded, Detail: full.Detail})
}

// fill sets every field to something of its own, so that one which is not encoded, or two that change places, come back otherwise.
func fill(v reflect.Value, last *int64) {
	*last++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), last)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), last)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), last)
		fill(v.Index(1), last)
	case reflect.String:
		v.SetString(strings.Repeat("x", int(*last%40)) + "é")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(-1 << (*last % 60))
	default:
		v.SetUint(uint64(*last))
	}
}

func wireMessage(t testing.TB, rs []Request, outs []Outcome) []byte {
	t.Helper()
	b := AppendWireArray(nil, len(rs)+len(outs))
	var err error
	for _, r := range rs {
		if b, err = AppendRequest(b, r); err != nil {
			t.Fatal(err)
		}
	}
	for i := range outs {
		if b, err = AppendOutcome(b, &outs[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func readWire(message []byte, requests int) (rs []Request, outs []Outcome, err error) {
	r := NewWireReader(message)
	n := r.Array()
	for range min(n, requests) {
		rs = append(rs, r.Request(requests))
	}
	for range n - len(rs) {
		outs = append(outs, r.Outcome())
	}
	return rs, outs, r.End()
}

func TestGoldenWire(t *testing.T) {
	path := filepath.Join("testdata", "wire_v1.hex")
	now := wireMessage(t, everyRequest(), everyOutcome())
	if *update {
		if err := os.WriteFile(path, hexLines(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	mustBytes(t, path, now, golden)
	rs, outs, err := readWire(golden, len(everyRequest()))
	if err != nil || !reflect.DeepEqual(rs, everyRequest()) || !reflect.DeepEqual(outs, everyOutcome()) {
		t.Fatalf("read %+v, %+v, %v", rs, outs, err)
	}
	var loose []any
	d := msgpack.NewDecoder(bytes.NewReader(golden))
	if err := d.Decode(&loose); err != nil || len(loose) != len(rs)+len(outs) || d.Buffered().(*bytes.Reader).Len() != 0 {
		t.Errorf("the library read %d values, %v", len(loose), err)
	}
}

func TestWireRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		request := drawRequest(t)
		full := everyOutcome()[rapid.IntRange(0, 4).Draw(t, "outcome")]
		full.Code = Code(rapid.IntRange(int(OK), int(Internal)).Draw(t, "code"))
		b, err := AppendRequest(AppendWireArray(nil, 2), request)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = AppendOutcome(b, &full); err != nil {
			t.Fatal(err)
		}
		rs, outs, err := readWire(b, 1)
		if err != nil || !reflect.DeepEqual(rs[0], request) || !reflect.DeepEqual(outs[0], full) {
			t.Fatalf("%+v and %+v came back as %+v, %+v, %v", request, full, rs, outs, err)
		}
	})
}

func drawRequest(t *rapid.T) Request {
	for {
		if r, ok := drawCommand(t).(Request); ok {
			return r
		}
		switch rapid.IntRange(0, 3).Draw(t, "query") {
		case 0:
			return &GetOrder{Order: drawOrderID(t)}
		case 1:
			return &GetOutcome{
				SKU: drawText(t, "sku", MaxNameBytes), Caller: drawText(t, "caller", MaxNameBytes), Key: drawText(t, "key", MaxKeyBytes),
			}
		case 2:
			return &GetSKU{SKU: drawText(t, "sku", MaxNameBytes)}
		}
	}
}

// What is beyond a bound is not written, and leaves what was written before as it was.
func TestWireRefusesWhatItWouldNotRead(t *testing.T) {
	long := strings.Repeat("x", MaxReasonBytes+1)
	before := []byte{1, 2, 3}
	for _, r := range []Request{
		&Place{SKU: long}, &GetSKU{SKU: long}, &GetOutcome{Key: long}, &GetOrder{Order: OrderID{Partition: Partitions}}, &Update{SKU: long},
	} {
		if b, err := AppendRequest(before, r); !errors.Is(err, ErrMalformed) || !bytes.Equal(b, before) {
			t.Errorf("%T: %x, %v", r, b, err)
		}
	}
	for i, o := range []Outcome{
		{}, {Code: Internal + 1}, {Code: OK, Order: &Order{User: long}}, {Code: OK, SKU: &SKU{Spec: Spec{SKU: long}}},
		{Code: OK, Detail: &Detail{Reason: long}}, {Code: OK, Detail: &Detail{Differs: make([]string, maxDiffers+1)}},
	} {
		if b, err := AppendOutcome(before, &o); !errors.Is(err, ErrMalformed) || !bytes.Equal(b, before) {
			t.Errorf("outcome %d: %x, %v", i, b, err)
		}
	}
	for name, c := range map[string]Command{"expire": &Expire{SKU: "s"}, "open": &Open{Term: 1}} {
		b, _ := appendCommand(AppendWireArray(nil, 1), c)
		if _, _, err := readWire(b, 1); !errors.Is(err, ErrUnknownCommand) {
			t.Errorf("%s was read as a request: %v", name, err)
		}
	}
}

// FuzzWire reads arbitrary bytes: no panic, no allocation out of proportion, and what is accepted is written as the same bytes.
func FuzzWire(f *testing.F) {
	golden := wireMessage(f, everyRequest(), everyOutcome())
	f.Add(golden, uint8(len(everyRequest())))
	for _, r := range everyRequest() {
		f.Add(wireMessage(f, []Request{r}, nil), uint8(1))
	}
	for _, o := range everyOutcome() {
		f.Add(wireMessage(f, nil, []Outcome{o}), uint8(0))
	}
	f.Fuzz(func(t *testing.T, message []byte, requests uint8) {
		var rs []Request
		var outs []Outcome
		var err error
		spent := allocated(func() { rs, outs, err = readWire(message, int(requests)) })
		if limit := allocationBound(message) + 512*uint64(len(message)); spent > limit {
			t.Fatalf("%d bytes allocated for %d", spent, len(message))
		}
		if err == nil {
			mustBytes(t, rs, wireMessage(t, rs, outs), message)
		} else if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownCommand) {
			t.Fatalf("an error of neither kind: %v", err)
		}
	})
}
