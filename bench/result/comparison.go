package result

import "slices"

// Comparison is ours and rivals in alternating runs of the same works.
type Comparison struct {
	Rounds  int     `json:"rounds"`
	Machine Machine `json:"machine"`
	Commit  string  `json:"commit"`
	Works   []Work  `json:"works"`
}

// Work is one work that several did in turn.
type Work struct {
	// Name is the work's, without spaces, such as http-one.
	Name string `json:"name"`
	// Title says what is done, in words.
	Title string `json:"title"`
	// Runs are the whole results of each contestant, by round.
	Runs map[string][]Result `json:"runs"`
	// Ratios compare contestants within the same round.
	Ratios []Ratio `json:"ratios"`
}

// Ratio is a figure of one contestant to that of another in the same round: the least, the median and the most of all rounds.
type Ratio struct {
	Over   string  `json:"over"`
	Under  string  `json:"under"`
	Figure string  `json:"figure"`
	Least  float64 `json:"least"`
	Median float64 `json:"median"`
	Most   float64 `json:"most"`
}

// The figures that are compared.
const (
	Accepted = "accepted_per_s"
	Refused  = "refused_per_s"
	P99      = "p99_ms"
)

// figures take them from a result.
var figures = map[string]func(Result) float64{
	Accepted: func(r Result) float64 { return r.AcceptedPerS },
	Refused:  func(r Result) float64 { return r.RefusedPerS },
	P99:      func(r Result) float64 { return r.Latency.P99 },
}

// Ratio compares a figure of two contestants round by round. It is zero when one of them has no runs or the figure is none of those above.
func (w Work) Ratio(over, under, figure string) Ratio {
	ratio := Ratio{Over: over, Under: under, Figure: figure}
	of := figures[figure]
	rounds := min(len(w.Runs[over]), len(w.Runs[under]))
	if of == nil || rounds == 0 {
		return ratio
	}
	var values []float64
	for i := range rounds {
		values = append(values, of(w.Runs[over][i])/of(w.Runs[under][i]))
	}
	slices.Sort(values)
	ratio.Least, ratio.Median, ratio.Most = values[0], (values[(rounds-1)/2]+values[rounds/2])/2, values[rounds-1]
	return ratio
}

// Work returns the work of a name.
func (c Comparison) Work(name string) (Work, bool) {
	i := slices.IndexFunc(c.Works, func(w Work) bool { return w.Name == name })
	if i < 0 {
		return Work{}, false
	}
	return c.Works[i], true
}
