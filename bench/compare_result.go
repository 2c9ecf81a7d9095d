package bench

import (
	"slices"

	"holdfast/bench/result"
	"holdfast/bench/sale"
)

// Comparison is what a comparison found, as it is printed and stored.
type Comparison struct {
	// Loop is closed: each caller waits for its answer. Client says where the callers are.
	Loop   string `json:"loop"`
	Client string `json:"client"`
	// Rounds is how often each contestant of a match was measured, in turn and in alternating order.
	Rounds    int     `json:"rounds"`
	WarmupS   float64 `json:"warmup_s"`
	DurationS float64 `json:"duration_s"`
	Seed      uint64  `json:"seed"`
	// Sink is the storage behind ours.
	Sink    string         `json:"sink"`
	Fsync   result.Fsync   `json:"fsync_ms"`
	Machine result.Machine `json:"machine"`
	Commit  string         `json:"commit"`
	Matches []Match        `json:"matches"`
	// Skipped are contestants whose programs are missing.
	Skipped []Skipped `json:"skipped"`
	// Audit is the sum over all runs; all 0: every run passed.
	Audit    result.Audit `json:"audit"`
	Findings []string     `json:"findings,omitempty"`
}

// Match is one work and how the contestants did it.
type Match struct {
	// Part is the target it shows, such as P1; Name its own, such as http-one; Work says in words what is done.
	Part     string `json:"part"`
	Name     string `json:"name"`
	Work     string `json:"work"`
	Scenario string `json:"scenario"`
	Batch    int    `json:"batch"`
	Clients  int    `json:"clients"`
	// Figure is which orders the rates count: accepted or refused.
	Figure      string       `json:"figure"`
	Contestants []Contestant `json:"contestants"`
	Ratios      []Ratio      `json:"ratios"`
	// Target is the least rate that is wanted of ours, 0: none; Met whether its median reaches it.
	Target float64 `json:"target_per_s"`
	Met    bool    `json:"met"`
}

// Contestant is one of a match.
type Contestant struct {
	Name  string     `json:"name"`
	About sale.About `json:"about"`
	// PerS has a rate for each round, in orders a second.
	PerS []float64 `json:"per_s"`
	Rate Spread    `json:"rate"`
	// P50MS and P99MS are medians over the rounds of a call's latency; a call is Batch orders.
	P50MS float64 `json:"p50_ms"`
	P99MS float64 `json:"p99_ms"`
	// Errors and Unknown are orders over all rounds.
	Errors  int64 `json:"errors"`
	Unknown int64 `json:"unknown"`

	p50, p99 []float64
}

// Ratio is ours by one of theirs, of the same round.
type Ratio struct {
	To string `json:"to"`
	Spread
	// Target is the least that is wanted, 0: none; Met whether the median reaches it.
	Target float64 `json:"target"`
	Met    bool    `json:"met"`
}

// Spread is a median with the least and the most.
type Spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// Skipped is a contestant that could not be measured.
type Skipped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Broken reports whether a run failed its audit.
func (c *Comparison) Broken() bool { return !c.Audit.Passed() }

// spreadOf returns the spread of values; of none it is 0.
func spreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	return Spread{Median: median(values), Least: slices.Min(values), Most: slices.Max(values)}
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// add takes a run of a contestant into account.
func (c *Contestant) add(r *result.Result, f figure) {
	rate, latency := r.AcceptedPerS, r.Latency
	if f == refusedRate {
		rate, latency = r.RefusedPerS, r.RefusedLatency
	}
	c.About = r.About
	c.PerS, c.p50, c.p99 = append(c.PerS, rate), append(c.p50, latency.P50), append(c.p99, latency.P99)
	c.Errors, c.Unknown = c.Errors+r.Errors, c.Unknown+r.Unknown
	c.Rate, c.P50MS, c.P99MS = spreadOf(c.PerS), median(c.p50), median(c.p99)
}

// conclude computes the ratios of a match whose first contestant is ours.
func (m *Match) conclude(w work) {
	m.Ratios = []Ratio{}
	ours := m.Contestants[0]
	for _, theirs := range m.Contestants[1:] {
		var ratios []float64
		for round, rate := range theirs.PerS {
			if rate > 0 && round < len(ours.PerS) {
				ratios = append(ratios, ours.PerS[round]/rate)
			}
		}
		r := Ratio{To: theirs.Name, Spread: spreadOf(ratios)}
		for _, a := range w.theirs {
			if a.contestant == theirs.Name {
				r.Target = a.target
			}
		}
		r.Met = r.Target > 0 && r.Median >= r.Target
		m.Ratios = append(m.Ratios, r)
	}
	m.Target = w.absolute
	m.Met = w.absolute > 0 && ours.Rate.Median >= w.absolute
}
