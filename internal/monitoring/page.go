package monitoring

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrPage is returned when a page has no table of metrics, or one that cannot be read.
var ErrPage = errors.New("monitoring: no table of metrics")

// Metric is one row of the table.
type Metric struct {
	// Name is the metric's; of a histogram without _bucket, _sum and _count.
	Name string
	// Type is counter, gauge, histogram or summary.
	Type   string
	Labels []string
	// Meaning and Advice are what the page says.
	Meaning, Advice string
	Line            int
}

// Catalogue is the whole table by name.
type Catalogue map[string]Metric

// Read reads the tables of metrics out of a page: every row whose first cell is a name in backquotes and whose second is a type.
func Read(page string) (Catalogue, error) {
	c := Catalogue{}
	for i, line := range strings.Split(page, "\n") {
		m, is, err := readRow(line)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrPage, i+1, err)
		}
		if !is {
			continue
		}
		if _, twice := c[m.Name]; twice {
			return nil, fmt.Errorf("%w: line %d: %s stands there twice", ErrPage, i+1, m.Name)
		}
		m.Line = i + 1
		c[m.Name] = m
	}
	if len(c) == 0 {
		return nil, ErrPage
	}
	return c, nil
}

var types = []string{"counter", "gauge", "histogram", "summary"}

func readRow(line string) (m Metric, is bool, err error) {
	if !strings.HasPrefix(line, "| `") {
		return m, false, nil
	}
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	if len(cells) < 2 || !slices.Contains(types, strings.TrimSpace(cells[1])) {
		return m, false, nil
	}
	if len(cells) != 5 {
		return m, false, fmt.Errorf("%d cells, want name, type, labels, meaning, advice", len(cells))
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	m = Metric{Name: strings.Trim(cells[0], "`"), Type: cells[1], Meaning: cells[3], Advice: cells[4]}
	if m.Meaning == "" || m.Advice == "" {
		return m, false, fmt.Errorf("%s has no meaning or no advice", m.Name)
	}
	for label := range strings.FieldsSeq(cells[2]) {
		if label != "-" {
			m.Labels = append(m.Labels, strings.Trim(label, "`,"))
		}
	}
	return m, true, nil
}

// Find returns the metric that a series belongs to: itself, or the histogram or summary that it is a part of.
func (c Catalogue) Find(series string) (m Metric, part string, ok bool) {
	if m, ok = c[series]; ok {
		return m, "", m.Type != "histogram" // a histogram has no series of its own name
	}
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		name, cut := strings.CutSuffix(series, part)
		if m, ok := c[name]; cut && ok && (m.Type == "histogram" || m.Type == "summary") {
			return m, part, true
		}
	}
	return m, "", false
}
