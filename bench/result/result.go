package result

import (
	"time"

	"holdfast/bench/sale"
)

// Result is one measured run. Counts are in orders, rates in orders a second over DurationS, which leaves out the warm-up.
type Result struct {
	Scenario string `json:"scenario"`
	// Target is in-process, or the kind and addresses of what was measured, without credentials.
	Target string `json:"target"`
	Nodes  int    `json:"nodes"`
	// Loop is open (arrivals on a schedule, latency from the intended start) or closed (a caller waits for its answer).
	Loop string `json:"loop"`
	// Rate is the asked one in an open loop; 0 in a closed loop.
	Rate         float64 `json:"rate"`
	Clients      int     `json:"clients"`
	Batch        int     `json:"batch"`
	Seed         uint64  `json:"seed"`
	DurationS    float64 `json:"duration_s"`
	Sink         string  `json:"sink"`
	FsyncDelayMS float64 `json:"fsync_delay_ms"`

	Accepted     int64   `json:"accepted"`
	AcceptedPerS float64 `json:"accepted_per_s"`
	Refused      int64   `json:"refused"`
	RefusedPerS  float64 `json:"refused_per_s"`
	// Errors did not happen and were not decided either (overloaded, no leader); of Unknown ones nothing is known by their answer.
	Errors  int64 `json:"errors"`
	Unknown int64 `json:"unknown"`

	// Latency is of orders that were accepted, and of those that never got an answer: their callers waited, too.
	Latency Latency `json:"latency_ms"`
	Fsync   Fsync   `json:"fsync_ms"`
	Audit   Audit   `json:"audit"`
	Machine Machine `json:"machine"`
	// Commit is the checkout's, "" when it is not known, with -dirty when it had changes.
	Commit string `json:"commit"`

	Details
}

// Details are the fields beyond the contract's first version; they stand beside the others in JSON.
type Details struct {
	Started time.Time `json:"started,omitzero"`
	WarmupS float64   `json:"warmup_s"`
	SKUs    int       `json:"skus"`
	// Skew is the exponent of the SKUs' popularity; 0: all alike.
	Skew   float64 `json:"skew"`
	Shards int     `json:"shards"`
	// PayloadBytes is how long an order's user and key are together; 0: as the scenario has it.
	PayloadBytes int `json:"payload_bytes"`
	// Preloaded is how many orders were stored before the warm-up.
	Preloaded int64      `json:"preloaded"`
	About     sale.About `json:"about"`
	// RefusedLatency is that of refusals.
	RefusedLatency Latency `json:"refused_latency_ms"`
	// Reasons count refusals and failures by the target's code.
	Reasons map[string]int64 `json:"reasons,omitempty"`
	// Missed are arrivals of an open loop that could not be started in time; their wait is part of their latency.
	Missed uint64 `json:"missed"`
	// Full are arrivals of an open loop that found all MaxOutstanding calls under way; Abandoned orders that came and were never asked for, because the
	// run was interrupted or its patience over. Their wait is part of the latency, too.
	Full           uint64 `json:"full"`
	Abandoned      uint64 `json:"abandoned"`
	MaxOutstanding int    `json:"max_outstanding"`
	// Interrupted: the run did not last as long as it should.
	Interrupted bool `json:"interrupted"`
	// FailedLatency is that of errors; Lag how late calls of an open loop were begun, which is part of every latency.
	FailedLatency Latency `json:"failed_latency_ms"`
	Lag           Latency `json:"lag_ms"`
	// FsyncSlowest is the slowest fsync of the probe, in milliseconds; Audited how many orders the audit looked at one by one, Stored how many rows in
	// storage, and Unresolved how many outcomes nobody could find out.
	FsyncSlowest float64 `json:"fsync_slowest_ms"`
	Audited      int64   `json:"audited"`
	Stored       int64   `json:"stored"`
	Unresolved   int64   `json:"unresolved"`
	// CeilingPerS is what the generator itself can ask of a target that does nothing.
	CeilingPerS float64     `json:"ceiling_per_s"`
	Percentiles []Quantile  `json:"percentiles,omitempty"`
	Intervals   []Interval  `json:"intervals,omitempty"`
	Thresholds  []Threshold `json:"thresholds,omitempty"`
	// Findings say in words what the audit found; none: nothing.
	Findings []string `json:"findings,omitempty"`
	Gaps     []Gap    `json:"gaps,omitempty"`
}

// Latency are percentiles in milliseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Fsync is what one fsync of 4 KiB took on the same disk just before the run, in milliseconds.
type Fsync struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Audit is what the answers, the target and its storage disagree about; all 0 in a sound run.
type Audit struct {
	Oversold    int64 `json:"oversold"`
	Undersold   int64 `json:"undersold"`
	Lost        int64 `json:"lost"`
	Duplicated  int64 `json:"duplicated"`
	LimitBroken int64 `json:"limit_broken"`
}

// Passed reports whether nothing was found.
func (a Audit) Passed() bool { return a == Audit{} }

// Machine is what it ran on.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Go    string `json:"go"`
}

// Threshold is a check that was asked for, such as p99<5ms.
type Threshold struct {
	Text string `json:"text"`
	// Value is what was measured, in the threshold's unit.
	Value  float64 `json:"value"`
	Passed bool    `json:"passed"`
}

// Gap is one loss of a leader: how long no order of its SKU was accepted.
type Gap struct {
	AtS   float64 `json:"at_s"`
	GapMS float64 `json:"gap_ms"`
}
