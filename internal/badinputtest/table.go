package badinputtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Row is one kind of bad input and what comes of it.
type Row struct {
	// ID names the row and its case.
	ID, Input string
	// Status is the HTTP status, 0 when nothing is answered; Exit is the exit code of a process that does not start or go on, 0 when it does.
	Status, Exit int
	// Says holds the problem's code and what it names, or parts of a message.
	Says []string
	// Counted is the metric that counts it, "" when there is none because nobody serves.
	Counted string
	// Where says which test holds the row.
	Where string
}

// Code returns the problem's code, "" for an answer that is none.
func (r Row) Code() string { return r.said(0) }

// Names returns what the problem names: a field, a bound, or the methods of Allow.
func (r Row) Names() string { return r.said(1) }

func (r Row) said(i int) string {
	if i < len(r.Says) {
		return r.Says[i]
	}
	return ""
}

// Case is the input of the row that has its id, and the check of what comes of it.
type Case struct {
	ID string
	Do func(t *testing.T, r Row)
}

// table is where the rows are, from the root of the repository.
const table = "docs/bad-input.md"

// Run runs the case of each row that is tested here. A row without a case and a case without a row fail.
func Run(t *testing.T, where string, cases []Case) {
	t.Helper()
	text, err := read()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	byID := map[string]Case{}
	for _, c := range cases {
		if _, twice := byID[c.ID]; twice {
			t.Errorf("two cases are called %s", c.ID)
		}
		byID[c.ID] = c
	}
	ran := 0
	for _, r := range rows {
		if r.Where != where {
			continue
		}
		c, ok := byID[r.ID]
		if !ok {
			t.Errorf("the row %s has no case in %s", r.ID, where)
			continue
		}
		delete(byID, r.ID)
		ran++
		t.Run(r.ID, func(t *testing.T) { c.Do(t, r) })
	}
	for id := range byID {
		t.Errorf("the case %s has no row that says %s", id, where)
	}
	if ran == 0 {
		t.Errorf("no row is tested in %s", where)
	}
}

// read finds the table above the package whose test runs.
func read() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			b, err := os.ReadFile(filepath.Join(dir, table))
			return string(b), err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the test")
		}
		dir = parent
	}
}

// head is the first line of every group of rows.
const head = "| id | input | answer | code, or message | counted by | tested in |"

var quoted = regexp.MustCompile("`([^`]*)`")

// Parse returns the rows of the page in order. Other tables are not looked at.
func Parse(text string) (rows []Row, err error) {
	seen := map[string]bool{}
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == head:
			inside = true
			continue
		case !strings.HasPrefix(line, "|"):
			inside = false
			continue
		case !inside, strings.HasPrefix(line, "|---"):
			continue
		}
		r, err := parseRow(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("two rows are called %s", r.ID)
		}
		seen[r.ID] = true
		rows = append(rows, r)
	}
	return rows, nil
}

func parseRow(line string) (r Row, err error) {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	if len(cells) != 6 {
		return r, fmt.Errorf("%d cells, not 6", len(cells))
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	r = Row{ID: strings.Trim(cells[0], "`"), Input: cells[1], Where: cells[5], Counted: strings.Trim(cells[4], "`")}
	for _, said := range quoted.FindAllStringSubmatch(cells[3], -1) {
		r.Says = append(r.Says, said[1])
	}
	number, exits := strings.CutPrefix(cells[2], "exit ")
	switch n, numberErr := strconv.Atoi(number); {
	case cells[2] == "closed", cells[2] == "starts":
	case numberErr != nil:
		return r, fmt.Errorf("the answer is no status, exit code, closed or starts")
	case exits:
		r.Exit = n
	default:
		r.Status = n
	}
	switch {
	case r.ID == "" || r.Input == "":
		return r, fmt.Errorf("no id or input")
	case !slices.Contains([]string{"api", "wire", "node state", "node peer", "node start", "command"}, r.Where):
		return r, fmt.Errorf("no test is called %q", r.Where)
	case r.Counted == "" && r.Exit == 0 && cells[2] != "starts":
		return r, fmt.Errorf("nothing counts it")
	case len(r.Says) == 0 && r.Exit != 0:
		return r, fmt.Errorf("it does not say why")
	}
	return r, nil
}
