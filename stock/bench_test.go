package stock

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkApply is one order in the ledger of one SKU: key, limit, stored order, hash.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name string
		make func(i int) Command
	}{
		{"work=place", func(i int) Command { return order("shoe", fmt.Sprint("user-", i), fmt.Sprint("key-", i), 1) }},
		{"work=replay", func(int) Command { return order("shoe", "user-0", "key-0", 1) }},
		{"work=refused", func(i int) Command { return order("shoe", "user-0", fmt.Sprint("other-", i), 1) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			const ahead = 1 << 16
			l := bigLedger()
			l.Apply(Position{Index: 1, Now: 1}, order("shoe", "user-0", "key-0", 1))
			commands := make([]Command, ahead)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%ahead == 0 {
					b.StopTimer()
					for k := range commands {
						commands[k] = c.make(i + k + 1)
					}
					b.StartTimer()
				}
				l.Apply(Position{Index: uint64(i), Now: Time(i)}, commands[i%ahead])
			}
		})
	}
}

func bigLedger() *Ledger {
	spec := Spec{SKU: "shoe", Stock: MaxStock, Mode: ModeHold, HoldTTLMS: MaxHoldTTLMS, LimitPerUser: 1, MaxQty: 1}
	settings := DefaultSettings()
	settings.MaxOpenOrders = maxInt64
	return newLedger(spec, 1, 0, settings, nil)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkSnapshot writes and reads a million orders.
func BenchmarkSnapshot(b *testing.B) {
	const orders = 1_000_000
	book, apply := shard(b)
	apply(1, create("shoe", MaxStock))
	for i := range orders {
		apply(2, order("shoe", fmt.Sprintf("user-%08d", i), fmt.Sprintf("key-%08d", i), 1))
	}
	var buf bytes.Buffer
	b.Run("work=write/orders=1M", func(b *testing.B) {
		for b.Loop() {
			buf.Reset()
			if _, err := book.Cut().WriteTo(&buf); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(buf.Len())/orders, "B/order")
	})
	b.Run("work=read/orders=1M", func(b *testing.B) {
		for b.Loop() {
			if _, err := ReadSnapshot(bytes.NewReader(buf.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
	})
}
