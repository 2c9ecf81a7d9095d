package stock

import (
	"bytes"
	"fmt"
	"testing"
)

// shard returns a book that owns every partition and a function that applies commands to it, one entry each.
func shard(t testing.TB) (*Book, func(now Time, c Command) Outcome) {
	t.Helper()
	b := NewBook()
	index := uint64(0)
	apply := func(now Time, c Command) Outcome {
		index++
		return b.Apply(b.Begin(Header{Clock: now}, index), c)
	}
	all := make([]Partition, Partitions)
	for i := range all {
		all[i] = Partition(i)
	}
	apply(0, &Init{Partitions: all, Settings: DefaultSettings()})
	return b, apply
}

func create(sku string, stock int64) *Create {
	return &Create{Meta: Meta{Key: "create-" + sku}, Spec: Spec{SKU: sku, Stock: stock, Mode: ModeHold, HoldTTLMS: 1000, MaxQty: 100}}
}

func order(sku, user, key string, qty int64) *Place {
	return &Place{Meta: Meta{Key: key}, SKU: sku, User: user, Qty: qty}
}

// A public demo of the field sells one too many because of a comparison with >=; others refuse the very first buyer.
func TestSellsExactlyN(t *testing.T) {
	for _, n := range []int64{1, 2, 10, 100_000} {
		t.Run(fmt.Sprintf("stock=%d", n), func(t *testing.T) {
			b, apply := shard(t)
			apply(1, create("shoe", n))
			var sold int64
			for i := range min(100*n, n+100_000) {
				out := apply(2, order("shoe", fmt.Sprint("u", i), fmt.Sprint("k", i), 1))
				switch {
				case out.Code == OK:
					sold++
				case i == 0:
					t.Fatalf("the first buyer was refused: %v", out.Code)
				case out.Code != SoldOutPending:
					t.Fatalf("order %d: %v", i, out.Code)
				}
			}
			if sku := b.slots[0].ledger.View(); sold != n || sku.Held != n || sku.Available != 0 {
				t.Fatalf("sold %d of %d, %+v", sold, n, sku)
			}
		})
	}
}

// The full recomputation of the hash at every cut equals the one kept up with each change; a restored state goes on alike.
func TestSnapshotThenLogEqualsLog(t *testing.T) {
	commands := func(i int) (Time, Command) {
		id := OrderID{Partition: PartitionOf("shoe"), SKU: 1, Counter: uint64(i/3 + 1)}
		now := Time(10 + i*7)
		switch i % 9 {
		case 0, 1, 2, 3:
			return now, order("shoe", fmt.Sprint("u", i%5), fmt.Sprint("k", i), int64(i%3+1))
		case 4:
			return now, &Confirm{Meta: Meta{Key: fmt.Sprint("c", i)}, Order: id, PaymentID: "p"}
		case 5:
			return now, &Cancel{Meta: Meta{Key: fmt.Sprint("x", i)}, Order: id}
		case 6:
			return now, &Return{Meta: Meta{Key: fmt.Sprint("r", i)}, Order: id, Qty: 1, Restock: i%2 == 0}
		case 7:
			return now, &Fence{Meta: Meta{Key: fmt.Sprint("k", i+2)}, SKU: "shoe"}
		}
		return now, &Adjust{Meta: Meta{Key: fmt.Sprint("a", i)}, SKU: "shoe", Delta: int64(i%5 - 1)}
	}
	const steps = 400
	b, apply := shard(t)
	apply(1, create("shoe", 50))
	var copies []*Book
	for i := range steps {
		now, c := commands(i)
		want := apply(now, c)
		for _, restored := range copies {
			if got := restored.Apply(restored.Begin(Header{Clock: now}, b.index), c); got.Code != want.Code {
				t.Fatalf("step %d: restored says %v, want %v", i, got.Code, want.Code)
			}
		}
		if i%40 == 0 {
			copies = append(copies, restored(t, b))
		}
	}
	for i, c := range copies {
		if c.Hash() != b.Hash() {
			t.Errorf("copy %d has another hash", i)
		}
		if !bytes.Equal(snapshot(t, c), snapshot(t, b)) {
			t.Errorf("copy %d has another snapshot", i)
		}
	}
}

func snapshot(t testing.TB, b *Book) []byte {
	t.Helper()
	var buf bytes.Buffer
	if _, err := b.Cut().WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func restored(t testing.TB, b *Book) *Book {
	t.Helper()
	r, err := ReadSnapshot(bytes.NewReader(snapshot(t, b)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Hash() != b.Hash() {
		t.Fatal("restored state has another hash")
	}
	return r
}

// A broken invariant freezes the SKU for good and nothing else.
func TestBrokenInvariantFreezes(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 5))
	apply(1, create("hat", 5))
	b.slots[0].ledger.available++
	apply(2, order("shoe", "u", "k1", 1))
	if out := apply(3, order("shoe", "u", "k2", 1)); out.Code != Frozen || !b.slots[0].ledger.Broken() {
		t.Fatalf("a ledger that does not add up answers %v", out.Code)
	}
	if out := apply(3, &Freeze{Meta: Meta{Key: "f"}, SKU: "shoe"}); out.Code != Frozen {
		t.Fatalf("unfreeze of a broken SKU: %v", out.Code)
	}
	if out := apply(3, order("hat", "u", "k3", 1)); out.Code != OK {
		t.Fatalf("the other SKU: %v", out.Code)
	}
}

func TestSnapshotRefusesDamage(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 5))
	apply(2, order("shoe", "u", "k1", 1))
	whole := snapshot(t, b)
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			damaged := bytes.Clone(whole)
			damaged[i] ^= bit
			if _, err := ReadSnapshot(bytes.NewReader(damaged)); err == nil {
				t.Fatalf("byte %d flipped by %#x was read", i, bit)
			}
		}
		if _, err := ReadSnapshot(bytes.NewReader(whole[:i])); err == nil {
			t.Fatalf("the first %d of %d bytes were read", i, len(whole))
		}
	}
}
