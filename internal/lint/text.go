package lint

import (
	"regexp"
	"strings"
)

// The patterns are put together from parts so that this file does not break its own rule.
var (
	unfinished   = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	machinePaths = regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(wo` + `rk|ro` + `ot|ho` + `me/\w+|Us` + `ers/\w+)(/|\b)`)
)

// checkText looks for marks of unfinished work and for paths of one machine, in code and documentation alike.
func checkText(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.texts {
		for i, line := range strings.Split(f.text, "\n") {
			if mark := unfinished.FindString(line); mark != "" {
				found = append(found, Finding{Path: f.path, Line: i + 1, Text: mark + ": finish it or open an issue"})
			}
			if machinePaths.MatchString(line) {
				found = append(found, Finding{Path: f.path, Line: i + 1, Text: "a path of one machine"})
			}
		}
	}
	return found
}
