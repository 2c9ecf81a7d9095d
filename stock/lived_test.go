package stock

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// life runs random commands on a SKU of many pages; orders come in bursts, and most of them leave memory.
type life struct {
	r    *rand.Rand
	now  Time
	next int
	ids  []OrderID
}

func (f *life) command(index uint64) Command {
	f.now += Time(f.r.IntN(3))
	pick := func() OrderID { return f.ids[max(0, len(f.ids)-1-f.r.IntN(600))] }
	meta := Meta{Key: fmt.Sprint("x", f.r.IntN(2*f.next+1))}
	switch n := f.r.IntN(20); {
	case n < 9 || len(f.ids) == 0:
		f.next++
		user := fmt.Sprint("u", f.r.IntN(f.next))
		head := Meta{Caller: []string{"", "shop"}[n%2], Key: fmt.Sprint("k", f.next-f.r.IntN(3))}
		return &Place{Meta: head, SKU: "shoe", User: user, Qty: int64(1 + n%3), ClientRef: user[:n%2]}
	case n < 12:
		return &Confirm{Order: pick(), PaymentID: fmt.Sprint("pay-", f.r.IntN(9))}
	case n < 14:
		return &Cancel{Order: pick()}
	case n < 16:
		return &Return{Meta: meta, Order: pick(), Qty: int64(n % 2), Restock: true}
	case n < 17:
		return &Fence{Meta: meta, SKU: "shoe"}
	case n < 18:
		return &Expire{SKU: "shoe"}
	case n < 19 && f.next%4 == 0:
		return &Update{Meta: meta, SKU: "shoe", Patch: Patch{HoldTTLMS: new(int64(1 + f.r.IntN(2000)))}}
	}
	return &FlushMark{Index: index - uint64(f.r.IntN(100))}
}

// A shard that lived, one that was restored from its snapshot now and then, and one that is read while it goes on are the same: in what they answer,
// their hashes, their snapshots, and what falls due next.
func TestLivedAndRestoredAreTheSame(t *testing.T) {
	for seed := range uint64(3) {
		lived, apply := shard(t)
		apply(1, &SetSettings{Meta: Meta{Key: "s"}, Settings: Settings{RetentionMS: 300, MaxOpenOrders: 1e6, ExpiryBatch: 7, EvictBatch: 40}})
		apply(1, create("shoe", 1e6))
		other := restored(t, lived)
		f := &life{r: rand.New(rand.NewPCG(seed, 7)), now: 1}
		var wg sync.WaitGroup
		for step := range 12_000 {
			index := lived.Index() + 1
			c := f.command(index)
			h := Header{Clock: f.now}
			out, again := lived.Apply(lived.Begin(h, index), c), other.ApplyUnheard(other.Begin(h, index), c)
			if p, ok := c.(*Place); ok && out.Code == OK && !out.Replayed {
				f.ids = append(f.ids, out.Order.ID)
				if again = other.Owner(p).Ledger.Read(&GetOrder{Order: out.Order.ID}); again.Order.Key != p.Key || again.Order.User != p.User {
					t.Fatalf("seed %d, step %d: %+v became %+v", seed, step, p, again.Order)
				}
			} else if !bytes.Equal(marshal(out), marshal(again)) {
				t.Fatalf("seed %d, step %d, %+v: %+v, restored %+v", seed, step, c, out, again)
			}
			at, ok := lived.NextDue()
			if due, waits := other.NextDue(); at != due || ok != waits || lived.Hash() != other.Hash() {
				t.Fatalf("seed %d, step %d, %+v: another state", seed, step, c)
			}
			if step%400 != 399 {
				continue
			}
			cut, want := lived.Cut(), snapshot(t, lived)
			wg.Go(func() {
				var buf bytes.Buffer
				if _, err := cut.WriteTo(&buf); err != nil || !slices.Equal(buf.Bytes(), want) {
					t.Errorf("seed %d, step %d: the cut changed while it was written, %v", seed, step, err)
				}
			})
			if other = restored(t, other); !bytes.Equal(snapshot(t, other), want) {
				t.Fatalf("seed %d, step %d: another snapshot", seed, step)
			}
		}
		wg.Wait()
		l := lived.slots[0].ledger
		if l.rows.len() < 10*pageRows || l.Live()*2 > l.rows.len() || l.rows.pages[0] != nil {
			t.Errorf("vacuous: %d orders, %d in memory", l.rows.len(), l.Live())
		}
	}
}
