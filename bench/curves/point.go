package curves

import (
	"context"
	"time"

	"holdfast/bench/result"
)

// Point is the conditions of one run. Zero means the runner's default.
type Point struct {
	Scenario string
	Nodes    int
	Clients  int
	Batch    int
	SKUs     int
	Skew     float64
	Shards   int
	// Preload is how many orders are stored before the warm-up.
	Preload int64
	// PayloadBytes is how long an order's user and key are together.
	PayloadBytes int
	Seed         uint64
	Warmup       time.Duration
	Duration     time.Duration
}

// Runner makes one run and returns what it found, after its audit. A failed audit is in the result, not an error.
type Runner func(ctx context.Context, p Point) (result.Result, error)
