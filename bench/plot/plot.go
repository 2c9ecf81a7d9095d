package plot

// Plot is some lines over two axes.
type Plot struct {
	Title string
	// About describes the plot to those who cannot see it.
	About string
	X, Y  Axis
	Lines []Line
}

// Axis is one of the two.
type Axis struct {
	Label string
	// Log is a logarithmic scale; what is not above 0 is left out then.
	Log bool
	// FromZero lets a linear scale begin at 0.
	FromZero bool
	// Marks replace those that the scale would choose.
	Marks []Mark
	// Say is how a value is said to those who point at it; nil: as a number with the label behind it.
	Say func(v float64) string
}

// Mark is a labelled place on an axis.
type Mark struct {
	At   float64
	Text string
}

// Line is a series of points in the order of their X.
type Line struct {
	Name   string
	Points []Point
}

// Point is one measured value.
type Point struct{ X, Y float64 }

// drawable are the points of a line that both scales can show.
func (p Plot) drawable(l Line) []Point {
	var kept []Point
	for _, at := range l.Points {
		if p.X.shows(at.X) && p.Y.shows(at.Y) {
			kept = append(kept, at)
		}
	}
	return kept
}

func (a Axis) said(v float64) string {
	if a.Say != nil {
		return a.Say(v)
	}
	return Number(v) + " " + a.Label
}
