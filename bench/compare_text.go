package bench

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes a comparison for people.
func (c *Comparison) WriteText(to io.Writer) error {
	b := new(bytes.Buffer)
	fmt.Fprintf(b, "%s, %d cores, %s, %s; commit %s.\n", c.Machine.CPU, c.Machine.Cores, c.Machine.OS, c.Machine.Go, orNone(c.Commit))
	fmt.Fprintf(b, "One fsync of 4 KiB: p50 %.3f ms, p99 %.3f ms. %s loop; %s.\n", c.Fsync.P50, c.Fsync.P99, capital(c.Loop), c.Client)
	fmt.Fprintf(b, "Medians (least to most) of %d rounds of %gs after %gs, in which the contestants take turns. Storage behind ours: %s.\n", c.Rounds, c.DurationS,
		c.WarmupS, c.Sink)
	for i := range c.Matches {
		c.Matches[i].write(b)
	}
	for _, s := range c.Skipped {
		fmt.Fprintf(b, "\nSkipped: %s: %s.\n", s.Name, s.Why)
	}
	c.writeAudit(b)
	if _, err := b.WriteTo(to); err != nil {
		return fmt.Errorf("print the comparison: %w", err)
	}
	return nil
}

func (m *Match) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n%s: %s, %d callers; %s orders/s\n\n", m.Part, m.Work, m.Clients, m.Figure)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tORDERS/S\tP50 / P99 MS OF A CALL\tNOT DECIDED\tCOPIES\tDURABILITY\tVERSION")
	for _, k := range m.Contestants {
		fmt.Fprintf(w, "%s\t%s\t%.3f / %.3f\t%d\t%d\t%s\t%s\n", k.Name, k.Rate.text("%.0f"), k.P50MS, k.P99MS, k.Errors+k.Unknown, k.About.Replicas,
			k.About.Durability, k.About.Version)
	}
	_ = w.Flush() // into memory
	fmt.Fprintln(b)
	w = tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RATIO\tMEDIAN\tTARGET\t")
	for _, r := range m.Ratios {
		fmt.Fprintf(w, "to %s\t%s\t%s\n", r.To, r.text("%.2f"), wanted(r.Target, "%.1f", r.Met))
	}
	if m.Target > 0 {
		fmt.Fprintf(w, "alone, orders/s\t%s\t%s\n", m.Contestants[0].Rate.text("%.0f"), wanted(m.Target, "%.0f", m.Met))
	}
	_ = w.Flush()
}

func (c *Comparison) writeAudit(b *bytes.Buffer) {
	a := c.Audit
	fmt.Fprintf(b, "\nAudit of all runs: oversold %d, undersold %d, lost %d, duplicated %d, limit broken %d.\n", a.Oversold, a.Undersold, a.Lost, a.Duplicated, a.LimitBroken)
	for _, text := range c.Findings {
		fmt.Fprintln(b, text)
	}
}

// text is a spread with each value in a format.
func (s Spread) text(format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.Median, s.Least, s.Most)
}

// wanted is a target and whether it is met; "none\t" where there is none.
func wanted(target float64, format string, met bool) string {
	switch {
	case target == 0:
		return "none\t"
	case met:
		return fmt.Sprintf(">= "+format+"\tmet", target)
	}
	return fmt.Sprintf(">= "+format+"\tmissed", target)
}

func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
