package stock

import (
	"bytes"
	"fmt"
	"math"
	"testing"
)

// A SKU whose counters do not add up stands still: every mutation is refused and changes nothing, reads and known keys are answered (rule R8).
func TestBrokenSKUStandsStill(t *testing.T) {
	b, apply := shard(t)
	settings := DefaultSettings()
	settings.RetentionMS = 10
	apply(1, &SetSettings{Meta: Meta{Key: "s"}, Settings: settings})
	apply(1, create("tea", 9))
	id := func(n uint64) OrderID { return OrderID{Partition: PartitionOf("tea"), SKU: 1, Counter: n} }
	for i := range 4 {
		apply(2, order("tea", "u", fmt.Sprint("k", i), 1))
	}
	apply(3, &Confirm{Meta: Meta{Key: "c"}, Order: id(1), PaymentID: "p"})
	apply(3, &Return{Meta: Meta{Key: "r"}, Order: id(1)})
	apply(3, &Confirm{Meta: Meta{Key: "c"}, Order: id(2), PaymentID: "p"})
	apply(3, &Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: 1})
	l := b.slots[0].ledger
	l.held--
	apply(4, &Expire{SKU: "tea"})
	if !l.Broken() || !l.View().Frozen || !l.Availability().Frozen {
		t.Fatal("not broken")
	}
	was, state := *l.View(), l.Orders()
	known := map[string]struct {
		c    Command
		want Code
	}{
		"place of a known key":        {order("tea", "u", "k0", 1), OK},
		"other body under a key":      {order("tea", "u", "k0", 2), IdempotencyKeyReused},
		"confirm of a paid order":     {&Confirm{Order: id(2), PaymentID: "p"}, OK},
		"confirm with another one":    {&Confirm{Order: id(2), PaymentID: "q"}, DuplicatePayment},
		"cancel of a sold order":      {&Cancel{Order: id(2)}, InvalidState},
		"return that was made":        {&Return{Meta: Meta{Key: "r"}, Order: id(1)}, OK},
		"adjustment that was made":    {&Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: 1}, OK},
		"fence of a taken key":        {&Fence{Meta: Meta{Key: "k0"}, SKU: "tea"}, OK},
		"creation as it was":          {create("tea", 9), OK},
		"order of another SKU":        {&Cancel{Order: OrderID{SKU: 7, Counter: 1}}, OrderNotFound},
		"place of a new key":          {order("tea", "u", "new", 1), Frozen},
		"confirm of a hold":           {&Confirm{Order: id(3), PaymentID: "p"}, Frozen},
		"cancel of a hold":            {&Cancel{Order: id(3)}, Frozen},
		"return":                      {&Return{Meta: Meta{Key: "r2"}, Order: id(2)}, Frozen},
		"adjustment":                  {&Adjust{Meta: Meta{Key: "a2"}, SKU: "tea", Delta: 1}, Frozen},
		"update":                      {&Update{Meta: Meta{Key: "u"}, SKU: "tea"}, Frozen},
		"unfreeze":                    {&Freeze{Meta: Meta{Key: "f"}, SKU: "tea"}, Frozen},
		"fence":                       {&Fence{Meta: Meta{Key: "new"}, SKU: "tea"}, Frozen},
		"expiry":                      {&Expire{SKU: "tea"}, Frozen},
		"flush mark, past retention":  {&FlushMark{Index: 100}, OK},
		"flush span, past retention":  {&FlushSpan{Index: 100, First: 1, Last: 9}, OK},
		"a new place, for one's life": {&Place{Meta: Meta{Key: "retry", Retry: true, Deadline: 1e6}, SKU: "tea", User: "u", Qty: 1}, Frozen},
	}
	for name, k := range known {
		if out := apply(5000, k.c); out.Code != k.want {
			t.Errorf("%s: %v, want %v", name, out.Code, k.want)
		}
	}
	if now := *l.View(); now != was || len(l.adjusts) != 1 || l.Evictable(5000, 100) {
		t.Errorf("it moved from %+v to %+v", was, now)
	}
	for i, o := range l.Orders() {
		if o != state[i] {
			t.Errorf("order %d moved to %+v", i, o)
		}
	}
	for _, q := range []Request{&GetOrder{Order: id(3)}, &GetOutcome{SKU: "tea", Key: "k0"}, &GetSKU{SKU: "tea"}} {
		if out := l.Read(q); out.Code != OK {
			t.Errorf("%T: %v", q, out.Code)
		}
	}
	if again := restored(t, b); !bytes.Equal(snapshot(t, again), snapshot(t, b)) || !again.slots[0].ledger.Broken() {
		t.Error("restored, it is another one")
	}
}

// No counter overflows, whatever the quantities (rule R8).
func TestCountersAtTheirBounds(t *testing.T) {
	b, apply := shard(t)
	c := create("tea", MaxStock)
	c.Spec.Mode, c.Spec.MaxQty = ModeOnPayment, MaxStock
	apply(1, c)
	accepted := 0
	for i := range 1100 { // 2^53 units each: 1024 of them would be one more than an int64 holds
		switch out := apply(2, order("tea", "u", fmt.Sprint("k", i), MaxStock)); out.Code {
		case OK:
			accepted++
		case InvalidValue:
			if out.Detail.Field != "qty" {
				t.Fatalf("field %q", out.Detail.Field)
			}
		default:
			t.Fatalf("order %d: %v", i, out.Code)
		}
	}
	if accepted != 1024 {
		t.Errorf("%d orders of 2^53-1 units are open for one user", accepted)
	}
	limit := int64(MaxStock)
	apply(3, &Update{Meta: Meta{Key: "u"}, SKU: "tea", Patch: Patch{LimitPerUser: &limit}})
	for name, c := range map[string]struct {
		c    Command
		want Code
	}{
		"one more, with a limit":    {order("tea", "u", "x", 1), LimitExceeded},
		"above every order":         {order("tea", "v", "x", math.MaxInt64), QtyAboveMax},
		"nothing":                   {order("tea", "v", "x", 0), InvalidValue},
		"less than nothing":         {order("tea", "v", "x", math.MinInt64), InvalidValue},
		"one unit more than all":    {&Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: 1}, InvalidValue},
		"all units that can be":     {&Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: math.MaxInt64}, InvalidValue},
		"all units and more, minus": {&Adjust{Meta: Meta{Key: "a"}, SKU: "tea", Delta: math.MinInt64}, InsufficientStock},
	} {
		if out := apply(4, c.c); out.Code != c.want {
			t.Errorf("%s: %v, want %v", name, out.Code, c.want)
		}
	}
	if l := b.slots[0].ledger; l.Broken() || l.available != MaxStock {
		t.Errorf("%+v", l.View())
	}
	// In flight, too: no sum of claims overflows, so no claim turns into room.
	w, l := &Window{}, b.slots[0].ledger
	for i := range 3 {
		f := &Flight{Req: &Place{Meta: Meta{Key: fmt.Sprint("f", i), Retry: true}, SKU: "tea", User: "w", Qty: math.MaxInt64}}
		if action, _ := w.Admit(l, 4, f); action != Propose || w.users["w"] != math.MaxInt64 {
			t.Errorf("flight %d: %v, claims %d", i, action, w.users["w"])
		}
	}
	if action, out := w.Admit(l, 4, &Flight{Req: order("tea", "w", "g", 1)}); action != Park {
		t.Errorf("%v %v", action, out.Code)
	}
}

func TestTimeSaturates(t *testing.T) {
	for _, c := range []struct {
		t    Time
		d    int64
		want Time
	}{
		{5, 7, 12}, {5, -7, -2}, {5, 0, 5}, {math.MaxInt64, 0, math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64}, {-5, math.MinInt64, -math.MaxInt64}, {math.MinInt64, -1, -math.MaxInt64},
	} {
		if got := c.t.Add(c.d); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.t, c.d, got, c.want)
		}
	}
	// A clock at the end of time breaks nothing: the hold just never ends.
	b, apply := shard(t)
	apply(math.MaxInt64-1, create("tea", 2))
	out := apply(math.MaxInt64, order("tea", "u", "k", 1))
	if out.Code != OK || out.Order.ExpiresAt != math.MaxInt64 {
		t.Errorf("%v, %+v", out.Code, out.Order)
	}
	apply(math.MaxInt64, &FlushMark{Index: 9})
	if b.slots[0].ledger.Broken() {
		t.Error("broken")
	}
}

// Settings out of range are refused by name and change nothing; a second Init changes nothing either.
func TestSettingsCheck(t *testing.T) {
	good := DefaultSettings()
	for _, c := range []struct {
		field string
		value *int64
		max   int64
	}{
		{"retention_ms", &good.RetentionMS, MaxRetentionMS}, {"max_open_orders_per_sku", &good.MaxOpenOrders, MaxStock},
		{"expiry_batch", &good.ExpiryBatch, MaxBatch}, {"evict_batch", &good.EvictBatch, MaxBatch},
	} {
		b, apply := shard(t)
		was := *c.value
		for _, v := range []int64{math.MinInt64, -1, 0, c.max + 1, math.MaxInt64} {
			*c.value = v
			out := apply(1, &SetSettings{Meta: Meta{Key: "s"}, Settings: good})
			if out.Code != InvalidValue || out.Detail.Field != c.field || b.settings != DefaultSettings() {
				t.Errorf("%s %d: %v", c.field, v, out)
			}
			if out := NewBook().Apply(Position{Index: 1}, &Init{Partitions: []Partition{1}, Settings: good}); out.Code != InvalidValue {
				t.Errorf("Init with %s %d: %v", c.field, v, out)
			}
		}
		for _, v := range []int64{1, c.max} {
			*c.value = v
			if out := apply(1, &SetSettings{Meta: Meta{Key: "s"}, Settings: good}); out.Code != OK || b.settings != good {
				t.Errorf("%s %d: %v", c.field, v, out)
			}
		}
		*c.value = was
		if apply(1, &Init{Epoch: 9, Partitions: []Partition{1}, Settings: good}); b.epoch != 0 || !b.Owns(2) {
			t.Error("a second Init was obeyed")
		}
	}
}
