package curves

import (
	"fmt"
	"slices"

	"holdfast/bench/result"
)

// Measured is all that was measured, as it is stored.
type Measured struct {
	Curves []Curve `json:"curves"`
}

// Curve is what a sweep found.
type Curve struct {
	Name   string  `json:"name"`
	Points []Found `json:"points"`
}

// Found is one point, with the raw result of each run.
type Found struct {
	Nodes int             `json:"nodes"`
	X     int64           `json:"x"`
	Runs  []result.Result `json:"runs"`
}

// Check returns result.ErrUnsound when there is a run that may not be published.
func (m Measured) Check() error {
	for _, c := range m.Curves {
		for _, f := range c.Points {
			for _, r := range f.Runs {
				if err := r.Sound(); err != nil {
					return fmt.Errorf("%s at %d with %d nodes: %w", c.Name, f.X, f.Nodes, err)
				}
			}
		}
	}
	return nil
}

// of returns the curve of a sweep; the zero one when there is none.
func (m Measured) of(name string) Curve {
	if i := slices.IndexFunc(m.Curves, func(c Curve) bool { return c.Name == name }); i >= 0 {
		return m.Curves[i]
	}
	return Curve{Name: name}
}

// put replaces or adds a curve, and keeps the order of the sweeps.
func (m *Measured) put(c Curve, sweeps []Sweep) {
	m.Curves = slices.DeleteFunc(m.Curves, func(o Curve) bool { return o.Name == c.Name })
	m.Curves = append(m.Curves, c)
	place := func(name string) int {
		return slices.IndexFunc(sweeps, func(s Sweep) bool { return s.Name == name })
	}
	slices.SortStableFunc(m.Curves, func(a, b Curve) int { return place(a.Name) - place(b.Name) })
}

func (c Curve) at(nodes int, x int64) (Found, bool) {
	i := slices.IndexFunc(c.Points, func(f Found) bool { return f.Nodes == nodes && f.X == x && len(f.Runs) > 0 })
	if i < 0 {
		return Found{}, false
	}
	return c.Points[i], true
}

// spread is the least, the median and the greatest of a figure over the runs of a point.
func (f Found) spread(of func(result.Result) float64) (least, median, most float64) {
	var values []float64
	for _, r := range f.Runs {
		values = append(values, of(r))
	}
	slices.Sort(values)
	n := len(values)
	return values[0], (values[(n-1)/2] + values[n/2]) / 2, values[n-1]
}

// The figures of a run.
func rate(r result.Result) float64     { return r.AcceptedPerS }
func p50(r result.Result) float64      { return r.Latency.P50 }
func p99(r result.Result) float64      { return r.Latency.P99 }
func fsyncP50(r result.Result) float64 { return r.Fsync.P50 }
func fsyncP99(r result.Result) float64 { return r.Fsync.P99 }

// add adds a run to its point.
func (c *Curve) add(nodes int, x int64, r result.Result) {
	i := slices.IndexFunc(c.Points, func(f Found) bool { return f.Nodes == nodes && f.X == x })
	if i < 0 {
		i = len(c.Points)
		c.Points = append(c.Points, Found{Nodes: nodes, X: x})
	}
	c.Points[i].Runs = append(c.Points[i].Runs, r)
}
