package actors

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// metrics are all metrics of the package.
type metrics struct {
	outcomes   [2][256]prometheus.Counter // by how they were found, and code
	parked     prometheus.Gauge
	hot        prometheus.Gauge
	broken     prometheus.Gauge
	faults     prometheus.Counter
	lost       prometheus.Counter
	overloaded prometheus.Counter
	entries    prometheus.Counter
	commands   prometheus.Counter
	bytes      prometheus.Counter
	voided     prometheus.Counter

	mu       sync.Mutex // guards replicas
	replicas map[uint32]*Replica
	pending  *prometheus.Desc
	backlog  *prometheus.Desc
	applied  *prometheus.Desc
	term     *prometheus.Desc
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_actors_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_actors_" + name, Help: help})
	}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("holdfast_actors_"+name, help, []string{"shard"}, nil)
	}
	m := &metrics{
		parked:     gauge("parked_orders", "Orders that wait for claims in flight or for due holds."),
		hot:        gauge("hot_skus", "SKUs with an actor of their own."),
		broken:     gauge("broken_skus", "SKUs frozen because an invariant did not hold."),
		faults:     counter("replica_faults_total", "Replicas that could not go on."),
		lost:       counter("lost_messages_total", "Requests answered because their actor was gone."),
		overloaded: counter("overloaded_total", "Requests refused because a shard's admission tokens ran out (max-pending)."),
		entries:    counter("proposals_total", "Entries proposed."),
		commands:   counter("proposed_commands_total", "Commands proposed."),
		bytes:      counter("proposed_bytes_total", "Bytes proposed."),
		voided:     counter("voided_entries_total", "Entries dropped because they were admitted in another term than the log's."),
		replicas:   make(map[uint32]*Replica),
		pending:    desc("pending_requests", "Requests in the actors' hands."),
		backlog:    desc("apply_backlog_entries", "Committed entries that wait in actors."),
		applied:    desc("applied_index", "Last log index that all actors have applied."),
		term:       desc("open_term", "Raft term that admission is open for, 0 while it is closed."),
	}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_actors_outcomes_total", Help: "Answers by code, from the applied state (admission) or from the log (apply).",
	}, []string{"from", "code"})
	for i, from := range [...]string{"admission", "apply"} {
		for c := stock.OK; c <= stock.Internal; c++ {
			m.outcomes[i][c] = outcomes.WithLabelValues(from, c.String())
		}
	}
	if reg != nil {
		reg.MustRegister(outcomes, m.parked, m.hot, m.broken, m.faults, m.lost, m.overloaded, m.entries, m.commands, m.bytes, m.voided, m)
	}
	return m
}

func (m *metrics) refused(c stock.Code)  { m.outcomes[0][c].Inc() }
func (m *metrics) answered(c stock.Code) { m.outcomes[1][c].Inc() }

func (m *metrics) proposed(commands, bytes int) {
	m.entries.Inc()
	m.commands.Add(float64(commands))
	m.bytes.Add(float64(bytes))
}

func (m *metrics) watch(r *Replica) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replicas[r.shard] = r
}

func (m *metrics) forget(r *Replica) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.replicas[r.shard] == r {
		delete(m.replicas, r.shard)
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.pending, m.backlog, m.applied, m.term} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for shard, r := range m.replicas {
		label := strconv.Itoa(int(shard))
		for d, v := range map[*prometheus.Desc]float64{
			m.pending: float64(r.tokens.Load()), m.backlog: float64(r.Backlog()), m.applied: float64(r.Applied()), m.term: float64(r.Term()),
		} {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
		}
	}
}
