package control

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/cluster/meta"
)

// metrics are all that this package exports.
type metrics struct {
	registered []prometheus.Collector
	registerer prometheus.Registerer

	version, silent, clocks, steps prometheus.Gauge
	exchanges, commands, bound     *prometheus.CounterVec
	carried, replicas              *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_control_" + name, Help: help})
		m.registered = append(m.registered, g)
		return g
	}
	counter := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_control_" + name, Help: help}, []string{label})
		for _, value := range values {
			v.WithLabelValues(value)
		}
		m.registered = append(m.registered, v)
		return v
	}
	m.version = gauge("table_version", "Version of the newest table of the cluster that this node knows.")
	m.silent = gauge("nodes_unreachable", "Nodes of the cluster that did not answer this one lately.")
	m.clocks = gauge("clock_offset_seconds", "How far the clock of the node that differs most is from this one's (max-clock-skew).")
	m.steps = gauge("change_steps_open", "Steps of the change under way that are not reported done; 0 when there is none.")
	m.exchanges = counter("exchanges_total", "Questions to other nodes for their status, by result.", "result", "done", "failed")
	m.commands = counter("commands_total", "Commands of the meta group asked for here, by result.",
		"result", "ok", "refused", "not_executed", "unknown")
	m.bound = counter("bound_total", "Commands refused because a bound was reached, by bound.", "bound", "commands")
	m.carried = counter("steps_total", "Steps of changes that this node carried out, by result.", "result", "done", "failed")
	m.replicas = counter("replicas_total", "Replicas opened and removed here because the table says so, by result.",
		"result", "opened", "removed", "failed")
	return m
}

// register registers all, or nothing.
func (m *metrics) register(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	m.registerer = to
	var errs error
	for _, c := range m.registered {
		if err := to.Register(c); err != nil {
			errs = errors.Join(errs, fmt.Errorf("control: register metrics: %w", err))
		}
	}
	if errs != nil {
		m.unregister()
	}
	return errs
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}

// commanded counts an outcome.
func (m *metrics) commanded(out meta.Outcome) {
	result := "refused"
	if out.Code == meta.OK {
		result = "ok"
	}
	m.commands.WithLabelValues(result).Inc()
}
