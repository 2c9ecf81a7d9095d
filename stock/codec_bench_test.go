package stock

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// libraryPlace is Place as msgpack/v5 sees it by reflection: the rival of the encoding by hand.
type libraryPlace struct {
	Kind     uint8
	Caller   string
	Key      string
	Deadline int64
	Retry    bool
	SKU      string
	User     string
	Qty      int64
	Ref      string
}

const (
	benchKey  = "7f9c24e8-3b12-4fef-91e0-5b6d6f8a2c11"
	benchUser = "user-123456"
	benchSKU  = "sneaker-42"
	// benchOrders is how many orders stand in one proposal of the benchmarks.
	benchOrders = 1000
)

func benchPlace() *Place {
	return &Place{Meta: Meta{Key: benchKey, Deadline: 1_700_000_005_000}, SKU: benchSKU, User: benchUser, Qty: 1}
}

func benchProposal(b *testing.B, orders int) []byte {
	b.Helper()
	w := NewProposalWriter(1 << 30)
	for range orders {
		if err := w.Add(benchPlace()); err != nil {
			b.Fatal(err)
		}
	}
	return w.Seal(1)
}

// perOrder reports what a proposal of so many orders costs for one of them.
func perOrder(b *testing.B, orders, bytes int) {
	n := float64(b.N) * float64(orders)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/order")
	b.ReportMetric(float64(bytes)/float64(orders), "B/order")
}

func BenchmarkEncode(b *testing.B) {
	b.Run("command=place/by=hand", func(b *testing.B) {
		w, c := NewProposalWriter(1<<30), benchPlace()
		b.ReportAllocs()
		for b.Loop() {
			w.Reset(Header{})
			for range benchOrders {
				if err := w.Add(c); err != nil {
					b.Fatal(err)
				}
			}
		}
		perOrder(b, benchOrders, w.Len()-commandsAt)
	})
	b.Run("command=place/by=msgpack-v5", func(b *testing.B) {
		var buf bytes.Buffer
		e, c := msgpack.NewEncoder(&buf), &libraryPlace{Kind: 1, Key: benchKey, Deadline: 1_700_000_005_000, SKU: benchSKU, User: benchUser, Qty: 1}
		e.UseCompactInts(true)
		e.UseArrayEncodedStructs(true)
		b.ReportAllocs()
		for b.Loop() {
			buf.Reset()
			for range benchOrders {
				if err := e.Encode(c); err != nil {
					b.Fatal(err)
				}
			}
		}
		perOrder(b, benchOrders, buf.Len())
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, orders := range []int{1, 100, benchOrders} {
		b.Run(fmt.Sprintf("orders=%d", orders), func(b *testing.B) {
			w, c := NewProposalWriter(1<<30), benchPlace()
			b.ReportAllocs()
			length := 0
			for b.Loop() {
				w.Reset(Header{})
				for range orders {
					if err := w.Add(c); err != nil {
						b.Fatal(err)
					}
				}
				length = len(w.Seal(1))
			}
			perOrder(b, orders, length)
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, orders := range []int{1, benchOrders} {
		data := benchProposal(b, orders)
		b.Run(fmt.Sprintf("command=place/orders=%d/by=hand", orders), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeProposal(data); err != nil {
					b.Fatal(err)
				}
			}
			perOrder(b, orders, len(data))
		})
		b.Run(fmt.Sprintf("command=place/orders=%d/by=msgpack-v5", orders), func(b *testing.B) {
			d, in := msgpack.NewDecoder(nil), bytes.NewReader(nil)
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(data[commandsAt:])
				d.Reset(in)
				commands := make([]*libraryPlace, orders)
				for i := range commands {
					commands[i] = new(libraryPlace)
					if err := d.Decode(commands[i]); err != nil {
						b.Fatal(err)
					}
				}
			}
			perOrder(b, orders, len(data))
		})
	}
}

func BenchmarkPeekHeader(b *testing.B) {
	data := benchProposal(b, benchOrders)
	for b.Loop() {
		if _, _, err := PeekHeader(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	value := "\xdc\x03\xe8" + strings.Repeat("\xcd\x03\xe8", 1000)
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := scanValue(value, 16); err != nil {
			b.Fatal(err)
		}
	}
}
