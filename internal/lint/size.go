package lint

import (
	"fmt"
	"go/ast"
)

const (
	// maxFuncLines counts from the line of the func keyword to that of the closing brace, tests included.
	maxFuncLines = 70
	// maxFileLines bounds files that are not tests.
	maxFileLines = 600
)

func checkSize(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if !f.test && f.lines > maxFileLines {
			found = append(found, Finding{Path: f.path, Text: fmt.Sprintf("%d lines, at most %d", f.lines, maxFileLines)})
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			from, to := f.fset.Position(fn.Type.Pos()).Line, f.endLine(fn)
			if n := to - from + 1; n > maxFuncLines {
				text := fmt.Sprintf("%s has %d lines, at most %d", fn.Name.Name, n, maxFuncLines)
				found = append(found, Finding{Path: f.path, Line: from, Text: text})
			}
		}
	}
	return found
}
