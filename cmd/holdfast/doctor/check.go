package doctor

import (
	"fmt"
	"strconv"
)

// Status is how a check came out.
type Status string

// The outcomes of a check.
const (
	Pass Status = "PASS"
	Warn Status = "WARN"
	Fail Status = "FAIL"
)

// Check is one finding.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Measured says what was found, Fix what to type; a PASS has none.
	Measured string `json:"measured"`
	Fix      string `json:"fix,omitempty"`
}

// Report is what an examination found.
type Report struct {
	// Healthy: no check failed.
	Healthy bool    `json:"healthy"`
	Failed  int     `json:"failed"`
	Warned  int     `json:"warned"`
	Checks  []Check `json:"checks"`
}

func newReport(checks []Check) Report {
	r := Report{Checks: checks}
	for _, c := range checks {
		switch c.Status {
		case Fail:
			r.Failed++
		case Warn:
			r.Warned++
		}
	}
	r.Healthy = r.Failed == 0
	return r
}

func pass(name, format string, args ...any) Check {
	return Check{Name: name, Status: Pass, Measured: fmt.Sprintf(format, args...)}
}

func warn(name, fix, format string, args ...any) Check {
	return Check{Name: name, Status: Warn, Fix: fix, Measured: fmt.Sprintf(format, args...)}
}

func fail(name, fix, format string, args ...any) Check {
	return Check{Name: name, Status: Fail, Fix: fix, Measured: fmt.Sprintf(format, args...)}
}

// grouped shows a number with commas.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size shows bytes for people.
func size(bytes int64) string {
	const unit = 1 << 10
	switch b := float64(bytes); {
	case bytes < unit:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < unit<<10:
		return fmt.Sprintf("%.0f KiB", b/unit)
	case bytes < unit<<20:
		return fmt.Sprintf("%.0f MiB", b/(unit<<10))
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(unit<<20))
}
