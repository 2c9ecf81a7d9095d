package audit

import (
	"fmt"

	"holdfast/bench/sale"
)

// maxTexts bounds Findings.Texts: the first of many alike say as much.
const maxTexts = 20

// Findings are what Check found. The first five are promises broken, and 0 in a right run.
type Findings struct {
	// Oversold and Undersold are in units, Lost and Duplicated in orders (in units, where only counters tell), LimitBroken in units.
	Oversold, Undersold, Lost, Duplicated, LimitBroken int64
	// Unresolved are orders of which not even Target.Resolve could say what became of them. They break no promise: they may be there or not.
	Unresolved int64
	// Accepted are the orders that callers were told of, Checked those of them that were held one by one; fewer where there are too many.
	Accepted, Checked int64
	// Stored are the rows in storage that were looked at; 0 where storage was not asked.
	Stored int64
	// Texts say what was found, in words: the first of it.
	Texts []string
}

// Broken reports whether a promise was.
func (f *Findings) Broken() bool {
	return f.Oversold != 0 || f.Undersold != 0 || f.Lost != 0 || f.Duplicated != 0 || f.LimitBroken != 0
}

func (f *Findings) say(format string, args ...any) {
	switch len(f.Texts) {
	case maxTexts:
		return
	case maxTexts - 1:
		f.Texts = append(f.Texts, "and more")
	default:
		f.Texts = append(f.Texts, fmt.Sprintf(format, args...))
	}
}

// stateBits are the states an order may be in.
type stateBits uint8

const (
	held stateBits = 1 << iota
	open
	confirmed
	cancelled
	expired
	returned
)

var stateNames = map[string]stateBits{
	"held": held, "open": open, "confirmed": confirmed, "cancelled": cancelled, "expired": expired, "returned": returned,
}

// taking are the states in which an order has its units.
const taking = held | confirmed

// String lists the states.
func (s stateBits) String() string {
	text := ""
	for _, name := range []string{"held", "open", "confirmed", "cancelled", "expired", "returned"} {
		if s&stateNames[name] != 0 {
			text += "|" + name
		}
	}
	if text == "" {
		return "none"
	}
	return text[1:]
}

// firstState is how an order begins.
func firstState(s *sale.SKU) stateBits {
	switch s.Mode {
	case "on_order":
		return confirmed
	case "on_payment":
		return open
	}
	return held
}
