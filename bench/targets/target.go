package targets

import (
	"errors"
	"fmt"
	"io/fs"

	"holdfast/bench/plot"
)

// Target is something wanted of the whole, which one or more figures show.
type Target struct {
	// Name is P1 to P12, Work what is done.
	Name, Work string
	Checks     []Check
}

// Check is one figure and its bound.
type Check struct {
	// What is measured, with its unit.
	What  string
	Bound Bound
	// Command measures it and writes the stored result.
	Command string
	From    Source
}

// Bound is what a figure must keep to.
type Bound struct {
	// Limit is in Unit, which may be empty.
	Limit float64
	Unit  string
	// AtMost is a bound from above; otherwise it is one from below.
	AtMost bool
}

// atLeast and atMost are the two kinds of bounds.
func atLeast(limit float64, unit string) Bound { return Bound{Limit: limit, Unit: unit} }
func atMost(limit float64, unit string) Bound  { return Bound{Limit: limit, Unit: unit, AtMost: true} }

// Met reports whether a figure keeps to the bound.
func (b Bound) Met(v float64) bool {
	if b.AtMost {
		return v <= b.Limit
	}
	return v >= b.Limit
}

// String is the bound as a page shows it.
func (b Bound) String() string {
	sign := "≥"
	if b.AtMost {
		sign = "≤"
	}
	return fmt.Sprintf("%s %s", sign, withUnit(plot.Number(b.Limit), b.Unit))
}

func withUnit(text, unit string) string {
	switch unit {
	case "":
		return text
	case "x":
		return text + " x"
	}
	return text + " " + unit
}

// Figure is what was measured.
type Figure struct {
	Value float64
	// Note says more about it, such as what it is a ratio of; "" if there is nothing to say.
	Note string
	// Conditions are loop, fsync, machine, day and commit, as far as its source knows them.
	Conditions string
}

// Source takes a figure from the stored results, which lie in a directory. It returns an fs.ErrNotExist when nothing is stored.
type Source func(stored fs.FS) (Figure, error)

// ErrOther is returned when a stored result is not of the work that its target names.
var ErrOther = errors.New("a result of other work")
