package targets

import (
	"fmt"
	"io/fs"
	"strings"

	"holdfast/bench/plot"
	"holdfast/bench/result"
	"holdfast/bench/sale"
)

// comparison is what holdfast bench compare stores, as far as it is needed here.
type comparison struct {
	Loop    string         `json:"loop"`
	Rounds  int            `json:"rounds"`
	Fsync   result.Fsync   `json:"fsync_ms"`
	Commit  string         `json:"commit"`
	Audit   result.Audit   `json:"audit"`
	Machine result.Machine `json:"machine"`
	Matches []match        `json:"matches"`
}

// match is one work and how the contestants did it; ours is the first of them.
type match struct {
	Part        string       `json:"part"`
	Batch       int          `json:"batch"`
	Figure      string       `json:"figure"`
	Contestants []contestant `json:"contestants"`
	Ratios      []struct {
		To string `json:"to"`
		spread
	} `json:"ratios"`
}

type contestant struct {
	Name  string     `json:"name"`
	About sale.About `json:"about"`
	Rate  spread     `json:"rate"`
	P50MS float64    `json:"p50_ms"`
	P99MS float64    `json:"p99_ms"`
}

type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// contest is what a match must be, so that its figure may stand for a target.
type contest struct {
	part, ours string
	// batch is looked at when it is not 0.
	batch int
}

// matchOf reads a stored match.
func matchOf(stored fs.FS, name string, want contest) (comparison, match, error) {
	var c comparison
	if err := decode(stored, name, &c); err != nil {
		return c, match{}, err
	}
	if err := (result.Result{Audit: c.Audit, Fsync: c.Fsync, Loop: c.Loop}).Sound(); err != nil {
		return c, match{}, fmt.Errorf("%s: %w", name, err)
	}
	for _, m := range c.Matches {
		if m.Part == want.part && len(m.Contestants) > 0 && m.Contestants[0].Name == want.ours && (want.batch == 0 || m.Batch == want.batch) {
			return c, m, nil
		}
	}
	return c, match{}, fmt.Errorf("%s: %w: no match %+v", name, ErrOther, want)
}

// toRival takes the median ratio of ours to a rival's rate, in runs that took turns.
func toRival(name string, want contest, rival string) Source {
	return func(stored fs.FS) (Figure, error) {
		c, m, err := matchOf(stored, name, want)
		if err != nil {
			return Figure{}, err
		}
		for _, r := range m.Ratios {
			for _, theirs := range m.Contestants {
				if r.To != rival || theirs.Name != rival {
					continue
				}
				note := fmt.Sprintf("%s to %s; %s orders/s to %s", plot.Number(r.Least), plot.Number(r.Most), plot.Number(m.Contestants[0].Rate.Median),
					plot.Number(theirs.Rate.Median))
				return Figure{Value: r.Median, Note: note, Conditions: c.conditions() + ". Theirs: " + theirs.About.Durability}, nil
			}
		}
		return Figure{}, fmt.Errorf("%s: %w: %s was not measured beside %s", name, ErrOther, rival, want.ours)
	}
}

// alone takes the median of our own rate in a match.
func alone(name string, want contest) Source {
	return func(stored fs.FS) (Figure, error) {
		c, m, err := matchOf(stored, name, want)
		if err != nil {
			return Figure{}, err
		}
		ours := m.Contestants[0]
		note := fmt.Sprintf("%s to %s; %d a call, p50 / p99 %s / %s ms", plot.Number(ours.Rate.Least), plot.Number(ours.Rate.Most), m.Batch, plot.Number(ours.P50MS), plot.Number(ours.P99MS))
		return Figure{Value: ours.Rate.Median, Note: note, Conditions: c.conditions()}, nil
	}
}

func (c comparison) conditions() string {
	return strings.TrimSuffix(fmt.Sprintf("%s loop, fsync %s / %s ms, %d rounds, %s", c.Loop, plot.Number(c.Fsync.P50), plot.Number(c.Fsync.P99), c.Rounds, c.Commit), ", ")
}
