package stock

import (
	"fmt"
	"testing"
	"unsafe"
)

// Texts of a command share memory with a whole request or log entry. A state that kept one would keep all of it.
func TestStateKeepsNoMemoryOfItsCommands(t *testing.T) {
	entry := "shoe user key retried refund adjusted reason caller ref payment"
	text := func(s string) string {
		for i := range entry {
			if len(entry)-i >= len(s) && entry[i:i+len(s)] == s {
				return entry[i : i+len(s)]
			}
		}
		t.Fatalf("no %q", s)
		return ""
	}
	b, apply := shard(t)
	meta := func(key string) Meta {
		return Meta{Caller: text("caller"), Key: text(key), Deadline: 1000, Retry: key == "retried"}
	}
	c := create(text("shoe"), 1)
	c.Meta = meta("key")
	id := OrderID{Partition: PartitionOf("shoe"), SKU: 1, Counter: 1}
	for _, c := range []Command{
		c,
		&Place{Meta: meta("key"), SKU: text("shoe"), User: text("user"), Qty: 1, ClientRef: text("ref")},
		&Place{Meta: meta("retried"), SKU: text("shoe"), User: text("user"), Qty: 1},
		&Confirm{Meta: meta("key"), Order: id, PaymentID: text("payment")},
		&Return{Meta: meta("refund"), Order: id},
		&Adjust{Meta: meta("adjusted"), SKU: text("shoe"), Delta: 1, Reason: text("reason")},
	} {
		apply(1, c)
	}
	l := b.slots[0].ledger
	row, a, rt := l.find(1), l.adjusts[0], l.returns.at(0)
	kept := []string{
		b.slots[0].name, l.spec.SKU, l.created().SKU, l.callers[0],
		a.Caller, a.Key, a.Reason, a.SKU.SKU, rt.key,
	}
	for _, m := range l.memory.list {
		kept = append(kept, m.Key.Caller, m.Key.Key)
	}
	for k := range l.returnKeys {
		kept = append(kept, k.key)
	}
	for _, b := range [][]byte{row.key, row.clientRef, row.paymentID, l.users.person(0).name} {
		kept = append(kept, unsafe.String(unsafe.SliceData(b), len(b)))
	}
	from := uintptr(unsafe.Pointer(unsafe.StringData(entry)))
	for i, s := range kept {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(s))); s == "" || at >= from && at < from+uintptr(len(entry)) {
			t.Errorf("text %d, %q, shares memory with its command", i, s)
		}
	}
	if len(kept) < 17 {
		t.Errorf("vacuous: %d texts", len(kept))
	}
}

// A crowd of remembered outcomes that end together is forgotten little by little, and none is answered meanwhile.
func TestMemoryForgetsInBatches(t *testing.T) {
	var m memory
	const n = 1000
	key := func(i int) memoryKey { return memoryKey{Space: spaceRefusals, Key: fmt.Sprint(i)} }
	m.remember(key(0), 500, 1, refuse(SoldOut))
	for i := 1; i < n; i++ {
		m.remember(key(i), 100, 1, refuse(SoldOut))
	}
	m.forget(499)
	if _, ok := m.recall(key(1), 100); ok || len(m.list) != n {
		t.Fatalf("what is over is answered, or %d of %d are left behind one that is not over", len(m.list), n)
	}
	for left := n; left > 0; {
		m.forget(500)
		if left -= min(left, forgetBatch); len(m.list) != left || len(m.index) != left {
			t.Fatalf("%d and %d are left, want %d", len(m.list), len(m.index), left)
		}
	}
	if m.list != nil {
		t.Error("an empty list is not nil, so it is written otherwise")
	}
}
