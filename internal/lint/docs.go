package lint

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
)

// checkPackageDocs wants a doc.go with a package comment in every package, and the comment nowhere else: a comment that touches the package
// clause of another file would be printed as part of it. Packages of tests only need none.
func checkPackageDocs(t *Tree) []Finding {
	var found []Finding
	documented, packages := map[string]bool{}, map[string]bool{}
	for _, f := range t.files {
		if f.test {
			continue
		}
		packages[f.dir] = true
		isDoc := path.Base(f.path) == "doc.go"
		switch {
		case isDoc && f.ast.Doc == nil:
			text := "no package comment directly above the package clause"
			found = append(found, Finding{Path: f.path, Line: f.line(f.ast), Text: text})
		case isDoc && !strings.HasPrefix(f.ast.Doc.Text(), docOpening(f)):
			text := "the package comment must begin with " + docOpening(f)
			found = append(found, Finding{Path: f.path, Line: f.line(f.ast.Doc), Text: text})
		case !isDoc && f.ast.Doc != nil:
			text := "a comment touches the package clause: leave a blank line, the package comment stands in doc.go"
			found = append(found, Finding{Path: f.path, Line: f.line(f.ast.Doc), Text: text})
		}
		if isDoc {
			documented[f.dir] = true
		}
	}
	for dir := range packages {
		if !documented[dir] {
			found = append(found, Finding{Path: dir, Text: "no doc.go"})
		}
	}
	return found
}

func docOpening(f *goFile) string {
	if f.ast.Name.Name == "main" {
		return "Command " + path.Base(f.dir) + " "
	}
	return "Package " + f.ast.Name.Name + " "
}

// checkExportedDocs wants a comment on every exported name outside tests. A name may share the comment of the one on the line before it: a
// method of the same name, or a constant or variable of the same group.
func checkExportedDocs(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if f.test {
			continue
		}
		var shared *ast.FuncDecl
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Doc != nil || sharesDoc(f, shared, d) {
					shared = d
				} else if shared = nil; d.Name.IsExported() && exportedReceiver(d) {
					found = append(found, Finding{Path: f.path, Line: f.line(d), Text: "no comment on " + d.Name.Name})
				}
			case *ast.GenDecl:
				found = append(found, undocumented(f, d)...)
			}
		}
	}
	return found
}

func sharesDoc(f *goFile, before, fn *ast.FuncDecl) bool {
	return before != nil && before.Name.Name == fn.Name.Name && f.endLine(before)+1 == f.line(fn)
}

func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	typ := fn.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func undocumented(f *goFile, d *ast.GenDecl) []Finding {
	if d.Tok == token.IMPORT {
		return nil
	}
	var found []Finding
	sharedEnd := -1 // the line on which the last documented spec ends
	for _, spec := range d.Specs {
		var names []*ast.Ident
		var documented bool
		switch s := spec.(type) {
		case *ast.TypeSpec:
			names, documented = []*ast.Ident{s.Name}, s.Doc != nil || (d.Doc != nil && !d.Lparen.IsValid())
		case *ast.ValueSpec:
			names = s.Names
			documented = s.Doc != nil || s.Comment != nil || d.Doc != nil || sharedEnd+1 == f.line(s)
		}
		if documented {
			sharedEnd = f.endLine(spec)
			continue
		}
		for _, name := range names {
			if name.IsExported() {
				found = append(found, Finding{Path: f.path, Line: f.line(name), Text: "no comment on " + name.Name})
			}
		}
	}
	return found
}
