package curves

import (
	"fmt"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// drawing is a plot and the name of its file.
type drawing struct {
	file  string
	drawn plot.Plot
}

// plots are the rate and the p99 of a sweep. Some sweeps have too few values for that.
func (s Sweep) plots(c Curve) []drawing {
	if len(c.Points) == 0 || s.TableOnly {
		return nil
	}
	return []drawing{
		{s.Name + "-rate.svg", s.plot(c, "Orders a second", plot.Axis{Label: "orders/s", FromZero: true}, rate)},
		{s.Name + "-p99.svg", s.plot(c, "p99 of a call", plot.Axis{Label: "ms", Log: true}, p99)},
	}
}

func (s Sweep) plot(c Curve, what string, y plot.Axis, of func(result.Result) float64) plot.Plot {
	p := plot.Plot{Title: fmt.Sprintf("%s against %s", what, s.Axis), X: plot.Axis{Label: s.Axis, Log: true}, Y: y}
	p.About = fmt.Sprintf("%s for %s; the table on the page has the numbers.", p.Title, s.Held)
	for _, x := range s.values() {
		p.X.Marks = append(p.X.Marks, plot.Mark{At: float64(x), Text: plot.Number(float64(x))})
	}
	for _, l := range s.Lines {
		line := plot.Line{Name: nodes(l.Nodes)}
		for _, x := range l.At {
			if f, ok := c.at(l.Nodes, x); ok {
				_, median, _ := f.spread(of)
				line.Points = append(line.Points, plot.Point{X: float64(x), Y: median})
			}
		}
		p.Lines = append(p.Lines, line)
	}
	return p
}

// Plots are the files of all curves that were measured, by name.
func Plots(m Measured, sweeps []Sweep) map[string][]byte {
	files := map[string][]byte{}
	for _, s := range sweeps {
		for _, d := range s.plots(m.of(s.Name)) {
			files[d.file] = d.drawn.File()
		}
	}
	return files
}
