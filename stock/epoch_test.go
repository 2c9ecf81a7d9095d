package stock

import (
	"bytes"
	"errors"
	"testing"
)

// A restore takes up a shard whose later history was lost: what is ordered from there on has ids that no lost order can have had, whatever the
// counters say, and what was ordered before keeps its id and its key. It goes into the next snapshot, and never back.
func TestARaisedEpochKeepsIdsApart(t *testing.T) {
	book := NewBook()
	at := Position{Now: 1_000}
	apply := func(c Command) Outcome {
		at.Index++
		book.Begin(Header{Clock: at.Now}, at.Index)
		return book.Apply(at, c)
	}
	all := make([]Partition, Partitions)
	for i := range all {
		all[i] = Partition(i)
	}
	place := func(key string) OrderID {
		t.Helper()
		out := apply(&Place{Meta: Meta{Key: key}, SKU: "cup", User: "u", Qty: 1})
		if out.Order == nil {
			t.Fatalf("%s: %+v", key, out)
		}
		return out.Order.ID
	}
	apply(&Init{Epoch: 1, Partitions: all, Settings: DefaultSettings()})
	apply(&Create{Meta: Meta{Key: "c"}, Spec: Spec{SKU: "cup", Stock: 10, Mode: ModeOnOrder, HoldTTLMS: 1, MaxQty: 1}})
	before := place("k1")
	var backup bytes.Buffer
	if _, err := book.Cut().WriteTo(&backup); err != nil {
		t.Fatal(err)
	}
	lost := place("k2")

	var err error
	if book, err = ReadSnapshot(bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	hash := book.Hash()
	apply(&RaiseEpoch{Epoch: 2})
	if book.Hash() == hash || book.Epoch() != 2 {
		t.Fatalf("epoch %d, and the state has the hash it had", book.Epoch())
	}
	after := place("k3")
	if lost.Counter != after.Counter || lost == after || after.Epoch != 2 {
		t.Fatalf("the lost order is %v and the next one %v", lost, after)
	}
	if again := place("k1"); again != before {
		t.Fatalf("the order of before is %v now, it was %v", again, before)
	}
	for id, want := range map[OrderID]Code{before: OK, after: OK, lost: OrderNotFound} {
		o := book.Owner(&GetOrder{Order: id})
		if out := o.Ledger.Read(&GetOrder{Order: id}); out.Code != want {
			t.Errorf("%v: %v, want %v", id, out.Code, want)
		}
	}
	if apply(&RaiseEpoch{Epoch: 1}); book.Epoch() != 2 || place("k4").Epoch != 2 {
		t.Fatal("the epoch went back")
	}
	apply(&Create{Meta: Meta{Key: "c2"}, Spec: Spec{SKU: "pot", Stock: 1, Mode: ModeOnOrder, HoldTTLMS: 1, MaxQty: 1}})
	if out := apply(&Place{Meta: Meta{Key: "p"}, SKU: "pot", User: "u", Qty: 1}); out.Order == nil || out.Order.ID.Epoch != 2 {
		t.Fatalf("an order of a SKU of this epoch: %+v", out)
	}
	var next bytes.Buffer
	if _, err := book.Cut().WriteTo(&next); err != nil {
		t.Fatal(err)
	}
	if again, err := ReadSnapshot(&next); err != nil || again.Epoch() != 2 || again.Hash() != book.Hash() {
		t.Fatalf("the next snapshot: %v", err)
	}
}

// An epoch beyond what an order's id has room for is not written.
func TestAnEpochHasABound(t *testing.T) {
	w := NewProposalWriter(0)
	if err := w.Add(&RaiseEpoch{Epoch: MaxEpoch + 1}); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
}
