package fleettest

import (
	"fmt"
	"slices"
	"time"
)

// Gap returns the longest time between from and to in which no order of a SKU was accepted. A stretch that began before from counts from
// there.
func (l *Ledger) Gap(sku string, from, to time.Time) (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.accepted[sku]
	begin, _ := slices.BinarySearchFunc(at, from, time.Time.Compare)
	last := from
	for _, t := range at[begin:] {
		if t.After(to) {
			break
		}
		longest, last = max(longest, t.Sub(last)), t
	}
	return max(longest, to.Sub(last))
}

// AcceptedSince returns how many orders of a SKU were accepted after a moment.
func (l *Ledger) AcceptedSince(sku string, from time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	begin, _ := slices.BinarySearchFunc(l.accepted[sku], from, time.Time.Compare)
	return len(l.accepted[sku]) - begin
}

// Spread is the distribution of some durations.
type Spread []time.Duration

// String returns the number, least, median, 99th percentile (nearest rank) and greatest.
func (s Spread) String() string {
	if len(s) == 0 {
		return "none"
	}
	sorted := slices.Sorted(slices.Values(s))
	at := func(percent int) time.Duration {
		return sorted[(len(sorted)*percent+99)/100-1].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d: min %s, median %s, p99 %s, max %s", len(s), sorted[0].Round(time.Millisecond), at(50), at(99), at(100))
}

// Max returns the greatest, 0 for none.
func (s Spread) Max() time.Duration {
	if len(s) == 0 {
		return 0
	}
	return slices.Max(s)
}
