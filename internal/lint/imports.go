package lint

import (
	"go/ast"
	"strings"
)

// Groups of imports, in the order in which they stand.
const (
	importStd = iota
	importThird
	importOurs
)

func importGroup(name string) int {
	first, _, _ := strings.Cut(name, "/")
	switch {
	case first == module:
		return importOurs
	case strings.Contains(first, "."):
		return importThird
	}
	return importStd
}

// checkImports wants imports in three groups with a blank line between: the standard library, third parties, ours.
func checkImports(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		var before *ast.ImportSpec
		for _, spec := range f.ast.Imports {
			if before != nil {
				was, is := importGroup(importPath(before)), importGroup(importPath(spec))
				adjacent := f.endLine(before)+1 == f.line(spec)
				switch {
				case is < was:
					found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: "imports stand as standard library, third parties, ours"})
				case is > was && adjacent:
					found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: "no blank line before another group of imports"})
				}
			}
			before = spec
		}
	}
	return found
}
