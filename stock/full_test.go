package stock

import "testing"

// A SKU that has had all the orders that a place can number takes no more (rule R8); what it has goes on.
func TestOrdersThatNoPlaceCanNumber(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("tea", 9))
	kept := apply(2, order("tea", "ann", "k", 1)).Order
	l := b.slots[0].ledger
	l.rows.n = MaxOrders
	before := l.Hash()
	for name, c := range map[string]Command{
		"order": order("tea", "ben", "l", 1), "fence": &Fence{Meta: Meta{Key: "m"}, SKU: "tea"},
	} {
		if out := l.Apply(Position{Index: l.index, Now: l.now}, c); out.Code != InvalidValue || out.Detail == nil || out.Detail.Field != "sku" {
			t.Errorf("%s: %+v", name, out)
		}
	}
	if action, out := new(Window).Admit(l, 2, &Flight{Req: order("tea", "ben", "l", 1)}); action != Answer || out.Code != InvalidValue {
		t.Errorf("admitted: %v %+v", action, out)
	}
	if l.Hash() != before || l.rows.len() != MaxOrders {
		t.Error("the state changed")
	}
	l.returns.n = MaxOrders
	if out := apply(3, &Confirm{Order: kept.ID, PaymentID: "p"}); out.Code != OK {
		t.Errorf("a confirm: %+v", out)
	}
	if out := apply(3, &Return{Meta: Meta{Key: "r"}, Order: kept.ID, Qty: 1}); out.Code != InvalidValue || l.sold != 1 {
		t.Errorf("a return: %+v", out)
	}
	if out := apply(3, order("tea", "ann", "k", 1)); !out.Replayed {
		t.Errorf("again: %+v", out)
	}
}
