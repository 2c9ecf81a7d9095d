package stock

// Spec is what a SKU is created with.
type Spec struct {
	// SKU is the name, 1 to MaxNameBytes bytes.
	SKU string
	// Stock is the number of units, 0 to MaxStock.
	Stock int64
	Mode  Mode
	// HoldTTLMS is how long an order waits for its payment, 1 to MaxHoldTTLMS milliseconds.
	HoldTTLMS int64
	// LimitPerUser bounds the units in a user's open, held and confirmed orders; 0 means no limit.
	LimitPerUser int64
	// MaxQty bounds the units of one order, at least 1.
	MaxQty int64
	// OpensAt and ClosesAt bound the sale, opens_at <= t < closes_at; zero means unbounded.
	OpensAt, ClosesAt Time
	// Hot gives the SKU an actor of its own.
	Hot bool
}

// DefaultHoldTTLMS is the hold_ttl_ms of a SKU that names none: ten minutes.
const DefaultHoldTTLMS = 600_000

// Patch changes the fields that are set; a zero time clears it.
type Patch struct {
	HoldTTLMS    *int64
	LimitPerUser *int64
	MaxQty       *int64
	OpensAt      *Time
	ClosesAt     *Time
	Hot          *bool
}

// Settings are what outcomes depend on besides the SKU, and so live in replicated state (rule R1).
type Settings struct {
	// RetentionMS is how long an acceptance is remembered after its order's last change, 1 to MaxRetentionMS milliseconds of log time.
	RetentionMS int64
	// MaxOpenOrders bounds the open and held orders of one SKU, at least 1.
	MaxOpenOrders int64
	// ExpiryBatch is how many due holds one command releases, 1 to MaxBatch.
	ExpiryBatch int64
	// EvictBatch is how many settled orders, and how many adjustments, of one SKU leave memory at one FlushMark, 1 to MaxBatch.
	EvictBatch int64
}

// DefaultSettings returns the settings of a new cluster.
func DefaultSettings() Settings {
	return Settings{RetentionMS: 24 * 3600 * 1000, MaxOpenOrders: 10_000_000, ExpiryBatch: 1024, EvictBatch: 4096}
}
