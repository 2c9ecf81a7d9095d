package result

import "slices"

// Comparison is ours and rivals in alternating runs of the same works.
type Comparison struct {
	Rounds  int     `json:"rounds"`
	Machine Machine `json:"machine"`
	Commit  string  `json:"commit"`
	Works   []Work  `json:"works"`
	// Loop is which all runs are; Place says in words where callers, nodes and servers are.
	Loop  string `json:"loop"`
	Place string `json:"place"`
	// Fsync has the medians of the probes of all runs.
	Fsync Fsync `json:"fsync_ms"`
	// Skipped are contestants that could not be measured.
	Skipped []Skipped `json:"skipped"`
}

// Skipped is a contestant that could not be measured, and why not.
type Skipped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
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
	// Part is the target it shows, such as P1; Figure what counts, Contestants who took part, ours first.
	Part        string   `json:"part"`
	Figure      string   `json:"figure"`
	Contestants []string `json:"contestants"`
	// Target is the least figure that is wanted of the first contestant, 0: none is.
	Target float64 `json:"target"`
}

// Ratio is a figure of one contestant to that of another in the same round: the least, the median and the most of all rounds.
type Ratio struct {
	Over   string  `json:"over"`
	Under  string  `json:"under"`
	Figure string  `json:"figure"`
	Least  float64 `json:"least"`
	Median float64 `json:"median"`
	Most   float64 `json:"most"`
	// Target is the least median that is wanted, 0: none is.
	Target float64 `json:"target"`
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

// Ratio compares a figure of two contestants round by round. A round in which the one below is 0 does not count; with no round that does, or a
// figure that is none of those above, the ratio is zero.
func (w Work) Ratio(over, under, figure string) Ratio {
	ratio := Ratio{Over: over, Under: under, Figure: figure}
	of := figures[figure]
	if of == nil {
		return ratio
	}
	var values []float64
	for i := range min(len(w.Runs[over]), len(w.Runs[under])) {
		if below := of(w.Runs[under][i]); below > 0 {
			values = append(values, of(w.Runs[over][i])/below)
		}
	}
	if n := len(values); n > 0 {
		slices.Sort(values)
		ratio.Least, ratio.Median, ratio.Most = values[0], (values[(n-1)/2]+values[n/2])/2, values[n-1]
	}
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
