package scenario

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The defaults of Params.
const (
	defaultSoldoutStock        = 1000
	defaultFlashStock          = 10_000
	defaultZipfSKUs            = 1000
	defaultLifecycleSKUs       = 16
	defaultHoldTTL             = 10 * time.Minute
	defaultLifecycleTTL        = 2 * time.Second
	defaultKillEvery           = 5 * time.Second
	endless              int64 = 1 << 50
)

// Params say how a scenario is played. Zero values take the defaults.
type Params struct {
	// Callers is how many there are (load.Config.Callers). Default 1.
	Callers int
	// Batch is how many orders a call places. Default 1.
	Batch int
	// SKUs is how many there are. Default: 1; zipf 1,000, lifecycle 16. Skew is the exponent of zipf; 0: all alike.
	SKUs int
	Skew float64
	// Stock is that of each SKU. Default: without end; soldout 1,000, flash 10,000.
	Stock int64
	// HoldTTL is how long an order waits for its payment. Default: 10 min, and longer when the run is; lifecycle 2 s.
	HoldTTL time.Duration
	// Seed decides everything but the run's name. Run tells runs on one target apart; default: drawn.
	Seed uint64
	Run  string
	// Warmup and Duration are the load's.
	Warmup, Duration time.Duration
	// KillEvery is how long failover leaves the target whole before the next kill; the first comes when a quarter of Duration is over. Default 5 s.
	KillEvery time.Duration
	// Preload orders are placed by Prepare.
	Preload int64
	// PayloadBytes is how long an order's user and key are together; 0, or less than they need: as long as they come.
	PayloadBytes int
	// MaxOrders bounds the ledger; see audit.Config.
	MaxOrders int
}

func (p Params) withDefaults(name string) (Params, error) {
	switch {
	case p.Callers < 0 || p.Batch < 0 || p.SKUs < 0 || p.Stock < 0 || p.HoldTTL < 0 || p.Preload < 0 || p.PayloadBytes < 0 || p.KillEvery < 0:
		return p, fmt.Errorf("%w: a number is negative", ErrUnknown)
	case !(p.Skew >= 0) || math.IsInf(p.Skew, 0):
		return p, fmt.Errorf("%w: a skew of %v", ErrUnknown, p.Skew)
	case p.PayloadBytes > maxPayload:
		return p, fmt.Errorf("%w: %d bytes of payload, at most %d", ErrUnknown, p.PayloadBytes, maxPayload)
	}
	p.Callers, p.Batch = max(1, p.Callers), max(1, p.Batch)
	d := Params{SKUs: 1, Stock: endless, HoldTTL: max(defaultHoldTTL, 2*(p.Warmup+p.Duration)), KillEvery: defaultKillEvery}
	switch name {
	case Soldout:
		d.Stock = defaultSoldoutStock
	case Flash:
		d.Stock = defaultFlashStock
	case Zipf:
		d.SKUs = defaultZipfSKUs
	case Lifecycle:
		d.SKUs, d.HoldTTL = defaultLifecycleSKUs, defaultLifecycleTTL
	}
	if p.SKUs == 0 {
		p.SKUs = d.SKUs
	}
	if p.Stock == 0 {
		p.Stock = d.Stock
	}
	if p.HoldTTL == 0 {
		p.HoldTTL = d.HoldTTL
	}
	if p.KillEvery == 0 {
		p.KillEvery = d.KillEvery
	}
	if p.Run == "" {
		var drawn [4]byte
		if _, err := rand.Read(drawn[:]); err != nil {
			return p, fmt.Errorf("scenario: draw a name for the run: %w", err)
		}
		p.Run = strconv.FormatUint(uint64(binary.LittleEndian.Uint32(drawn[:])), 36)
	}
	return p, nil
}
