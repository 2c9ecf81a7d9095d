package stock

import (
	"fmt"
	"testing"
)

// Two replicas, of which one has somebody to answer and the other has not, have the same state, be the SKU's ledger in the shard or away.
func TestUnheardCommandsDoTheSame(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("away=%v", away), func(t *testing.T) {
			var hashes [2]uint64
			for i, unheard := range []bool{false, true} {
				b := NewBook()
				b.Apply(b.Begin(Header{Clock: 1}, 1), &Init{Partitions: []Partition{PartitionOf("shoe")}, Settings: DefaultSettings()})
				b.Apply(b.Begin(Header{Clock: 2}, 2), &Create{Spec: Spec{
					SKU: "shoe", Stock: 3, Mode: ModeHold, HoldTTLMS: 100, LimitPerUser: 1, MaxQty: 1,
				}})
				var l *Ledger
				if away {
					l = b.Detach(1)
				}
				accepted := 0
				for n := range 8 {
					c := &Place{Meta: Meta{Key: fmt.Sprint("k", n/2)}, SKU: "shoe", User: fmt.Sprint("u", n/2), Qty: 1}
					at := b.Begin(Header{Clock: Time(3 + n)}, uint64(3+n))
					switch {
					case unheard && away:
						l.ApplyUnheard(at, c)
					case unheard:
						if out := b.ApplyUnheard(at, c); out.Code == OK && !out.Replayed && out.Order != nil {
							t.Error("an order is shown to nobody")
						}
					case away:
						if out := l.Apply(at, c); out.Order != nil {
							accepted++
						}
					default:
						if out := b.Apply(at, c); out.Order != nil {
							accepted++
						}
					}
				}
				if !unheard && accepted != 6 {
					t.Fatalf("vacuous: %d accepted, half of them again", accepted)
				}
				if hashes[i] = b.Hash(); away {
					hashes[i] += l.Hash()
				}
			}
			if hashes[0] != hashes[1] {
				t.Error("the states differ")
			}
		})
	}
}
