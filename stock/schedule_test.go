package stock

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A schedule gives its entries back in order, whatever was taken out of its middle.
func TestSchedule(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var s schedule
		var model []scheduled
		for i := range uint64(dice.IntN(60)) {
			e := scheduled{Time(dice.IntN(10)), i}
			s.push(e)
			model = append(model, e)
			if dice.IntN(3) == 0 {
				at := dice.IntN(len(s))
				gone := s[at]
				s.remove(at)
				model = slices.DeleteFunc(model, func(e scheduled) bool { return e == gone })
			}
		}
		slices.SortFunc(model, func(a, b scheduled) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.counter, b.counter)) })
		for _, want := range model {
			if s[0] != want {
				t.Fatalf("%v, want %v", s[0], want)
			}
			s.pop()
		}
		if len(s) != 0 {
			t.Fatalf("%d are left", len(s))
		}
	}
}

// Orders that were settled long before their deadlines, and orders that changed again after they were settled, leave no growing trace in the
// schedules, and what is due is still found in time.
func TestSchedulesForgetWhatIsOutOfDate(t *testing.T) {
	b, apply := shard(t)
	c := create("shoe", 1_000_000)
	c.Spec.HoldTTLMS, c.Spec.MaxQty = MaxHoldTTLMS, 100
	apply(1, c)
	l := b.slots[0].ledger
	var left []OrderID
	for i := range 20_000 {
		id := apply(2, order("shoe", "u", fmt.Sprint("k", i), 3)).Order.ID
		if i%1000 == 0 {
			left = append(left, id)
			continue
		}
		apply(Time(3+i), &Confirm{Meta: Meta{Key: "c"}, Order: id, PaymentID: "p"})
		for r := range i % 3 {
			apply(Time(4+i+r), &Return{Meta: Meta{Key: fmt.Sprint("r", i, r)}, Order: id, Qty: 1, Restock: true})
		}
		if due, settled := l.due.len(), l.settled.len(); due > 2*len(left)+tidyFrom+tidySteps || settled > 2*i+tidyFrom+tidySteps {
			t.Fatalf("after %d orders %d deadlines and %d changes are kept", i, due, settled)
		}
	}
	if l.due.room() > 8*tidyFrom {
		t.Errorf("room for %d deadlines is kept", l.due.room())
	}
	for i := range left {
		at, ok := b.NextDue()
		if !ok {
			t.Fatalf("%d of %d deadlines are left", i, len(left))
		}
		apply(at, &Expire{SKU: "shoe"})
	}
	if v := l.View(); v.Held != 0 {
		t.Errorf("%+v", v)
	}
}
