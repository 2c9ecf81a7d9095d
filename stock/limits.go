package stock

import (
	"strconv"
	"unicode/utf8"
)

// Bounds of what callers name and count.
const (
	// MaxNameBytes bounds sku, user and payment_id.
	MaxNameBytes = 128
	// MaxKeyBytes bounds an idempotency key.
	MaxKeyBytes = 255
	// MaxClientRefBytes bounds client_ref.
	MaxClientRefBytes = 128
	// MaxReasonBytes bounds reason.
	MaxReasonBytes = 256
	// MaxStock bounds the stock of a SKU: the largest integer that every JSON reader holds exactly.
	MaxStock = 1<<53 - 1
	// MaxOrders bounds the orders and fences that one SKU can ever have, and its returns: their places are 32 bits wide, in memory and in a
	// snapshot, where it bounds what a reader allocates for places without a row, too.
	MaxOrders = 1<<32 - 1
	// MaxHoldTTLMS bounds hold_ttl_ms: 365 days.
	MaxHoldTTLMS = 31_536_000_000
	// MaxRetentionMS bounds retention_ms: ten years.
	MaxRetentionMS = 10 * MaxHoldTTLMS
	// MaxBatch bounds what one command releases or drops, so that no apply is long.
	MaxBatch = 65536
)

// CheckText returns why s cannot be a text of minBytes to maxBytes bytes, or "": UTF-8 without control characters.
func CheckText(s string, minBytes, maxBytes int) string {
	switch {
	case len(s) < minBytes:
		return "must not be empty"
	case len(s) > maxBytes:
		return longer(maxBytes)
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	}
	for _, r := range s {
		if r < 0x20 || (r >= 0x7F && r <= 0x9F) {
			return "contains a control character"
		}
	}
	return ""
}

func longer(maxBytes int) string { return "is longer than " + strconv.Itoa(maxBytes) + " bytes" }

// CheckSKU returns why s cannot name a SKU, or "".
func CheckSKU(s string) string {
	if s == "." || s == ".." {
		return "must not be . or .."
	}
	return CheckText(s, 1, MaxNameBytes)
}

// CheckKey returns why s cannot be an idempotency key, or "": 1 to MaxKeyBytes bytes of 0x21 to 0x7E, neither . nor "..".
func CheckKey(s string) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > MaxKeyBytes:
		return longer(MaxKeyBytes)
	case s == "." || s == "..":
		return "must not be . or .."
	}
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7E {
			return "contains a byte outside 0x21 to 0x7E"
		}
	}
	return ""
}

// Check returns the first field of a spec that is out of range and why; two empty strings when all is well.
func (s *Spec) Check() (field, reason string) {
	switch {
	case CheckSKU(s.SKU) != "":
		return "sku", CheckSKU(s.SKU)
	case s.Stock < 0 || s.Stock > MaxStock:
		return "stock", "must be 0 to 9007199254740991"
	case s.Mode < ModeHold || s.Mode > ModeOnPayment:
		return "mode", "must be hold, on_order or on_payment"
	case s.HoldTTLMS < 1 || s.HoldTTLMS > MaxHoldTTLMS:
		return "hold_ttl_ms", "must be 1 to 31536000000"
	case s.LimitPerUser < 0 || s.LimitPerUser > MaxStock:
		return "limit_per_user", "must be 0 to 9007199254740991"
	case s.MaxQty < 1 || s.MaxQty > MaxStock:
		return "max_qty", "must be 1 to 9007199254740991"
	case s.OpensAt != 0 && s.ClosesAt != 0 && s.OpensAt >= s.ClosesAt:
		return "closes_at", "must be after opens_at"
	}
	return "", ""
}

// Check returns the first setting that is out of range and why; two empty strings when all is well.
func (s *Settings) Check() (field, reason string) {
	switch {
	case s.RetentionMS < 1 || s.RetentionMS > MaxRetentionMS:
		return "retention_ms", "must be 1 to 315360000000"
	case s.MaxOpenOrders < 1 || s.MaxOpenOrders > MaxStock:
		return "max_open_orders_per_sku", "must be 1 to 9007199254740991"
	case s.ExpiryBatch < 1 || s.ExpiryBatch > MaxBatch:
		return "expiry_batch", "must be 1 to 65536"
	case s.EvictBatch < 1 || s.EvictBatch > MaxBatch:
		return "evict_batch", "must be 1 to 65536"
	}
	return "", ""
}

// refusal returns the refusal of settings out of range, a zero outcome when all is well.
func (s *Settings) refusal() Outcome {
	if field, reason := s.Check(); field != "" {
		return refuseWith(InvalidValue, Detail{Field: field, Reason: reason})
	}
	return Outcome{}
}
