package actors

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
)

// metrics are all metrics of the package.
type metrics struct {
	outcomes   [2][256]prometheus.Counter // by how they were found, and code
	orders     [endOfEvents]prometheus.Counter
	lag        prometheus.Histogram
	overloaded map[string]prometheus.Counter // by bound

	commit, entryCommands, entryBytes prometheus.Histogram
	full, voided, applyWaits          prometheus.Counter

	parked, hot, broken    prometheus.Gauge
	promotions, demotions  prometheus.Counter
	unconfirmed            prometheus.Gauge
	checks                 [endOfResults]prometheus.Counter
	checkSeconds           prometheus.Histogram
	fast, clocks           prometheus.Counter
	faults, lost           prometheus.Counter
	hashMarks              prometheus.Counter
	disagreements          prometheus.Counter
	mu                     sync.Mutex // guards replicas
	replicas               map[uint32]*Replica
	pending, queued, boxed *prometheus.Desc
	backlog, applied, term *prometheus.Desc
	clockAhead, identified *prometheus.Desc
}

var _ prometheus.Collector = (*metrics)(nil)

// event is something that happens to an order.
type event int

const (
	accepted event = iota
	confirmed
	cancelled
	expired
	returned
	endOfEvents
)

var eventNames = [endOfEvents]string{"accepted", "confirmed", "cancelled", "expired", "returned"}

// The bounds that a request can run into here, by the names of their flags or settings; anything else counts as other.
const (
	boundPending = "max-pending"
	otherBound   = "other"
)

var boundNames = []string{boundPending, "max-parked", "max-remembered", "max_open_orders_per_sku", "wal-soft-bytes", otherBound}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		parked:      gauge("parked_orders", "Orders that wait for claims in flight or for due holds."),
		hot:         gauge("hot_skus", "SKUs with an actor of their own."),
		broken:      gauge("broken_skus", "SKUs frozen because an invariant did not hold."),
		promotions:  counter("promotions_total", "SKUs that got an actor of their own."),
		demotions:   counter("demotions_total", "SKUs whose ledger came back from an actor of its own."),
		unconfirmed: gauge("unconfirmed_requests", "Answers that wait for a leadership check; their requests count as pending (max-pending)."),
		checkSeconds: histogram("check_seconds", "How long a leadership check took, shared by all that waited for it.",
			prometheus.ExponentialBuckets(50e-6, 2, 16)),
		fast: counter("fast_refusals_total", "Refusals of orders that left without a leadership check (refusals)."),
		clocks: counter("clock_disagreements_total",
			"Times that a term was not opened because this machine's clock does not agree with the other voters' or with log time."),
		faults: counter("replica_faults_total",
			"Replicas that could not go on: a panic, an entry that cannot be applied, a clock that does not agree."),
		hashMarks:     counter("hash_marks_total", "Hash marks that a replica applied."),
		disagreements: counter("hash_disagreements_total", "Hash marks by which replicas had to stop because they were not identical."),
		lost:          counter("lost_messages_total", "Requests answered because their actor was gone."),
		full:          counter("full_proposals_total", "Entries that were sent as long as an entry may be, with more waiting."),
		voided:        counter("voided_entries_total", "Entries dropped because they were admitted in another term than the log's."),
		applyWaits:    counter("apply_waits_total", "Times that raft had to wait because as many entries as allowed waited in actors (apply-backlog)."),
		commit: histogram("commit_seconds", "Time from proposing an entry until raft had it committed: the log's write and fsync, and the quorum.",
			prometheus.ExponentialBuckets(100e-6, 2, 17)),
		lag: histogram("release_lag_seconds", "How long after its deadline the oldest hold of each release was released, by the leader's clock.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}),
		entryCommands: histogram("proposal_commands", "Commands of one proposed entry.", prometheus.ExponentialBuckets(1, 2, 14)),
		entryBytes:    histogram("proposal_bytes", "Bytes of one proposed entry.", prometheus.ExponentialBuckets(128, 4, 7)),
		replicas:      make(map[uint32]*Replica),
		pending:       desc("pending_requests", "Requests in the actors' hands (max-pending).", "shard"),
		queued:        desc("proposer_queue_commands", "Admitted commands that wait for a slot to be proposed in.", "shard"),
		boxed:         desc("mailbox_messages", "Messages in the mailbox of the shard's actor, by lane.", "shard", "lane"),
		backlog:       desc("apply_backlog_entries", "Committed entries that wait in actors (apply-backlog).", "shard"),
		applied:       desc("applied_index", "Last log index that all actors have applied.", "shard"),
		term:          desc("open_term", "Raft term that admission is open for, 0 while it is closed.", "shard"),
		clockAhead:    desc("clock_ahead_seconds", "How far log time is ahead of this machine's clock, while admission is open (max-clock-skew).", "shard"),
		identified:    desc("hash_index", "Log index of the newest hash mark that this replica noted its state at, 0 for none.", "shard"),
	}
	vectors := m.label()
	if reg != nil {
		reg.MustRegister(vectors...)
		reg.MustRegister(m.parked, m.hot, m.broken, m.promotions, m.demotions, m.faults, m.lost, m.hashMarks, m.disagreements, m.full, m.voided,
			m.applyWaits, m.unconfirmed, m.checkSeconds, m.fast, m.clocks,
			m.commit, m.lag, m.entryCommands, m.entryBytes, m)
	}
	return m
}

// label makes the counters with labels, every value of which is there from the start: a counter is found without a search, and an alert sees
// the first time it moves.
func (m *metrics) label() []prometheus.Collector {
	outcomes := counters("outcomes_total", "Answers by code, from the applied state (admission) or from the log (apply).", "from", "code")
	for i, from := range [...]string{"admission", "apply"} {
		for c := stock.OK; c <= stock.Internal; c++ {
			m.outcomes[i][c] = outcomes.WithLabelValues(from, c.String())
		}
	}
	orders := counters("orders_total", "Orders of all SKUs that this node, leading, accepted, or changed to another state.", "event")
	for e, name := range eventNames {
		m.orders[e] = orders.WithLabelValues(name)
	}
	overloaded := counters("overloaded_total", "Requests refused as overloaded, by the bound that was reached.", "bound")
	m.overloaded = make(map[string]prometheus.Counter, len(boundNames))
	for _, name := range boundNames {
		m.overloaded[name] = overloaded.WithLabelValues(name)
	}
	checks := counters("checks_total", "Leadership checks by how they ended.", "result")
	for how, name := range resultNames {
		m.checks[how] = checks.WithLabelValues(name)
	}
	return []prometheus.Collector{outcomes, orders, overloaded, checks}
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_actors_" + name, Help: help})
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_actors_" + name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_actors_" + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_actors_" + name, Help: help, Buckets: buckets})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("holdfast_actors_"+name, help, labels, nil)
}

func (m *metrics) refused(out stock.Outcome) {
	m.outcomes[0][out.Code].Inc()
	m.overload(out, 1)
}

func (m *metrics) answered(out stock.Outcome) {
	m.outcomes[1][out.Code].Inc()
	m.overload(out, 1)
}

// overload counts n requests that ran into a bound, if that is what an outcome says.
func (m *metrics) overload(out stock.Outcome, n int) {
	if out.Code != stock.Overloaded {
		return
	}
	c := m.overloaded[otherBound]
	if out.Detail != nil && m.overloaded[out.Detail.Bound] != nil {
		c = m.overloaded[out.Detail.Bound]
	}
	c.Add(float64(n))
}

// moved counts what an entry did to orders, on the leader.
func (m *metrics) moved(o stock.Moves, now stock.Time) {
	for e, n := range [endOfEvents]int64{o.Accepted, o.Confirmed, o.Cancelled, o.Expired, o.Returned} {
		if n > 0 {
			m.orders[e].Add(float64(n))
		}
	}
	if o.Expired > 0 {
		m.lag.Observe(float64(max(0, now-o.FirstDue)) / 1000)
	}
}

// count counts what the commands of an entry did to orders. Only the leader counts, and only what it decided itself: not what it replays.
func (r *Replica) count(o stock.Moves, term, index uint64) {
	if o.Expired > 0 {
		r.expired(index)
	}
	if term != 0 && o != (stock.Moves{}) {
		r.metrics.moved(o, r.clock.now())
	}
}

func (m *metrics) proposed(commands, bytes int) {
	m.entryCommands.Observe(float64(commands))
	m.entryBytes.Observe(float64(bytes))
}

func (m *metrics) committed(since time.Time) { m.commit.Observe(time.Since(since).Seconds()) }

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
	for _, d := range []*prometheus.Desc{m.pending, m.queued, m.boxed, m.backlog, m.applied, m.term, m.clockAhead, m.identified} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for shard, r := range m.replicas {
		id := strconv.FormatUint(uint64(shard), 10)
		value := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{id}, labels...)...)
		}
		committed, requests := r.shardBox.depth()
		value(m.pending, float64(r.tokens.Load()))
		value(m.queued, float64(r.proposer.waiting.Load()))
		value(m.boxed, float64(committed), "committed")
		value(m.boxed, float64(requests), "requests")
		value(m.backlog, float64(r.Backlog()))
		value(m.applied, float64(r.Applied()))
		value(m.term, float64(r.Term()))
		value(m.clockAhead, r.clockAhead().Seconds())
		index, _ := r.Identity()
		value(m.identified, float64(index))
	}
}

// clockAhead returns how far log time is ahead of the wall clock, 0 while admission is closed.
func (r *Replica) clockAhead() time.Duration {
	if r.Term() == 0 {
		return 0
	}
	return time.Duration(r.clock.now()-stock.TimeOf(r.clock.wall())) * time.Millisecond
}
