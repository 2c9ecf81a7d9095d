package stock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sealed returns the proposal as a writer seals it.
func sealed(t testing.TB, p Proposal) []byte {
	t.Helper()
	w := NewProposalWriter(16 << 20)
	w.Reset(Header{Term: p.Term, Incarnation: p.Incarnation, Sequence: p.Sequence})
	for _, c := range p.Commands {
		if err := w.Add(c); err != nil {
			t.Fatalf("add %+v: %v", c, err)
		}
	}
	if w.Count() != len(p.Commands) {
		t.Fatalf("count %d, want %d", w.Count(), len(p.Commands))
	}
	length := w.Len()
	data := w.Seal(p.Clock)
	if len(data) != length {
		t.Fatalf("sealed %d bytes, Len said %d", len(data), length)
	}
	return data
}

// framed returns a frame around a payload with a length and checksum that are right.
func framed(payload []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{proposalVersion}, uint32(len(payload)))
	return append(binary.BigEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli)), payload...)
}

// framedCommands returns a proposal of elements that are given as bytes.
func framedCommands(count int, elements string) []byte {
	w := NewProposalWriter(0)
	payload := bytes.Clone(w.buf[payloadAt:])
	binary.BigEndian.PutUint32(payload[countAt-payloadAt:], uint32(count))
	return framed(append(payload, elements...))
}

func TestProposalRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := Proposal{Header: drawHeader(rt)}
		for range rapid.IntRange(0, 40).Draw(rt, "commands") {
			want.Commands = append(want.Commands, drawCommand(rt))
		}
		data := sealed(t, want)
		in := bytes.Clone(data)
		got, err := DecodeProposal(in)
		if err != nil {
			rt.Fatal(err)
		}
		clear(in) // nothing of the result may alias the input
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("got %+v\nwant %+v", got, want)
		}
		h, sum, err := PeekHeader(data)
		if err != nil || h != want.Header || sum != crc32.Checksum(data[payloadAt:], castagnoli) {
			rt.Fatalf("peeked %+v %08x %v, want %+v", h, sum, err, want.Header)
		}
	})
}

func TestProposalOfManyCommands(t *testing.T) {
	var want Proposal
	for i := range 5000 { // beyond one slab of each kind and the short forms of an array
		want.Commands = append(want.Commands, &Place{SKU: "s", Qty: int64(i)}, &Fence{SKU: "s"}, &Expire{SKU: "s"}, &Open{Term: uint64(i)})
	}
	got, err := DecodeProposal(sealed(t, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%d commands, %v, or other ones", len(got.Commands), err)
	}
}

func TestAddLeavesNothingOfWhatItRefuses(t *testing.T) {
	good := &Place{Meta: Meta{Key: "k1"}, SKU: "sku", User: "u", Qty: 1}
	long := strings.Repeat("x", 257)
	for _, c := range []struct {
		name string
		cmd  Command
		want error
	}{
		{"no room", &Place{SKU: strings.Repeat("x", MaxNameBytes)}, ErrTooLarge},
		{"no room for an administrative one", &Create{Spec: Spec{SKU: strings.Repeat("x", MaxNameBytes)}}, ErrTooLarge},
		{"caller", &Fence{Meta: Meta{Caller: long}}, ErrMalformed}, {"key", &Fence{Meta: Meta{Key: long}}, ErrMalformed},
		{"sku of a place", &Place{SKU: long}, ErrMalformed}, {"user", &Place{User: long}, ErrMalformed},
		{"client_ref", &Place{ClientRef: long}, ErrMalformed}, {"payment_id", &Confirm{PaymentID: long}, ErrMalformed},
		{"reason of a cancel", &Cancel{Reason: long}, ErrMalformed}, {"sku of a fence", &Fence{SKU: long}, ErrMalformed},
		{"sku of an expire", &Expire{SKU: long}, ErrMalformed},
		{"partition of a confirm", &Confirm{Order: OrderID{Partition: Partitions}}, ErrMalformed},
		{"partition of a cancel", &Cancel{Order: OrderID{Partition: Partitions}}, ErrMalformed},
		{"partition of a return", &Return{Order: OrderID{Partition: Partitions}}, ErrMalformed},
		{"caller of a create", &Create{Meta: Meta{Caller: long}}, ErrMalformed}, {"sku of a create", &Create{Spec: Spec{SKU: long}}, ErrMalformed},
		{"sku of an update", &Update{SKU: long}, ErrMalformed}, {"sku of an adjustment", &Adjust{SKU: long}, ErrMalformed},
		{"reason of an adjustment", &Adjust{Reason: long}, ErrMalformed}, {"sku of a freeze", &Freeze{SKU: long}, ErrMalformed},
		{"key of settings", &SetSettings{Meta: Meta{Key: long}}, ErrMalformed},
		{"a partition too high", &Init{Partitions: []Partition{0, Partitions}}, ErrMalformed},
		{"too many partitions", &Init{Partitions: make([]Partition, Partitions+1)}, ErrMalformed},
		{"a foreign type", foreign{}, ErrUnknownCommand}, {"nothing", nil, ErrUnknownCommand},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := NewProposalWriter(128)
			if err := w.Add(good); err != nil {
				t.Fatal(err)
			}
			length := w.Len()
			if err := w.Add(c.cmd); !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if w.Len() != length || w.Count() != 1 {
				t.Fatalf("%d bytes, %d commands after a refusal; want %d and 1", w.Len(), w.Count(), length)
			}
			if p, err := DecodeProposal(w.Seal(7)); err != nil || len(p.Commands) != 1 || !reflect.DeepEqual(p.Commands[0], Command(good)) {
				t.Fatalf("%+v, %v", p, err)
			}
		})
	}
}

type foreign struct{}

func (foreign) Kind() Kind  { return KindPlace }
func (foreign) Head() *Meta { return nil }

func TestWriterStopsAtItsBound(t *testing.T) {
	w := NewProposalWriter(0)
	c := &Place{Meta: Meta{Key: strings.Repeat("k", MaxKeyBytes)}, SKU: "sku", User: "user", Qty: 1}
	var err error
	for err == nil {
		err = w.Add(c)
	}
	if !errors.Is(err, ErrTooLarge) || w.Len() > MaxProposalBytes || w.Len() < MaxProposalBytes-400 {
		t.Fatalf("%d bytes, %v", w.Len(), err)
	}
	exact := NewProposalWriter(w.Len())
	for range w.Count() {
		if err := exact.Add(c); err != nil {
			t.Fatalf("refused within the bound: %v", err)
		}
	}
	if err := exact.Add(&Expire{}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("error %v beyond the bound", err)
	}
}

func TestSealedBytesStayAsTheyAre(t *testing.T) {
	w := NewProposalWriter(0)
	var all, copies [][]byte
	for i := range 10 {
		w.Reset(Header{Term: 1, Sequence: uint64(i)})
		for j := range i {
			if err := w.Add(&Expire{SKU: strings.Repeat("x", i+j)}); err != nil {
				t.Fatal(err)
			}
		}
		data := w.Seal(Time(i))
		all, copies = append(all, data), append(copies, bytes.Clone(data))
		if w.Count() != 0 || w.Len() != commandsAt {
			t.Fatalf("%d commands, %d bytes after sealing", w.Count(), w.Len())
		}
	}
	for i := range all {
		mustBytes(t, i, all[i], copies[i])
	}
	if h, _, err := PeekHeader(w.Seal(3)); err != nil || h != (Header{Clock: 3}) {
		t.Fatalf("sealed without a Reset: %+v, %v", h, err)
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	id := OrderID{Epoch: 1, Partition: 1023, SKU: 70000, Counter: 1 << 40}
	meta := Meta{Caller: "shop", Key: "0123456789abcdef", Deadline: 1 << 40}
	w := NewProposalWriter(0)
	for _, c := range []Command{
		&Place{Meta: meta, SKU: "sku", User: "user", Qty: 2, ClientRef: "r"}, &Confirm{Meta: meta, Order: id, PaymentID: "p"},
		&Cancel{Meta: meta, Order: id, Reason: "late"}, &Return{Meta: meta, Order: id, Qty: 1}, &Fence{Meta: meta, SKU: "sku"}, &Expire{SKU: "sku"},
	} {
		allocs := testing.AllocsPerRun(100, func() {
			w.Reset(Header{})
			if err := w.Add(c); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%T: %v allocations", c, allocs)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := sealed(t, Proposal{Header: Header{Term: 3, Clock: 5}, Commands: []Command{&Expire{SKU: "sku"}, &Open{Term: 3}}})
	change := func(at int, b byte) []byte { d := bytes.Clone(good); d[at] = b; return d }
	reframed := func(at int, b byte) []byte { return framed(change(at, b)[payloadAt:]) }
	const place = "\x99\x01\xa0\xa1k\x00\xc2\xa1s\xa1u\x01\xa0"
	if _, err := DecodeProposal(framedCommands(1, place)); err != nil {
		t.Fatalf("the model of the bad ones: %v", err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrMalformed}, {"the version alone", good[:1], ErrMalformed}, {"a byte short", good[:len(good)-1], ErrMalformed},
		{"a byte more", append(bytes.Clone(good), 0), ErrMalformed}, {"version 0", change(0, 0), ErrUnknownCommand},
		{"version 2", change(0, 2), ErrUnknownCommand}, {"length", change(lengthAt+3, 1), ErrMalformed},
		{"checksum", change(checksumAt, good[checksumAt]^1), ErrMalformed}, {"a bit of the payload", change(60, good[60]^1), ErrMalformed},
		{"six fields in the header", reframed(payloadAt, 0x96), ErrMalformed}, {"a signed term", reframed(termAt-1, mpInt64), ErrMalformed},
		{"an unsigned clock", reframed(clockAt-1, mpUint64), ErrMalformed}, {"count too low", reframed(countAt+3, 1), ErrMalformed},
		{"count too high", reframed(countAt+3, 3), ErrMalformed}, {"count of 2^32-1", framedCommands(-1, place), ErrMalformed},
		{"kind 0", framedCommands(1, "\x92\x00\xa0"), ErrUnknownCommand}, {"kind 7", framedCommands(1, "\x92\x07\xa0"), ErrUnknownCommand},
		{"kind 28", framedCommands(1, "\x92\x1c\xa0"), ErrUnknownCommand}, {"kind 257", framedCommands(1, "\x92\xcd\x01\x01\xa0"), ErrUnknownCommand},
		{"an epoch beyond its bound", framedCommands(1, "\x92\x1b\x91\xcd\x80\x00"), ErrMalformed},
		{"a level to come", framedCommands(1, "\x92\x19\x91\x04"), ErrUnknownCommand},
		{"reports out of order", framedCommands(1, "\x92\x1a\x92\x00\x92\x92\xa1b\x00\x92\xa1a\x00"), ErrMalformed},
		{"a replica's report twice", framedCommands(1, "\x92\x1a\x92\x00\x92\x92\xa1a\x00\x92\xa1a\x01"), ErrMalformed},
		{"kind 262", framedCommands(1, "\x92\xcd\x01\x06\xa0"), ErrUnknownCommand},
		{"kind 273, which is 17 in 8 bits", framedCommands(1, "\x92\xcd\x01\x11\x91\x05"), ErrUnknownCommand},
		{"kind -1", framedCommands(1, "\x92\xff\xa0"), ErrMalformed}, {"a command that is a number", framedCommands(1, "\x01\x01\x01"), ErrMalformed},
		{"a map", framedCommands(1, "\x81\x06\xa0"), ErrMalformed}, {"no kind", framedCommands(1, "\x90\x90\x90"), ErrMalformed},
		{"a field less", framedCommands(1, "\x98\x01\xa0\xa1k\x00\xc2\xa1s\xa1u\x01"), ErrMalformed},
		{"a field more", framedCommands(1, "\x9a"+place[1:]+"\xc0"), ErrMalformed},
		{"a field less declared", framedCommands(1, "\x98"+place[1:]), ErrMalformed},
		{"a field more declared", framedCommands(1, "\x9a"+place[1:]), ErrMalformed},
		{"an element more declared, of an administrative command", framedCommands(1, "\x93\x11\x91\x05"), ErrMalformed},
		{"a byte between", framedCommands(1, place+"\xc0"), ErrMalformed},
		{"qty in a long form", framedCommands(1, "\x99\x01\xa0\xa1k\x00\xc2\xa1s\xa1u\xcc\x01\xa0"), ErrMalformed},
		{"qty of nil", framedCommands(1, "\x99\x01\xa0\xa1k\x00\xc2\xa1s\xa1u\xc0\xa0"), ErrMalformed},
		{"a name of 129", framedCommands(1, "\x92\x06\xd9\x81"+strings.Repeat("x", 129)), ErrMalformed},
		{"partition 1024", framedCommands(1, "\x97\x02\xa0\xa0\x00\xc2\x94\x00\xcd\x04\x00\x00\x01\xa0"), ErrMalformed},
		{"SKU number -1", framedCommands(1, "\x97\x02\xa0\xa0\x00\xc2\x94\x00\x00\xff\x01\xa0"), ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if p, err := DecodeProposal(c.data); !errors.Is(err, c.want) {
				t.Fatalf("%+v, %v, want %v", p, err, c.want)
			}
		})
	}
}

// The library's hazards, each in the body of an administrative command.
func TestDecodeRefusesWhatTheLibraryTakes(t *testing.T) {
	const open = "\x92\x11" // [17, body]
	for _, c := range []struct{ name, elements string }{
		{"-1 into uint64", open + "\x91\xff"}, {"signed form", open + "\x91\xd0\x05"}, {"long form", open + "\x91\xcc\x05"},
		{"nil for a number", open + "\x91\xc0"}, {"nil for the body", open + "\xc0"}, {"an empty body", open + "\x90"},
		{"a map for the body", open + "\x81\xa4Term\x05"}, {"a key twice", open + "\x82\xa4Term\x05\xa4Term\x06"},
		{"a field more", open + "\x92\x05\x05"}, {"a float", open + "\x91\xcb\x40\x14\x00\x00\x00\x00\x00\x00"},
		{"a body and another", open + "\x91\x05\x91\x05"}, {"no body", "\x91\x11"}, {"two bodies", "\x93\x11\x91\x05\x91\x05"},
		{"a 2 GiB array", "\x92\x10\x93\x01\xdd\x7f\xff\xff\xff"}, {"a 4 GiB string", "\x92\x15\x97\xdb\xff\xff\xff\xff"},
		{"a partition above 16 bits", "\x92\x10\x93\x01\x91\xce\x00\x01\x00\x00\x94\x01\x01\x01\x01"},
		{"a partition above 1023", "\x92\x10\x93\x01\x91\xcd\x04\x00\x94\x01\x01\x01\x01"},
		{"a negative partition", "\x92\x10\x93\x01\x91\xff\x94\x01\x01\x01\x01"},
		{"1025 partitions", "\x92\x10\x93\x01\xdc\x04\x01" + strings.Repeat("\x01", 1025) + "\x94\x01\x01\x01\x01"},
		{"a number for a string", "\x92\x15\x97\x01\xa0\x00\xc2\xa0\xc3\xc3"},
		{"deep nesting", open + strings.Repeat("\x91", 200_000) + "\x05"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := framedCommands(1, c.elements)
			var err error
			spent := allocated(func() { _, err = DecodeProposal(data) })
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v, want ErrMalformed", err)
			}
			if limit := allocationBound(data); spent > limit {
				t.Fatalf("%d bytes allocated for %d, bound %d", spent, len(data), limit)
			}
		})
	}
	if _, err := DecodeProposal(framedCommands(1, open+"\x91\x05")); err != nil {
		t.Fatalf("the model of the bad ones: %v", err)
	}
}

// allocated returns how many bytes f allocates, and whatever else runs meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// allocationBound is what decoding may allocate: the shortest commands grow most, an administrative one of 4 bytes to a few hundred.
func allocationBound(data []byte) uint64 { return 128*uint64(len(data)) + 128<<10 }
