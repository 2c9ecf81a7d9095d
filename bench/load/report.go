package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run found. What is measured is calls intended to begin after the warm-up and before the end, also those answered later.
type Report struct {
	// Loop is open or closed.
	Loop string
	// Totals are of the measured calls, Warmed of those before them.
	Totals, Warmed Counts
	// Within are the orders whose answers came within the measured time, whenever they were asked; over Window, these are rates.
	Within Counts
	// Window is how long was measured: the configured duration, or what an interruption left of it.
	Window time.Duration
	// Latency is of orders that were accepted, and of those without an answer, whose callers waited, too; Refusals of those decided against;
	// Failures of those of which nothing was decided. All in nanoseconds, one value an order, from the intended start.
	Latency, Refusals, Failures *hdrhistogram.Histogram
	// Lag is how late calls were begun after their intended start, in nanoseconds, one value a call: what of the latency is not the target's, but of a
	// generator that came late, or of all callers being busy. It is empty in a closed loop.
	Lag *hdrhistogram.Histogram
	// Reasons count refusals and failures of all calls, the warm-up's included.
	Reasons map[string]int64
	// Intervals are in their order.
	Intervals []Interval
	// Missed counts calls of an open loop that began more than Late after their intended start. Their wait is part of their latency.
	Missed uint64
	// Full counts arrivals of an open loop that found all MaxOutstanding calls under way.
	Full uint64
	// Abandoned counts orders that came and were never asked for: the run was interrupted, or its patience over. Each counts into Latency with the
	// time that it had waited.
	Abandoned uint64
	// Interrupted: the run did not last as long as it should.
	Interrupted bool
	// Ceiling is what the function Ceiling found, in orders a second, when somebody asked it; Run leaves it 0.
	Ceiling float64
}

// Late is the lag above which a call of an open loop counts as missed.
const Late = time.Millisecond

// Phases of a run, as intervals name them.
const (
	Warming   = "warm-up"
	Measuring = "measured"
	Draining  = "draining" // the end: answers still to come
)

// Interval is a piece of a run. Counts are of answers that came in it.
type Interval struct {
	Phase string
	// At is when it began, since the end of the warm-up, and below 0 in it. Length is how long it really was.
	At, Length time.Duration
	Counts
	// Latency has P50, P90, P99, P999 and Max of the orders that Report.Latency is of; Refusals the same of refusals. Only calls of the interval's own
	// phase count in them.
	Latency, Refusals Percentiles
	// Left is how long arrivals go on after it.
	Left time.Duration
}

// Percentiles are those that are printed; all 0 when nothing was counted.
type Percentiles struct {
	P50, P90, P99, P999, Max time.Duration
}

// PercentilesOf reads them from a histogram of nanoseconds.
func PercentilesOf(h *hdrhistogram.Histogram) Percentiles {
	at := func(p float64) time.Duration { return time.Duration(h.ValueAtPercentile(p)) }
	return Percentiles{at(50), at(90), at(99), at(99.9), at(100)}
}
