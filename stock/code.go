package stock

// Code says what became of a request. The names are those of the API.
type Code uint8

const (
	// OK is an acceptance: the order placed, the change made, the answer found.
	OK Code = iota + 1
	// OutcomeFenced answers a fence, or a question about a fenced key.
	OutcomeFenced

	// SKUNotFound and the codes up to OutcomeNotSeen: what was named does not exist.
	SKUNotFound
	OrderNotFound
	OutcomeNotSeen

	// IdempotencyKeyReused: the key belongs to a request with another body (Detail.Differs).
	IdempotencyKeyReused
	// Fenced: the key was fenced before an order came with it.
	Fenced
	// Frozen: the SKU is stopped, by an operator or by a broken invariant.
	Frozen
	// NotStarted: before Detail.OpensAt.
	NotStarted
	// Ended: from Detail.ClosesAt on.
	Ended
	// QtyAboveMax: more than Detail.MaxQty units in one order.
	QtyAboveMax
	// LimitExceeded: the user would exceed Detail.Limit units and has used Detail.Used.
	LimitExceeded
	// SoldOut: nothing available and nothing held.
	SoldOut
	// SoldOutPending: nothing available, Detail.Held units held, the earliest until Detail.NextReleaseAt.
	SoldOutPending
	// InsufficientStock: Detail.Available units, fewer than asked for.
	InsufficientStock
	// OrderExpired: the order's deadline passed at Detail.ExpiredAt.
	OrderExpired
	// InvalidState: the order is in Detail.State, which does not allow the call; for a return, Detail.Returnable units may come back.
	InvalidState
	// DuplicatePayment: the order was paid with Detail.FirstPaymentID.
	DuplicatePayment
	// SKUExists: a SKU of that name was created otherwise (Detail.Differs).
	SKUExists
	// InvalidValue: Detail.Field has a value that the state does not allow, for Detail.Reason.
	InvalidValue

	// Overloaded: a bound was reached (Detail.Bound); not executed.
	Overloaded
	// NoLeader: nobody may decide right now; not executed.
	NoLeader
	// Draining: this node is going down; not executed.
	Draining
	// DeadlineExceeded: the deadline passed before anything happened; not executed.
	DeadlineExceeded
	// OutcomeUnknown: it may have happened; ask with the same key.
	OutcomeUnknown
	// Internal is a bug; treat the outcome as unknown.
	Internal
)

var codeNames = [...]string{
	OK: "ok", OutcomeFenced: "outcome_fenced",
	SKUNotFound: "sku_not_found", OrderNotFound: "order_not_found", OutcomeNotSeen: "outcome_not_seen",
	IdempotencyKeyReused: "idempotency_key_reused", Fenced: "fenced", Frozen: "frozen", NotStarted: "not_started", Ended: "ended",
	QtyAboveMax: "qty_above_max", LimitExceeded: "limit_exceeded", SoldOut: "sold_out", SoldOutPending: "sold_out_pending",
	InsufficientStock: "insufficient_stock", OrderExpired: "order_expired", InvalidState: "invalid_state",
	DuplicatePayment: "duplicate_payment", SKUExists: "sku_exists", InvalidValue: "invalid_value",
	Overloaded: "overloaded", NoLeader: "no_leader", Draining: "draining", DeadlineExceeded: "deadline_exceeded",
	OutcomeUnknown: "outcome_unknown", Internal: "internal",
}

// String returns the code's name in the API.
func (c Code) String() string { return nameOf(codeNames[:], int(c), "Code") }

// Executed reports whether the request changed the state, or found that it had.
func (c Code) Executed() bool { return c == OK || c == OutcomeFenced }
