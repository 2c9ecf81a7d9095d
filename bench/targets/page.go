package targets

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"holdfast/bench/plot"
)

// Page is the generated part of the page: every target with its figure and verdict, and the commands that measure.
func Page(stored fs.FS, all []Target) (string, error) {
	var b, commands strings.Builder
	b.WriteString("\n| | work | wanted | measured | verdict | conditions |\n|---|---|---|---|---|---|\n")
	for _, t := range all {
		for i, c := range t.Checks {
			name, work := t.Name, t.Work+": "+c.What
			if i > 0 {
				name, work = "", c.What
			}
			figure, err := c.From(stored)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				fmt.Fprintf(&b, "| %s | %s | %s | not measured yet | | |\n", name, work, c.Bound)
			case err != nil:
				return "", fmt.Errorf("%s, %s: %w", t.Name, c.What, err)
			default:
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name, work, c.Bound, shown(figure, c.Bound.Unit), verdict(c.Bound, figure), figure.Conditions)
			}
		}
		fmt.Fprintf(&commands, "# %s\n", t.Name)
		for _, c := range distinct(t.Checks) {
			fmt.Fprintf(&commands, "%s\n", c)
		}
	}
	return b.String() + "\n```sh\n" + commands.String() + "```\n\n", nil
}

func shown(f Figure, unit string) string {
	text := withUnit(plot.Number(f.Value), unit)
	if f.Note != "" {
		text += " (" + f.Note + ")"
	}
	return text
}

func verdict(b Bound, f Figure) string {
	if b.Met(f.Value) {
		return "met"
	}
	return "**missed**"
}

// distinct are the commands of some checks, each once.
func distinct(checks []Check) []string {
	var list []string
	for _, c := range checks {
		seen := false
		for _, have := range list {
			seen = seen || have == c.Command
		}
		if !seen {
			list = append(list, c.Command)
		}
	}
	return list
}
