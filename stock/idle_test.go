package stock

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"unsafe"
)

// Nothing that an idle SKU is asked or told writes to what idle SKUs have in common, and the SKU is, and is restored, as small as before.
func TestIdleSKUsShareWhatNobodyWrites(t *testing.T) {
	b, apply := shard(t)
	for i := range 3 {
		apply(1, create(fmt.Sprint("sku-", i), 5))
	}
	l, id := b.slots[0].ledger, OrderID{Partition: PartitionOf("sku-0"), SKU: 1, Counter: 1}
	var w Window
	for i, ask := range []func(){
		func() { apply(2, &SetSettings{Meta: Meta{Key: "s"}, Settings: DefaultSettings()}) },
		func() { apply(3, &FlushMark{Index: b.Index()}) },
		func() { apply(3, &FlushSpan{Index: b.Index(), First: 1, Last: 2}) },
		func() { apply(4, &RaiseLevel{Level: Level}); apply(4, &RaiseEpoch{Epoch: 3}) },
		func() {
			l.Read(&GetOrder{Order: id})
			l.Read(&GetOutcome{SKU: "sku-0", Key: "k"})
			l.Read(&GetSKU{SKU: "sku-0"})
		},
		func() {
			w.Admit(l, 5, &Flight{Req: order("sku-0", "u", "k", 1)})
			w.Admit(l, 5, &Flight{Req: order("sku-0", "u", "l", 9)})
		},
		func() {
			w.Admit(l, 5, &Flight{Req: &Confirm{Order: id}})
			w.Admit(l, 5, &Flight{Req: &Fence{SKU: "sku-0"}})
		},
		func() { b.NextDue(); b.TakeDue(9); b.Recall(); b.Evictable(9, 9, 0, 10); b.Hash() },
		func() { b.Changes(Span{Limit: 10}); l.Orders(); l.Live(); l.View(); l.Availability() },
		func() { b.Attach(b.Detach(1)) },
	} {
		ask()
		again := restored(t, b)
		if !l.idle() || !again.slots[0].ledger.idle() || !reflect.DeepEqual(*noTables, tables{}) {
			t.Fatalf("%d: the SKU is idle: %v, restored: %v; what idle ones share is %+v", i, l.idle(), again.slots[0].ledger.idle(), *noTables)
		}
	}
	before, hash := snapshot(t, b), b.Hash()
	for range 2 { // a cut of an idle SKU and one that goes on
		cut := b.Cut()
		apply(6, order("sku-0", "u", "k", 1))
		if l.idle() || b.slots[1].ledger.idle() != true || len(l.Orders()) != 1 || b.slots[1].ledger.Live() != 0 {
			t.Fatal("an order is with another SKU, or with none")
		}
		var buf bytes.Buffer
		if _, err := cut.WriteTo(&buf); err != nil || cut.Hash() != hash || !bytes.Equal(buf.Bytes(), before) {
			t.Fatalf("the cut changed with the SKU, %v", err)
		}
		before, hash = snapshot(t, b), b.Hash()
	}
	if n := unsafe.Sizeof(Ledger{}); n > 288 {
		t.Errorf("a ledger takes %d bytes", n)
	}
}

// What a SKU was created with stands beside what it is now.
func TestCreationIsKept(t *testing.T) {
	for name, change := range map[string]func(apply func(Time, Command) Outcome){
		"limit": func(apply func(Time, Command) Outcome) {
			apply(2, &Update{Meta: Meta{Key: "u"}, SKU: "tea", Patch: Patch{LimitPerUser: new(int64)}})
		},
		"stock": func(apply func(Time, Command) Outcome) { apply(2, &Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: 3}) },
		"return": func(apply func(Time, Command) Outcome) {
			id := apply(2, order("tea", "u", "k", 1)).Order.ID
			apply(2, &Confirm{Order: id, PaymentID: "p"})
			apply(2, &Return{Meta: Meta{Key: "r"}, Order: id})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, apply := shard(t)
			c := create("tea", 9)
			c.Spec.LimitPerUser = 4
			apply(1, c)
			change(apply)
			for _, b := range []*Book{b, restored(t, b)} {
				l := b.slots[0].ledger
				if l.spec == c.Spec || *l.created() != c.Spec {
					t.Errorf("created as %+v and now %+v", *l.created(), l.spec)
				}
			}
			again := *c
			again.Meta.Key = "again"
			if out := apply(3, &again); out.Code != OK || !out.Replayed {
				t.Errorf("the same creation again: %+v", out)
			}
		})
	}
}

// A restored ledger keeps nothing alive of the head that it was read from.
func TestRestoredCreationIsItsOwn(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("tea", 9))
	apply(2, &Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: 3})
	h := b.slots[0].ledger.head()
	l := newLedger(h.Spec, h.Number, h.Epoch, h.Settings, nil)
	if err := l.restore(&h); err != nil {
		t.Fatal(err)
	}
	if l.created() == &h.Creation || *l.created() != h.Creation || l.created().Stock != 9 {
		t.Errorf("the creation is %+v, part of a head: %v", *l.created(), l.created() == &h.Creation)
	}
}
