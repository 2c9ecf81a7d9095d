package lint

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one place where the tree breaks a rule.
type Finding struct {
	// Path is the file, Line the line in it; 0 where the whole file or directory is meant.
	Path string
	Line int
	// Rule names the rule, Text says what is wrong and what is expected.
	Rule string
	Text string
}

// String returns the finding as path:line: rule: text.
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Text) }

type rule struct {
	name string
	find func(*Tree) []Finding
}

// rules are all there are; a rule's findings carry its name.
var rules = []rule{
	{"arrows", checkArrows},
	{"contained", checkContained},
	{"imports", checkImports},
	{"size", checkSize},
	{"package-doc", checkPackageDocs},
	{"file-map", checkFileMap},
	{"exported-doc", checkExportedDocs},
	{"names", checkNames},
	{"pure-core", checkPureCore},
	{"sleep", checkSleep},
	{"atomics", checkAtomics},
	{"text", checkText},
	{"steps", checkSteps},
	{"links", checkLinks},
	{"cited", checkCited},
	{"cited-tests", checkCitedTests},
	{"promises", checkPromises},
}

// Check applies every rule and returns what breaks one, in order of rule, path and line.
func Check(t *Tree) []Finding {
	var all []Finding
	for _, r := range rules {
		found := r.find(t)
		for i := range found {
			found[i].Rule = r.name
		}
		slices.SortStableFunc(found, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
		})
		all = append(all, found...)
	}
	return all
}
