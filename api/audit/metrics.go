package audit

import "github.com/prometheus/client_golang/prometheus"

// metrics are all this package counts.
type metrics struct {
	lines, failures, omitted, rotations prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "holdfast", Subsystem: "audit", Name: name, Help: help})
	}
	m := &metrics{
		lines:     counter("lines_total", "Lines written."),
		failures:  counter("failures_total", "Lines that could not be written. Changes are refused meanwhile."),
		omitted:   counter("omitted_total", "Refused calls without a line of their own, because there were too many."),
		rotations: counter("rotations_total", "Files that were full and made room for another."),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.lines, m.failures, m.omitted, m.rotations} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
