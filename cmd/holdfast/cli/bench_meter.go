package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"holdfast/bench"
	"holdfast/bench/load"
)

// meter shows how a run goes: on a terminal a bar in one line that is written again and again, else a line for each interval.
type meter struct {
	to      io.Writer
	columns int // of the terminal; 0: it is none
	begin   time.Time
	whole   time.Duration
	loop    string

	mu   sync.Mutex // guards what follows, and to
	live bool       // the last thing written was the bar
}

func newMeter(to io.Writer, columns int, c *bench.Config) *meter {
	m := &meter{to: to, columns: columns, begin: time.Now(), whole: c.Warmup + c.Duration, loop: loopText(c.Rate, c.Clients, c.MaxOutstanding)}
	return m
}

// loopText says which loop it is: no figure means anything without it.
func loopText(rate float64, clients, outstanding int) string {
	if rate > 0 {
		return fmt.Sprintf("open loop: %s orders/s on a schedule, latency from the intended start, at most %d calls under way", count(int64(rate)), outstanding)
	}
	return fmt.Sprintf("closed loop: %d callers, each waits for its answer", clients)
}

// phase tells what comes next.
func (m *meter) phase(text string) {
	if text == "asking" {
		text += ", " + m.loop
	}
	m.say("%s", text)
}

// say writes a line of its own.
func (m *meter) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clearLocked()
	fmt.Fprintf(m.to, "%6.1fs  %s\n", time.Since(m.begin).Seconds(), fmt.Sprintf(format, args...))
}

// slightest is the shortest end of a run whose rates say anything.
const slightest = 100 * time.Millisecond

// interval shows an interval when it is over.
func (m *meter) interval(i load.Interval) {
	if i.Length <= 0 || i.Phase == load.Draining && i.Length < slightest {
		return
	}
	line := intervalText(i)
	m.mu.Lock()
	defer m.mu.Unlock()
	at := fmt.Sprintf("%6.1fs  ", time.Since(m.begin).Seconds())
	if m.columns == 0 {
		fmt.Fprintf(m.to, "%s%s\n", at, line)
		return
	}
	m.clearLocked()
	line = at + bar(m.whole-i.Left, m.whole) + " " + line
	// A line that wraps could not be taken away again.
	fmt.Fprint(m.to, clipped(line, m.columns-1))
	m.live = true
}

// finish takes the bar away.
func (m *meter) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clearLocked()
}

func (m *meter) clearLocked() {
	if m.live {
		fmt.Fprint(m.to, "\r\x1b[K")
		m.live = false
	}
}

// intervalText is an interval in a line.
func intervalText(i load.Interval) string {
	perSecond := func(n int64) string { return count(int64(float64(n)/i.Length.Seconds() + 0.5)) }
	text := fmt.Sprintf("%-8s %9s accepted/s  p50 %-8s p99 %-8s max %-8s", i.Phase, perSecond(i.Accepted), short(i.Latency.P50), short(i.Latency.P99), short(i.Latency.Max))
	if i.Refused > 0 {
		text += fmt.Sprintf("  %s refused/s p99 %s", perSecond(i.Refused), short(i.Refusals.P99))
	}
	if i.Failed > 0 {
		text += fmt.Sprintf("  %s errors", count(i.Failed))
	}
	if i.Unknown > 0 {
		text += fmt.Sprintf("  %s unknown", count(i.Unknown))
	}
	return strings.TrimRight(text, " ")
}

// bar shows how much of a whole is done.
func bar(done, whole time.Duration) string {
	const width = 20
	n := 0
	if whole > 0 {
		n = min(max(int(width*done/whole), 0), width)
	}
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}

func clipped(line string, columns int) string { return line[:min(len(line), max(columns, 0))] }

// short shows a latency with three digits.
func short(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return fmt.Sprintf("%.0fus", float64(d)/float64(time.Microsecond))
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2fms", float64(d)/float64(time.Millisecond))
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%.0fms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}

// count shows a number with commas.
func count(n int64) string {
	text := fmt.Sprint(n)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(text) - 3; i > first; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
