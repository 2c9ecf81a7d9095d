package curves

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/bench/plot"
	"holdfast/bench/result"
)

// Page is the generated part of the page. The plots lie in a folder beside it.
func Page(m Measured, sweeps []Sweep, folder string) string {
	var b strings.Builder
	b.WriteString(heading(m))
	for _, s := range sweeps {
		c := m.of(s.Name)
		fmt.Fprintf(&b, "\n### %s\n\n%s: %s.\n\n%s\n\n", s.Title, loop(c), s.Held, s.Law)
		if len(c.Points) == 0 {
			b.WriteString("Not measured yet.\n")
			continue
		}
		for _, p := range s.plots(c) {
			fmt.Fprintf(&b, "![%s](%s/%s)\n", p.drawn.Title, folder, p.file)
		}
		b.WriteString("\n" + s.table(c))
		if missing := s.missing(c); missing > 0 {
			fmt.Fprintf(&b, "\n%d of the points are not measured yet.\n", missing)
		}
	}
	return b.String() + "\n"
}

func loop(c Curve) string {
	for _, f := range c.Points {
		if f.Runs[0].Loop == "open" {
			return "Open loop, in process"
		}
	}
	return "Closed loop, in process"
}

// heading says where and when all of it was measured.
func heading(m Measured) string {
	var machines, commits []string
	var first, last time.Time
	runs := 0
	for _, c := range m.Curves {
		for _, f := range c.Points {
			for _, r := range f.Runs {
				runs++
				machines, commits = with(machines, machine(r.Machine)), with(commits, r.Commit)
				if first.IsZero() || r.Started.Before(first) {
					first = r.Started
				}
				if r.Started.After(last) {
					last = r.Started
				}
			}
		}
	}
	if runs == 0 {
		return "\nNot measured yet.\n"
	}
	text := fmt.Sprintf("\n%s; %s", strings.Join(machines, " and "), first.UTC().Format(time.DateOnly))
	if day := last.UTC().Format(time.DateOnly); !strings.HasSuffix(text, day) {
		text += " to " + day
	}
	if known := strings.Join(slices.DeleteFunc(commits, func(c string) bool { return c == "" || c == "unknown" }), ", "); known != "" {
		text += ", " + known
	}
	return fmt.Sprintf("%s. Medians of each point's runs, %d runs in all, each with its own fsync probe and with an audit that found nothing.\n", text, runs)
}

func machine(m result.Machine) string {
	return fmt.Sprintf("%s, %d cores, %s, %s", m.CPU, m.Cores, m.OS, m.Go)
}

// with adds a text that is not there yet.
func with(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// values are the values of the axis in order, over all lines.
func (s Sweep) values() []int64 {
	var all []int64
	for _, l := range s.Lines {
		all = append(all, l.At...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s Sweep) missing(c Curve) int {
	missing := 0
	for _, l := range s.Lines {
		for _, x := range l.At {
			if _, ok := c.at(l.Nodes, x); !ok {
				missing++
			}
		}
	}
	return missing
}

func (s Sweep) table(c Curve) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", s.Axis)
	for _, l := range s.Lines {
		fmt.Fprintf(&b, " %s: orders/s | least to most | p50 / p99 ms | fsync p50 / p99 ms |", nodes(l.Nodes))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|---|---|---|", len(s.Lines)) + "\n")
	for _, x := range s.values() {
		fmt.Fprintf(&b, "| %s |", count(x))
		for _, l := range s.Lines {
			b.WriteString(cells(c, l.Nodes, x))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cells are a point's rate, latency and fsync probe.
func cells(c Curve, nodes int, x int64) string {
	f, ok := c.at(nodes, x)
	if !ok {
		return " - | - | - | - |"
	}
	least, rate, most := f.spread(rate)
	return fmt.Sprintf(" %s | %s to %s | %s / %s | %s / %s |", plot.Number(rate), plot.Number(least), plot.Number(most), f.median(p50), f.median(p99),
		f.median(fsyncP50), f.median(fsyncP99))
}

func (f Found) median(of func(result.Result) float64) string {
	_, median, _ := f.spread(of)
	return plot.Number(median)
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// count is a whole number with commas between thousands.
func count(x int64) string {
	text := fmt.Sprint(x)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
