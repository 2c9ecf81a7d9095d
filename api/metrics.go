package api

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// metrics are all this package counts.
type metrics struct {
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	inFlight    prometheus.Gauge
	problems    [endOfCodes]prometheus.Counter
	received    prometheus.Counter
	sent        prometheus.Counter
	panics      prometheus.Counter
	suppressed  prometheus.Counter
	listeners   map[string]*listenerMetrics
	draining    prometheus.Gauge
	reloads     *prometheus.CounterVec
	certificate prometheus.Gauge
	problemsVec *prometheus.CounterVec
	// overloaded counts answers of that code by the bound they name.
	overloaded map[string]prometheus.Counter
}

// listenerMetrics count the connections of one listener.
type listenerMetrics struct {
	open      prometheus.Gauge
	refused   prometheus.Counter
	malformed prometheus.Counter
	// handshakes counts those of TLS that failed.
	handshakes prometheus.Counter
	// failed counts connections that could not be accepted; slow, idle, unread and evicted those that the server ended.
	failed                      prometheus.Counter
	slow, idle, unread, evicted prometheus.Counter
}

// latencyBuckets reach from a refusal in memory to the longest deadline.
var latencyBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// overloadBounds are the bounds that an answer may name, by their flags or settings; anything else counts as otherBound.
var overloadBounds = []string{
	"max-pending", "max-parked", "max-remembered", "max-forwarded", "max-forwarded-bytes", "max-leaderless",
	"max_open_orders_per_sku", "wal-soft-bytes", boundMemory, boundAudit, boundBackup, otherBound,
}

const otherBound = "other"

func named(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "holdfast", Subsystem: "api", Name: name, Help: help}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts(named(name, help)))
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(named(name, help)), labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts(named(name, help)))
}

// newMetrics registers the metrics; bodyMemory tells how much the bodies under way take.
func newMetrics(reg prometheus.Registerer, bodyMemory func() float64) (*metrics, error) {
	m := &metrics{
		requests: counters("requests_total", "Requests answered, by route pattern (none: no such route) and status.", "route", "status"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "holdfast", Subsystem: "api", Name: "request_seconds",
			Help: "Time from a request's head to its answer, by route pattern.", Buckets: latencyBuckets}, []string{"route"}),
		problemsVec: counters("problems_total", "Answers that were no acceptance, orders of a batch included, by problem code.", "code"),
		inFlight:    gauge("in_flight", "Requests being answered."),
		received:    counter("received_bytes_total", "Bytes of bodies read."),
		sent:        counter("sent_bytes_total", "Bytes of answers written, heads apart."),
		panics:      counter("panics_total", "Requests that ran into a fault of the server and were answered internal."),
		suppressed:  counter("log_suppressed_total", "Records about requests that were not written because there were too many (log-requests-rate)."),
		draining:    gauge("draining", "1 while new commands are refused because the node is going down."),
		reloads: counters("reloads_total",
			"Files read again, by what (keys, certificate, audit) and result (ok, failed: the old one stays).", "what", "result"),
		certificate: gauge("certificate_not_after_timestamp_seconds", "When the certificate in force ends, in Unix time; 0 without TLS."),
	}
	memory := prometheus.NewGaugeFunc(prometheus.GaugeOpts(named("body_memory_bytes", "Bytes held for bodies and batch answers (max-body-memory).")),
		bodyMemory)
	collectors := append(m.label(), m.requests, m.seconds, m.problemsVec, m.inFlight, m.received, m.sent, m.panics, m.suppressed, m.draining, memory,
		m.reloads, m.certificate)
	for _, c := range collectors {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// label makes the children of the vectors whose labels are known, so that an alert sees the first time one moves, and returns those vectors that
// are not kept.
func (m *metrics) label() []prometheus.Collector {
	for code := range m.problems {
		if row := &problems[code]; row.status != 0 {
			m.problems[code] = m.problemsVec.WithLabelValues(row.name)
		}
	}
	for _, what := range []string{"keys", "certificate", "audit"} {
		m.reloads.WithLabelValues(what, "ok")
		m.reloads.WithLabelValues(what, "failed")
	}
	overloaded := counters("overloaded_total", "Answers overloaded, orders of a batch included, by the bound that was reached.", "bound")
	m.overloaded = make(map[string]prometheus.Counter, len(overloadBounds))
	for _, bound := range overloadBounds {
		m.overloaded[bound] = overloaded.WithLabelValues(bound)
	}
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts(named("connections", "Open connections, by listener.")), []string{"listener"})
	refused := counters("connections_refused_total", "Connections beyond the bound, answered overloaded and closed, by listener.", "listener")
	malformed := counters("malformed_heads_total",
		"Requests whose head could not be read or was too long, answered in plain text, by listener.", "listener")
	handshakes := counters("tls_handshake_failures_total", "TLS handshakes that failed or took too long, by listener.", "listener")
	failed := counters("accept_failures_total",
		"Failures to accept a connection, as when the process has no file descriptor left, by listener.", "listener")
	ended := counters("connections_ended_total", "Connections that the server ended, by listener and reason (slow_head, idle, unread: the caller "+
		"did not take its answer, evicted: it waited longest when another needed its place).", "listener", "reason")
	m.listeners = make(map[string]*listenerMetrics)
	for _, name := range []string{publicName, adminName} {
		m.listeners[name] = &listenerMetrics{open.WithLabelValues(name), refused.WithLabelValues(name), malformed.WithLabelValues(name),
			handshakes.WithLabelValues(name), failed.WithLabelValues(name), ended.WithLabelValues(name, "slow_head"),
			ended.WithLabelValues(name, "idle"), ended.WithLabelValues(name, "unread"), ended.WithLabelValues(name, "evicted")}
	}
	return []prometheus.Collector{overloaded, open, refused, malformed, handshakes, failed, ended}
}

// problem counts an answer that is one.
func (m *metrics) problem(p *problem) {
	code := p.code
	if int(code) >= len(m.problems) || m.problems[code] == nil {
		code = stock.Internal
	}
	m.problems[code].Inc()
	if code != stock.Overloaded {
		return
	}
	c := m.overloaded[otherBound]
	if p.detail != nil && m.overloaded[p.detail.Bound] != nil {
		c = m.overloaded[p.detail.Bound]
	}
	c.Inc()
}

// routeMetrics are one route's, looked up once: finding a labelled counter costs more than counting.
type routeMetrics struct {
	name     string
	seconds  prometheus.Observer
	requests *prometheus.CounterVec
	byStatus [600]atomic.Pointer[prometheus.Counter]
}

func (m *metrics) route(name string) *routeMetrics {
	return &routeMetrics{name: name, seconds: m.seconds.WithLabelValues(name), requests: m.requests}
}

func (r *routeMetrics) answered(status int, seconds float64) {
	slot := &r.byStatus[status]
	c := slot.Load()
	if c == nil {
		made := r.requests.WithLabelValues(r.name, strconv.Itoa(status))
		c = &made
		slot.Store(c)
	}
	(*c).Inc()
	r.seconds.Observe(seconds)
}
