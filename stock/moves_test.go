package stock

import "testing"

// Each change of an order counts once, however often it is asked for; refusals and repeated answers count nothing.
func TestMoves(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 10))
	var ids []OrderID
	for _, key := range []string{"a", "b", "c", "d"} {
		ids = append(ids, apply(10, order("shoe", "u", key, 1)).Order.ID)
	}
	apply(11, order("shoe", "u", "a", 1))
	if got, want := b.TakeMoves(), (Moves{Accepted: 4}); got != want {
		t.Errorf("after four orders and a replay: %+v", got)
	}
	for range 2 {
		apply(12, &Confirm{Order: ids[0], PaymentID: "p"})
		apply(12, &Cancel{Order: ids[1]})
	}
	apply(13, &Return{Meta: Meta{Key: "r"}, Order: ids[0], Restock: true})
	if got, want := b.TakeMoves(), (Moves{Confirmed: 1, Cancelled: 1, Returned: 1}); got != want {
		t.Errorf("after each settlement twice: %+v", got)
	}
	first, _ := b.slots[0].ledger.due.first()
	due := first.at
	apply(due+5, &Expire{SKU: "shoe"})
	if got, want := b.TakeMoves(), (Moves{Expired: 2, FirstDue: due}); got != want {
		t.Errorf("after the deadline %v: %+v", due, got)
	}
	if got := b.TakeMoves(); got != (Moves{}) {
		t.Errorf("taken twice: %+v", got)
	}
}

// A ledger that is away counts for itself, and what it counted does not go to the shard when it comes back.
func TestMovesOfALedgerAway(t *testing.T) {
	b, apply := shard(t)
	apply(1, create("shoe", 10))
	l := b.Detach(1)
	l.Apply(Position{Index: 5, Now: 5}, order("shoe", "u", "a", 1))
	if got := b.TakeMoves(); got != (Moves{}) {
		t.Errorf("the shard's: %+v", got)
	}
	if got := l.TakeMoves(); got != (Moves{Accepted: 1}) {
		t.Errorf("the ledger's: %+v", got)
	}
	b.Attach(l)
	if got := b.TakeMoves(); got != (Moves{}) {
		t.Errorf("after it came back: %+v", got)
	}
}
