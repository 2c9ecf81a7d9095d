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
	listeners   map[string]*listenerMetrics
	draining    prometheus.Gauge
	reloads     *prometheus.CounterVec
	certificate prometheus.Gauge
	problemsVec *prometheus.CounterVec
}

// listenerMetrics count the connections of one listener.
type listenerMetrics struct {
	open      prometheus.Gauge
	refused   prometheus.Counter
	malformed prometheus.Counter
	// handshakes counts those of TLS that failed.
	handshakes prometheus.Counter
}

// latencyBuckets reach from a refusal in memory to the longest deadline.
var latencyBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// newMetrics registers the metrics; bodyMemory tells how much the bodies under way take.
func newMetrics(reg prometheus.Registerer, bodyMemory func() float64) (*metrics, error) {
	named := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "holdfast", Subsystem: "api", Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(named(name, help)))
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts(named(name, help)))
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts(named("requests_total",
			"Requests answered, by route pattern (none: no such route) and status.")), []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "holdfast", Subsystem: "api", Name: "request_seconds",
			Help: "Time from a request's head to its answer, by route pattern.", Buckets: latencyBuckets}, []string{"route"}),
		problemsVec: prometheus.NewCounterVec(prometheus.CounterOpts(named("problems_total",
			"Answers that were no acceptance, orders of a batch included, by problem code.")), []string{"code"}),
		inFlight:  gauge("in_flight", "Requests being answered."),
		received:  counter("received_bytes_total", "Bytes of bodies read."),
		sent:      counter("sent_bytes_total", "Bytes of answers written, heads apart."),
		panics:    counter("panics_total", "Requests that ran into a fault of the server and were answered internal."),
		draining:  gauge("draining", "1 while new commands are refused because the node is going down."),
		listeners: map[string]*listenerMetrics{},
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts(named("reloads_total",
			"Files read again, by what (keys, certificate, audit) and result (ok, failed: the old one stays).")), []string{"what", "result"}),
		certificate: gauge("certificate_not_after_seconds", "When the certificate in force ends, in Unix time; 0 without TLS."),
	}
	for code := range m.problems {
		if row := &problems[code]; row.status != 0 {
			m.problems[code] = m.problemsVec.WithLabelValues(row.name)
		}
	}
	connections := prometheus.NewGaugeVec(prometheus.GaugeOpts(named("connections", "Open connections, by listener.")), []string{"listener"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts(named("connections_refused_total",
		"Connections beyond the bound, answered overloaded and closed, by listener.")), []string{"listener"})
	malformed := prometheus.NewCounterVec(prometheus.CounterOpts(named("malformed_heads_total",
		"Requests whose head could not be read or was too long, answered in plain text, by listener.")), []string{"listener"})
	handshakes := prometheus.NewCounterVec(prometheus.CounterOpts(named("tls_handshake_failures_total",
		"TLS handshakes that failed or took too long, by listener.")), []string{"listener"})
	for _, name := range []string{publicName, adminName} {
		m.listeners[name] = &listenerMetrics{connections.WithLabelValues(name), refused.WithLabelValues(name), malformed.WithLabelValues(name),
			handshakes.WithLabelValues(name)}
	}
	memory := prometheus.NewGaugeFunc(prometheus.GaugeOpts(named("body_memory_bytes", "Bytes held for bodies and batch answers.")), bodyMemory)
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.problemsVec, m.inFlight, m.received, m.sent, m.panics, m.draining,
		connections, refused, malformed, handshakes, memory, m.reloads, m.certificate} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) problem(code stock.Code) {
	if int(code) >= len(m.problems) || m.problems[code] == nil {
		code = stock.Internal
	}
	m.problems[code].Inc()
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
