package bench

import (
	"fmt"
	"strings"
)

// Verdict returns ErrBroken when a result's audit found something, else ErrThreshold when it missed a threshold, else nil. Its text says what.
func Verdict(r *Result) error {
	if a := r.Audit; !a.Passed() {
		return fmt.Errorf("%w: oversold %d, undersold %d, lost %d, duplicated %d, limit broken %d", ErrBroken, a.Oversold, a.Undersold, a.Lost, a.Duplicated, a.LimitBroken)
	}
	var missed []string
	for _, t := range r.Thresholds {
		if !t.Passed {
			missed = append(missed, missedText(t))
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("%w: %s", ErrThreshold, strings.Join(missed, "; "))
	}
	return nil
}
