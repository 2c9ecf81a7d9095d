package cluster

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	gometrics "github.com/hashicorp/go-metrics"
	raftmetrics "github.com/hashicorp/go-metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are all that this package exports.
type metrics struct {
	registered []prometheus.Collector
	registerer prometheus.Registerer

	leads, term, commitIndex  *prometheus.GaugeVec
	down, outstanding         *prometheus.GaugeVec
	snapshotIndex, snapBytes  *prometheus.GaugeVec
	snapshotAt, snapBehind    *prometheus.GaugeVec
	leaders                   *prometheus.CounterVec
	proposals, bound          *prometheus.CounterVec
	faults, logDrops          *prometheus.CounterVec
	lateSnapshots, transfers  *prometheus.CounterVec
	standstill                *prometheus.GaugeVec
	snapshots, peerDrops      *prometheus.CounterVec
	snapshotSeconds, openSecs prometheus.Histogram
	peerConns                 prometheus.Gauge
	peerCertificate           prometheus.Gauge
	peerReloads               *prometheus.CounterVec
	rpcConns                  prometheus.Gauge
	rpcCalling, rpcServing    prometheus.Gauge
	rpcCalls, rpcServed       *prometheus.CounterVec
	rpcBound                  *prometheus.CounterVec
	rpcDialFailed             prometheus.Counter
}

// peerMetrics makes those of the peer port.
func (m *metrics) peerMetrics() {
	gauge := func(to *prometheus.Gauge, name, help string) {
		*to = prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_cluster_" + name, Help: help})
		m.registered = append(m.registered, *to)
	}
	counter := func(to **prometheus.CounterVec, name, help string, labels ...string) {
		*to = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_cluster_" + name, Help: help}, labels)
		m.registered = append(m.registered, *to)
	}
	gauge(&m.peerConns, "peer_connections", "Connections from other nodes.")
	gauge(&m.peerCertificate, "peer_certificate_not_after_timestamp_seconds", "When the peer certificate in force ends, in Unix time; 0 without one.")
	gauge(&m.rpcConns, "peer_request_connections", "Connections on which this node asks others.")
	gauge(&m.rpcCalling, "peer_requests_waiting", "Requests to other nodes that wait for their answer.")
	gauge(&m.rpcServing, "peer_requests_serving", "Requests of other nodes that are being answered.")
	counter(&m.peerDrops, "peer_dropped_total", "Connections of the peer port that were dropped, by reason.", "reason")
	counter(&m.peerReloads, "peer_reloads_total", "Times that the files of the peer port were read again.", "result")
	counter(&m.rpcCalls, "peer_requests_total", "Requests to other nodes by result.", "result")
	counter(&m.rpcServed, "peer_answers_total", "Requests of other nodes by result.", "result")
	counter(&m.rpcBound, "peer_bound_total", "Requests between nodes refused because a bound was reached, by bound.", "bound")
	m.rpcDialFailed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "holdfast_cluster_peer_dials_failed_total", Help: "Dials to other nodes, for requests, that failed.",
	})
	m.registered = append(m.registered, m.rpcDialFailed)
}

// rpcCalled counts a request to another node.
func (m *metrics) rpcCalled(err error) {
	result := "failed"
	switch {
	case err == nil:
		result = "done"
	case errors.Is(err, ErrNotSent):
		result = "not_sent"
	case errors.Is(err, ErrNotTaken):
		result = "not_taken"
	case errors.Is(err, ErrMaybeSent):
		result = "maybe_sent"
	}
	m.rpcCalls.WithLabelValues(result).Inc()
}

func newMetrics() *metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "holdfast_cluster_" + name, Help: help}, []string{"shard"})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_cluster_" + name, Help: help}, labels)
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_cluster_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		})
	}
	m := &metrics{
		leads:           gauge("leads", "1 while this node leads the shard."),
		term:            gauge("term", "Raft term of the shard's replica here."),
		commitIndex:     gauge("commit_index", "Last committed log index known to the shard's replica here."),
		down:            gauge("down", "1 while the shard's replica here is out of its group."),
		outstanding:     gauge("outstanding", "Proposals that wait for their outcome."),
		snapshotIndex:   gauge("snapshot_index", "Log index of the newest snapshot."),
		snapBytes:       gauge("snapshot_bytes", "Size of the newest snapshot's state."),
		snapshotAt:      gauge("snapshot_timestamp_seconds", "When the newest snapshot was taken, in Unix time; 0: not since the start."),
		snapBehind:      gauge("snapshot_behind_bytes", "Bytes of log that the newest snapshot does not hold (snapshot-bytes)."),
		leaders:         counter("leader_changes_total", "Times that another node, or the first one, was seen to lead the shard.", "shard"),
		proposals:       counter("proposals_total", "Proposals by outcome.", "shard", "outcome"),
		bound:           counter("bound_total", "Proposals refused because a bound was reached, by bound.", "shard", "bound"),
		faults:          counter("faults_total", "Faults that took the shard's replica out of its group.", "shard"),
		logDrops:        counter("log_drops_total", "Logs dropped on open because the snapshot had overtaken them.", "shard"),
		snapshots:       counter("snapshots_total", "Snapshots by result.", "shard", "result"),
		lateSnapshots:   counter("late_snapshots_total", "Snapshots from a leader that brought nothing and were dropped.", "shard"),
		transfers:       counter("transfers_total", "Leadership transfers begun here, by result.", "shard", "result"),
		standstill:      gauge("standstill_members", "Members that answer this leader, trail, and come no further."),
		snapshotSeconds: histogram("snapshot_seconds", "How long a snapshot took."),
		openSecs:        histogram("open_seconds", "How long a replica took to open, its snapshot's restore included."),
	}
	m.registered = []prometheus.Collector{
		m.leads, m.term, m.commitIndex, m.down, m.outstanding, m.snapshotIndex, m.snapBytes, m.proposals, m.bound, m.faults, m.logDrops,
		m.snapshots, m.snapshotSeconds, m.openSecs, m.snapshotAt, m.snapBehind, m.leaders,
		m.lateSnapshots, m.transfers, m.standstill,
	}
	m.peerMetrics()
	return m
}

// register makes the metrics visible; with raft's own when asked.
func (m *metrics) register(to prometheus.Registerer, withRaft bool) error {
	if to == nil {
		return nil
	}
	if withRaft {
		sink, err := useRaftSink()
		if err != nil {
			return fmt.Errorf("cluster: raft's metrics: %w", err)
		}
		m.registered = append(m.registered, sink)
	}
	m.registerer = to
	for i, c := range m.registered {
		if err := to.Register(c); err != nil {
			m.registered = m.registered[:i]
			m.unregister()
			return fmt.Errorf("cluster: register metrics: %w", err)
		}
	}
	return nil
}

// forget drops what is shown of a shard whose replica is gone.
func (m *metrics) forget(shard uint32) {
	label := prometheus.Labels{"shard": strconv.FormatUint(uint64(shard), 10)}
	for _, c := range m.registered {
		if vec, ok := c.(interface {
			DeletePartialMatch(prometheus.Labels) int
		}); ok {
			vec.DeletePartialMatch(label)
		}
	}
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
	m.registerer = nil
}

// newest shows the newest snapshot; nil for none.
func (m *shardMetrics) newest(s *snapshot) {
	if s != nil {
		m.snapshotIndex.Set(float64(s.Index))
		m.snapBytes.Set(float64(s.stateBytes))
	}
}

func (m *metrics) peerDropped(v verdict) { m.peerDrops.WithLabelValues(v.String()).Inc() }

// raftSink takes what raft counts. Raft counts into one sink per process, so every node in this process shows the sum of all.
var raftSink = sync.OnceValues(func() (*raftmetrics.PrometheusSink, error) {
	return raftmetrics.NewPrometheusSinkFrom(raftmetrics.PrometheusOpts{Name: "holdfast_raft", Registerer: prometheus.NewRegistry()})
})

// useRaftSink makes raft count.
func useRaftSink() (prometheus.Collector, error) {
	sink, err := raftSink()
	if err != nil {
		return nil, err
	}
	conf := gometrics.DefaultConfig("")
	conf.EnableHostname, conf.EnableRuntimeMetrics, conf.EnableServiceLabel = false, false, false
	_, err = gometrics.NewGlobal(conf, sink)
	return sink, err
}

// shardMetrics are one shard's, looked up once.
type shardMetrics struct {
	leads, term, commitIndex, down, outstanding, snapshotIndex, snapBytes prometheus.Gauge
	snapshotAt, snapBehind                                                prometheus.Gauge
	leaders                                                               prometheus.Counter
	committed, notExecuted, unknown                                       prometheus.Counter
	outstandingBound, entryBound                                          prometheus.Counter
	faults, logDrops, snapshotsTaken, snapshotsFailed                     prometheus.Counter
	lateSnapshots                                                         prometheus.Counter
	transfersDone, transfersFailed, transfersStuck                        prometheus.Counter
	standstill                                                            prometheus.Gauge
}

func (m *metrics) of(shard uint32) *shardMetrics {
	id := strconv.FormatUint(uint64(shard), 10)
	return &shardMetrics{
		leads: m.leads.WithLabelValues(id), term: m.term.WithLabelValues(id), commitIndex: m.commitIndex.WithLabelValues(id),
		down: m.down.WithLabelValues(id), outstanding: m.outstanding.WithLabelValues(id),
		snapshotIndex: m.snapshotIndex.WithLabelValues(id), snapBytes: m.snapBytes.WithLabelValues(id),
		snapshotAt: m.snapshotAt.WithLabelValues(id), snapBehind: m.snapBehind.WithLabelValues(id), leaders: m.leaders.WithLabelValues(id),
		committed: m.proposals.WithLabelValues(id, "committed"), notExecuted: m.proposals.WithLabelValues(id, "not_executed"),
		unknown:          m.proposals.WithLabelValues(id, "unknown"),
		outstandingBound: m.bound.WithLabelValues(id, "outstanding"), entryBound: m.bound.WithLabelValues(id, "entry_bytes"),
		faults: m.faults.WithLabelValues(id), logDrops: m.logDrops.WithLabelValues(id),
		snapshotsTaken: m.snapshots.WithLabelValues(id, "taken"), snapshotsFailed: m.snapshots.WithLabelValues(id, "failed"),
		lateSnapshots: m.lateSnapshots.WithLabelValues(id), standstill: m.standstill.WithLabelValues(id),
		transfersDone: m.transfers.WithLabelValues(id, "done"), transfersFailed: m.transfers.WithLabelValues(id, "failed"),
		transfersStuck: m.transfers.WithLabelValues(id, "stuck"),
	}
}
