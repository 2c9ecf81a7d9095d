package targets

import (
	"fmt"
	"io/fs"
	"strings"

	"holdfast/bench"
	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// matchOf reads a match of a stored comparison, in which the first contestant is ours.
func matchOf(stored fs.FS, file, name, ours string) (c bench.Comparison, m bench.Match, err error) {
	if err := decode(stored, file, &c); err != nil {
		return c, m, err
	}
	if err := (result.Result{Audit: c.Audit, Fsync: c.Fsync, Loop: c.Loop}).Sound(); err != nil {
		return c, m, fmt.Errorf("%s: %w", file, err)
	}
	for _, m := range c.Matches {
		if m.Name == name && len(m.Contestants) > 0 && m.Contestants[0].Name == ours {
			return c, m, nil
		}
	}
	return c, m, fmt.Errorf("%s: %w: no match %s of %s", file, ErrOther, name, ours)
}

// toRival takes the median ratio of ours to a rival's rate, in runs that took turns.
func toRival(file, name, ours, rival string) Source {
	return func(stored fs.FS) (Figure, error) {
		c, m, err := matchOf(stored, file, name, ours)
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
				return Figure{Value: r.Median, Note: note, Conditions: comparedUnder(c) + ". Theirs: " + theirs.About.Durability}, nil
			}
		}
		return Figure{}, fmt.Errorf("%s: %w: %s was not measured beside %s", file, ErrOther, rival, ours)
	}
}

// alone takes the median of our own rate in a match.
func alone(file, name, ours string) Source {
	return func(stored fs.FS) (Figure, error) {
		c, m, err := matchOf(stored, file, name, ours)
		if err != nil {
			return Figure{}, err
		}
		k := m.Contestants[0]
		note := fmt.Sprintf("%s to %s; %d a call, p50 / p99 %s / %s ms", plot.Number(k.Rate.Least), plot.Number(k.Rate.Most), m.Batch, plot.Number(k.P50MS), plot.Number(k.P99MS))
		return Figure{Value: k.Rate.Median, Note: note, Conditions: comparedUnder(c)}, nil
	}
}

func comparedUnder(c bench.Comparison) string {
	return strings.TrimSuffix(fmt.Sprintf("%s loop, fsync %s / %s ms, %d rounds, %s", c.Loop, plot.Number(c.Fsync.P50), plot.Number(c.Fsync.P99), c.Rounds, c.Commit), ", ")
}
