package client

import "time"

// NewOrder is what a buyer asks for. Qty 0 means 1.
type NewOrder struct {
	SKU       string `json:"sku"`
	User      string `json:"user"`
	Qty       int64  `json:"qty,omitempty"`
	ClientRef string `json:"client_ref,omitempty"`
}

// Order is a buyer's claim on a SKU. ExpiresAt is nil for an order that waits for nothing.
type Order struct {
	ID          string     `json:"id"`
	SKU         string     `json:"sku"`
	User        string     `json:"user"`
	Qty         int64      `json:"qty"`
	State       string     `json:"state"`
	Mode        string     `json:"mode"`
	ClientRef   string     `json:"client_ref,omitempty"`
	PaymentID   string     `json:"payment_id,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	ReturnedQty int64      `json:"returned_qty,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	// AsOfIndex is the log index that changed the order last.
	AsOfIndex uint64 `json:"as_of_index"`
}

// Placed is an accepted order.
type Placed struct {
	Order
	// Replayed: the key was known and Order is shown as first given.
	Replayed bool
	// RequestID is the server's name for the request that was answered.
	RequestID string
	// Attempts is how often the order was sent.
	Attempts int
}

// BatchItem is one order of a batch.
type BatchItem struct {
	Key       string `json:"key"`
	SKU       string `json:"sku"`
	User      string `json:"user"`
	Qty       int64  `json:"qty,omitempty"`
	ClientRef string `json:"client_ref,omitempty"`
}

// BatchResult is the answer to one order of a batch: Order when it was accepted, else Problem.
type BatchResult struct {
	Status   int      `json:"status"`
	Order    *Order   `json:"order,omitempty"`
	Replayed bool     `json:"replayed,omitempty"`
	Problem  *Problem `json:"problem,omitempty"`
}

// Err returns the item's problem as an error, nil when it was accepted.
func (r BatchResult) Err() error {
	if r.Problem == nil {
		return nil
	}
	return r.Problem
}

// ReturnUnits says how many units of an order come back. Qty 0 means all that is left. Discard takes them out of the stock instead of
// making them available again.
type ReturnUnits struct {
	Qty     int64
	Discard bool
}

// Outcome is what became of an idempotency key: "accepted", with the order as first given, or "fenced".
type Outcome struct {
	Outcome string `json:"outcome"`
	Order   *Order `json:"order,omitempty"`
}

// The values of Outcome.Outcome.
const (
	Accepted = "accepted"
	Fenced   = "fenced"
)

// Availability is what a buyer may know of a SKU.
type Availability struct {
	SKU        string     `json:"sku"`
	State      string     `json:"state"`
	Available  int64      `json:"available"`
	Held       int64      `json:"held"`
	Sold       int64      `json:"sold"`
	OpensAt    *time.Time `json:"opens_at,omitempty"`
	ClosesAt   *time.Time `json:"closes_at,omitempty"`
	ServerTime time.Time  `json:"server_time"`
	AsOfIndex  uint64     `json:"as_of_index"`
}

// SKUSpec is what a SKU is created with. A zero field other than SKU and Stock takes the server's default: mode hold, ten minutes, no limit
// per user, one unit an order, no opening or closing time.
type SKUSpec struct {
	SKU          string     `json:"-"`
	Stock        int64      `json:"stock"`
	Mode         string     `json:"mode,omitempty"`
	HoldTTLMS    int64      `json:"hold_ttl_ms,omitempty"`
	LimitPerUser int64      `json:"limit_per_user,omitempty"`
	MaxQty       int64      `json:"max_qty,omitempty"`
	OpensAt      *time.Time `json:"opens_at,omitempty"`
	ClosesAt     *time.Time `json:"closes_at,omitempty"`
	Hot          bool       `json:"hot,omitempty"`
}

// SKUPatch changes the fields that are set, for later orders. ClearOpensAt and ClearClosesAt take a time away.
type SKUPatch struct {
	HoldTTLMS, LimitPerUser, MaxQty *int64
	OpensAt, ClosesAt               *time.Time
	ClearOpensAt, ClearClosesAt     bool
	Hot                             *bool
}

// SKU is a SKU as operators see it. Invariant: Stock == Available + Held + Sold.
type SKU struct {
	SKU          string     `json:"sku"`
	Stock        int64      `json:"stock"`
	Available    int64      `json:"available"`
	Held         int64      `json:"held"`
	Sold         int64      `json:"sold"`
	Mode         string     `json:"mode"`
	HoldTTLMS    int64      `json:"hold_ttl_ms"`
	LimitPerUser int64      `json:"limit_per_user"`
	MaxQty       int64      `json:"max_qty"`
	OpensAt      *time.Time `json:"opens_at"`
	ClosesAt     *time.Time `json:"closes_at"`
	Frozen       bool       `json:"frozen"`
	Hot          bool       `json:"hot"`
	Shard        uint32     `json:"shard"`
	// Leader is the id of the node that leads the shard, "" while there is none.
	Leader    string `json:"leader"`
	AsOfIndex uint64 `json:"as_of_index"`
}

// SKUPage is one page of the SKUs, in byte order of their names. NextCursor is "" on the last.
type SKUPage struct {
	SKUs       []SKU  `json:"skus"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// Check is one line of readiness.
type Check struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Advisory bool   `json:"advisory,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// Readiness says whether the node can serve, and by which checks.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

// Version says which build the server is.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}
