package result

// Interval is a piece of a run, in its order. Counts are in orders and end within the interval.
type Interval struct {
	// StartS is since the end of the warm-up.
	StartS    float64 `json:"start_s"`
	DurationS float64 `json:"duration_s"`
	Accepted  int64   `json:"accepted"`
	Refused   int64   `json:"refused"`
	Errors    int64   `json:"errors"`
	Unknown   int64   `json:"unknown"`
	Latency   Latency `json:"latency_ms"`
}

// Quantile is a point of the distribution of latencies: Fraction of the calls took at most MS.
type Quantile struct {
	// Fraction is in [0,1].
	Fraction float64 `json:"q"`
	MS       float64 `json:"ms"`
}
