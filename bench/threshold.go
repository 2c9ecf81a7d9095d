package bench

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdfast/bench/result"
)

// Threshold is a limit that a result must keep, such as p99<5ms.
type Threshold struct {
	// Text is how it was written.
	Text string
	name string
	// below: the figure must be below the limit, else above it; orEqual: or equal to it.
	below, orEqual bool
	// limit is in the unit that was written: milliseconds make unit 1e-3.
	limit, unit float64
}

// gauge is something that a threshold may be set on.
type gauge struct {
	name string
	// time: it is in milliseconds; else it is a number.
	time bool
	// of returns the figure; was is false when there was nothing to measure.
	of func(r *Result) (value float64, was bool)
}

// gauges are all of them.
var gauges = []gauge{
	{"p50", true, accepted(func(l result.Latency) float64 { return l.P50 })},
	{"p90", true, accepted(func(l result.Latency) float64 { return l.P90 })},
	{"p99", true, accepted(func(l result.Latency) float64 { return l.P99 })},
	{"p99_9", true, accepted(func(l result.Latency) float64 { return l.P999 })},
	{"max", true, accepted(func(l result.Latency) float64 { return l.Max })},
	{"refused_p50", true, refused(func(l result.Latency) float64 { return l.P50 })},
	{"refused_p99", true, refused(func(l result.Latency) float64 { return l.P99 })},
	{"refused_p99_9", true, refused(func(l result.Latency) float64 { return l.P999 })},
	{"accepted", false, func(r *Result) (float64, bool) { return float64(r.Accepted), true }},
	{"accepted_per_s", false, func(r *Result) (float64, bool) { return r.AcceptedPerS, true }},
	{"refused", false, func(r *Result) (float64, bool) { return float64(r.Refused), true }},
	{"refused_per_s", false, func(r *Result) (float64, bool) { return r.RefusedPerS, true }},
	{"errors", false, func(r *Result) (float64, bool) { return float64(r.Errors), true }},
	{"unknown", false, func(r *Result) (float64, bool) { return float64(r.Unknown), true }},
}

// accepted is a percentile of orders that were accepted, or got no answer. Where nobody waited for one, none was fast.
func accepted(of func(result.Latency) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) { return of(r.Latency), r.Latency.Max > 0 }
}

func refused(of func(result.Latency) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) { return of(r.RefusedLatency), r.RefusedLatency.Max > 0 }
}

// expression is a name, a comparison, a number and a unit.
var expression = regexp.MustCompile(`^\s*([a-z0-9_.]+)\s*(<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)\s*([a-zµ]*)\s*$`)

// timeUnits are how long a unit is, in milliseconds.
var timeUnits = map[string]float64{"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3, "m": 60e3}

// ParseThreshold reads a threshold. It returns ErrConfig when it is none.
func ParseThreshold(text string) (Threshold, error) {
	part := expression.FindStringSubmatch(text)
	if part == nil {
		return Threshold{}, badf("--threshold %q is not a name, one of < <= > >=, and a limit, such as p99<5ms or accepted_per_s>100000", text)
	}
	t := Threshold{Text: strings.Join(strings.Fields(text), ""), name: strings.ReplaceAll(part[1], ".", "_"), below: part[2][0] == '<', orEqual: len(part[2]) == 2}
	i := slices.IndexFunc(gauges, func(f gauge) bool { return f.name == t.name })
	if i < 0 {
		var names []string
		for _, f := range gauges {
			names = append(names, f.name)
		}
		return Threshold{}, badf("--threshold %q: there is no figure %q; there are %s", text, part[1], strings.Join(names, ", "))
	}
	limit, err := strconv.ParseFloat(part[3], 64)
	if err != nil {
		return Threshold{}, badf("--threshold %q: %q is no number", text, part[3])
	}
	unit, known := timeUnits[part[4]]
	switch {
	case gauges[i].time && !known:
		return Threshold{}, badf("--threshold %q: %s is a time and needs a unit, such as 5ms", text, part[1])
	case !gauges[i].time && part[4] != "":
		return Threshold{}, badf("--threshold %q: %s is a number and has no unit", text, part[1])
	case !gauges[i].time:
		unit = 1
	}
	t.limit, t.unit = limit, unit
	return t, nil
}

// Hold holds a result to a threshold. A latency that nobody had is not below anything.
func (t Threshold) Hold(r *Result) result.Threshold {
	for _, f := range gauges {
		if f.name != t.name {
			continue
		}
		value, was := f.of(r)
		value /= t.unit
		passed := was && (t.below && value < t.limit || !t.below && value > t.limit || t.orEqual && value == t.limit)
		return result.Threshold{Text: t.Text, Value: value, Passed: passed}
	}
	return result.Threshold{Text: t.Text}
}

// missedText says by how much a threshold was missed, in its unit.
func missedText(t result.Threshold) string {
	unit := ""
	if part := expression.FindStringSubmatch(t.Text); part != nil {
		unit = part[4]
	}
	return fmt.Sprintf("%s: it is %s%s", t.Text, strconv.FormatFloat(t.Value, 'g', 6, 64), unit)
}
