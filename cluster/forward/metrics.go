package forward

import (
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// metrics are all metrics of the package.
type metrics struct {
	attempts   [endOfPlaces]prometheus.Counter
	resends    prometheus.Counter
	overloaded map[string]prometheus.Counter // by bound
	unknown    prometheus.Counter
	frames     prometheus.Counter
	requests   prometheus.Histogram
	forwarded  prometheus.Gauge
	leaderless prometheus.Gauge
	served     [endOfVerdicts]prometheus.Counter
	ahead      prometheus.Gauge
}

// place is where an attempt goes.
type place int

const (
	placeHere place = iota
	placeThere
	endOfPlaces
)

const endOfVerdicts = verdictClock + 1

// The bounds that a request can run into here, by the names of their flags.
const (
	boundForwarded      = "max-forwarded"
	boundForwardedBytes = "max-forwarded-bytes"
	boundLeaderless     = "max-leaderless"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		resends:    counter("resends_total", "Commands sent again while an earlier copy may be under way."),
		unknown:    counter("unknown_total", "Commands whose callers were told that the outcome is unknown."),
		frames:     counter("frames_total", "Frames with requests sent to other nodes."),
		forwarded:  gauge("forwarded_requests", "Requests that wait for an answer of another node (max-forwarded, for each node)."),
		leaderless: gauge("leaderless_requests", "Requests that wait for a shard to have a leader that takes them (max-leaderless)."),
		ahead:      gauge("clock_ahead_seconds", "How far the leaders' clocks were ahead of this node's when one last refused a deadline made here."),
		requests: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_forward_frame_requests", Help: "Requests of one frame.", Buckets: prometheus.ExponentialBuckets(1, 2, 14),
		}),
		overloaded: make(map[string]prometheus.Counter),
	}
	attempts := counters("attempts_total", "Requests of calls that were not all led here, by the route they took.", "route")
	for i, to := range [...]string{"here", "there"} {
		m.attempts[i] = attempts.WithLabelValues(to)
	}
	overloaded := counters("overloaded_total", "Requests refused as overloaded, by the bound that was reached.", "bound")
	for _, bound := range [...]string{boundForwarded, boundForwardedBytes, boundLeaderless} {
		m.overloaded[bound] = overloaded.WithLabelValues(bound)
	}
	served := counters("served_total", "Requests of other nodes, by what they were told.", "result")
	for v, result := range [...]string{"refused", "answered", "no_leader", "clock"} {
		m.served[v] = served.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(attempts, overloaded, served, m.resends, m.unknown, m.frames, m.forwarded, m.leaderless, m.ahead, m.requests)
	}
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_forward_" + name, Help: help})
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_forward_" + name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_forward_" + name, Help: help}, labels)
}

// frame counts a frame that is sent.
func (m *metrics) frame(fr *frame) {
	count := 0
	for _, p := range fr.parcels {
		count += p.count
	}
	m.frames.Inc()
	m.requests.Observe(float64(count))
}

// overload returns the refusal of a request that ran into a bound.
func (m *metrics) overload(bound string) stock.Outcome {
	m.overloaded[bound].Inc()
	return stock.Outcome{Code: stock.Overloaded, Detail: &stock.Detail{Bound: bound}}
}
