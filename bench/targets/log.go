package targets

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"holdfast/bench/plot"
)

// logResults is what wal's TestBenchmarksPage stores, as far as it is needed here.
type logResults struct {
	Date   string `json:"date"`
	Commit string `json:"commit"`
	Rounds int    `json:"rounds"`
	Fsync  struct {
		P50 float64 `json:"p50_us"`
		P99 float64 `json:"p99_us"`
	} `json:"fsync"`
	Cells []struct {
		Bench  string     `json:"bench"`
		Groups int        `json:"groups"`
		Entry  string     `json:"entry"`
		Batch  int        `json:"batch"`
		Ratio  [3]float64 `json:"ratio"` // least, median, most
	} `json:"cells"`
}

// logRatio is the least of the median ratios of appends to raft-wal's, over all entries and batches of a number of groups.
func logRatio(file string, groups int) Source {
	return func(stored fs.FS) (Figure, error) {
		var r logResults
		if err := decode(stored, file, &r); err != nil {
			return Figure{}, err
		}
		least, most, at, cells := math.Inf(1), 0.0, "", 0
		for _, c := range r.Cells {
			if c.Bench != "Append" || c.Groups != groups {
				continue
			}
			cells++
			most = max(most, c.Ratio[1])
			if c.Ratio[1] < least {
				least, at = c.Ratio[1], fmt.Sprintf("entries of %s in batches of %d", c.Entry, c.Batch)
			}
		}
		if cells == 0 {
			return Figure{}, fmt.Errorf("%s: %w: no appends with %d groups", file, ErrOther, groups)
		}
		return Figure{Value: least, Note: fmt.Sprintf("the least of %d shapes, %s; the most is %s", cells, at, plot.Number(most)),
			Conditions: strings.TrimSpace(fmt.Sprintf("closed loop, fsync %s / %s ms, %d rounds, %s %s",
				plot.Number(r.Fsync.P50/1000), plot.Number(r.Fsync.P99/1000), r.Rounds, r.Date, r.Commit))}, nil
	}
}
