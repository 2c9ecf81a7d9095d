package targets

import (
	"fmt"
	"io/fs"
	"slices"

	"holdfast/bench/curves"
	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// compared takes the median ratio of a figure of ours to a rival's, in runs that took turns.
func compared(file, work, ours, rival, figure string) Source {
	return func(stored fs.FS) (Figure, error) {
		var c result.Comparison
		if err := decode(stored, file, &c); err != nil {
			return Figure{}, err
		}
		w, ok := c.Work(work)
		if !ok {
			return Figure{}, fmt.Errorf("%s: %w: no work %s", file, ErrOther, work)
		}
		all := slices.Concat(w.Runs[ours], w.Runs[rival])
		for _, r := range all {
			if err := curves.Sound(r); err != nil {
				return Figure{}, fmt.Errorf("%s: %s: %w", file, work, err)
			}
		}
		ratio := w.Ratio(ours, rival, figure)
		if ratio.Median == 0 {
			return Figure{}, fmt.Errorf("%s: %w: %s has no runs of %s and %s", file, ErrOther, work, ours, rival)
		}
		note := fmt.Sprintf("%s to %s in %d rounds; %s to %s orders/s", plot.Number(ratio.Least), plot.Number(ratio.Most), c.Rounds,
			plot.Number(medianOf(w.Runs[ours], figure)), plot.Number(medianOf(w.Runs[rival], figure)))
		return Figure{Value: ratio.Median, Note: note, Conditions: conditions(w.Runs[ours][0]) + "; the rival: " + w.Runs[rival][0].About.Durability}, nil
	}
}

// medianOf is the median rate of some runs.
func medianOf(runs []result.Result, figure string) float64 {
	var values []float64
	for _, r := range runs {
		if figure == result.Refused {
			values = append(values, r.RefusedPerS)
		} else {
			values = append(values, r.AcceptedPerS)
		}
	}
	return median(values)
}
