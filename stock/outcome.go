package stock

// Outcome is the answer to a request. A refusal is a value, not an error.
type Outcome struct {
	Code Code
	// Replayed: the answer was given before; Order and SKU show it as first given. The creation of a SKU that was created alike is Replayed
	// too, and shows the SKU as it stands.
	Replayed bool
	// Order is the order that was placed, changed or asked for; nil otherwise.
	Order *Order
	// SKU is the SKU that was created, changed or asked for; nil otherwise.
	SKU *SKU
	// Detail explains a refusal; nil when the code says it all.
	Detail *Detail
	// Unconfirmed: a refusal by a replica that led when it last heard of the others; one that leads by now may have decided otherwise.
	// What apply decides never is, so no snapshot holds it.
	Unconfirmed bool `msgpack:"-"`
}

// Detail holds the members of a refusal; which are set is said at the codes.
type Detail struct {
	OpensAt, ClosesAt Time
	MaxQty            int64
	Limit, Used       int64
	Available         int64
	Held              int64
	NextReleaseAt     Time
	ExpiredAt         Time
	State             State
	Returnable        int64
	FirstPaymentID    string
	Differs           []string
	Field, Reason     string
	Bound             string
}

// Order is a buyer's claim as callers and storage see it. A zero time means it has not happened.
type Order struct {
	ID          OrderID
	SKU         string
	User        string
	Caller      string
	Key         string
	ClientRef   string
	PaymentID   string
	Qty         int64
	ReturnedQty int64
	State       State
	Mode        Mode

	CreatedAt, ConfirmedAt, CancelledAt, ExpiredAt, ReturnedAt Time
	// ExpiresAt is the deadline of an order that waits, or waited, for its payment; zero under ModeOnOrder.
	ExpiresAt Time
	UpdatedAt Time
	// Version is the log index that changed the order last.
	Version uint64
}

// SKU is a SKU as operators and storage see it.
// Invariant: Stock == Available + Held + Sold.
type SKU struct {
	Spec
	Number    uint32
	Available int64
	Held      int64
	Sold      int64
	Frozen    bool
	// Broken: an invariant did not hold; every mutation is refused.
	Broken bool
	// Version is the log index that changed the SKU last.
	Version uint64
}

// Availability is what a buyer may know of a SKU without asking its actor.
type Availability struct {
	SKU                   string
	Frozen                bool
	Available, Held, Sold int64
	OpensAt, ClosesAt     Time
	// Index is the log index that changed the SKU last.
	Index uint64
}

// State returns the first that applies at now: frozen, ended, upcoming, open, sold_out_pending, sold_out.
func (a Availability) State(now Time) string {
	switch {
	case a.Frozen:
		return "frozen"
	case a.ClosesAt != 0 && now >= a.ClosesAt:
		return "ended"
	case a.OpensAt != 0 && now < a.OpensAt:
		return "upcoming"
	case a.Available > 0:
		return "open"
	case a.Held > 0:
		return "sold_out_pending"
	}
	return "sold_out"
}

// Changes are the rows of a shard that changed after an index, for storage.
type Changes struct {
	// UpTo: no row whose last change lies in (since, UpTo] is missing. One that changed again above UpTo comes with that change; rows may be
	// newer than UpTo.
	UpTo   uint64
	Orders []Order
	SKUs   []SKU
}
