package stock

import (
	"fmt"
	"testing"
)

// BenchmarkShard is one order in a shard of many SKUs, with what the shard does around its ledger.
func BenchmarkShard(b *testing.B) {
	for _, skus := range []int{1, 1000} {
		b.Run(fmt.Sprintf("skus=%d", skus), func(b *testing.B) {
			const ahead = 1 << 16
			book, apply := shard(b)
			for i := range skus {
				apply(1, create(fmt.Sprint("sku-", i), MaxStock))
			}
			book.BoundJournal(1 << 20)
			commands := make([]Command, ahead)
			index := book.Index()
			for i := 0; b.Loop(); i++ {
				if i%ahead == 0 {
					b.StopTimer()
					for k := range commands {
						commands[k] = order(fmt.Sprint("sku-", k%skus), fmt.Sprint("user-", i+k), fmt.Sprint("key-", i+k), 1)
					}
					b.StartTimer()
				}
				if i%256 == 0 {
					index++
					book.Begin(Header{Clock: 2}, index)
				}
				book.Apply(Position{Index: index, Now: 2}, commands[i%ahead])
			}
		})
	}
}

// BenchmarkHashMark is what a mark costs the actor of a shard whose SKUs have all changed since the last, and when one has.
func BenchmarkHashMark(b *testing.B) {
	const skus = 100_000
	book, apply := shard(b)
	for i := range skus {
		apply(1, create(fmt.Sprint("sku-", i), 10))
	}
	for _, changed := range []int{1, skus} {
		b.Run(fmt.Sprintf("skus=%d/changed=%d", skus, changed), func(b *testing.B) {
			for b.Loop() {
				for _, s := range book.slots[:changed] {
					book.change(s)
				}
				book.Hash()
			}
		})
	}
}
