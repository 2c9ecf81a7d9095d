package lint

import (
	"go/ast"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// corePackages are the domain, and what a cluster knows of itself: functions of their state and their commands.
var corePackages = map[string]bool{"stock": true, "cluster/meta": true, "cluster/placement": true}

// impureImports are what the core may not import: each would let an outcome depend on something that is not in the log.
var impureImports = regexp.MustCompile(`^(os|net|io/ioutil|syscall|unsafe|log|math/rand|crypto/rand)(/.*)?$`)

// clockCalls are the names of package time that read a clock or wait for one.
var clockCalls = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true, "Tick": true, "NewTimer": true,
	"NewTicker": true,
}

var untypedAtomic = regexp.MustCompile(`^(Add|And|Or|Load|Store|Swap|CompareAndSwap)(Int32|Int64|Uint32|Uint64|Uintptr|Pointer)$`)

// checkPureCore keeps clocks, chance, input, output and concurrency out of the cores' own files; its tests may use them.
func checkPureCore(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if !corePackages[f.dir] || f.test {
			continue
		}
		for _, spec := range f.ast.Imports {
			if name := importPath(spec); impureImports.MatchString(name) {
				found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: "the core imports " + name})
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if stmt, ok := n.(*ast.GoStmt); ok {
				found = append(found, Finding{Path: f.path, Line: f.line(stmt), Text: "the core starts a goroutine"})
			}
			return true
		})
		for _, use := range uses(f, "time") {
			if clockCalls[use.Sel.Name] {
				found = append(found, Finding{Path: f.path, Line: f.line(use), Text: "the core reads a clock: time." + use.Sel.Name})
			}
		}
	}
	return found
}

// checkSleep wants tests to wait for what they wait for.
func checkSleep(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if !f.test {
			continue
		}
		for _, use := range uses(f, "time") {
			if use.Sel.Name == "Sleep" {
				text := "a test sleeps; use testing/synctest, a channel or the polling helper"
				found = append(found, Finding{Path: f.path, Line: f.line(use), Text: text})
			}
		}
	}
	return found
}

// checkAtomics wants atomic.Int64 and its like: a plain variable can also be read without the atomic call.
func checkAtomics(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		for _, use := range uses(f, "sync/atomic") {
			if untypedAtomic.MatchString(use.Sel.Name) {
				found = append(found, Finding{Path: f.path, Line: f.line(use), Text: "atomic." + use.Sel.Name + " on a plain variable"})
			}
		}
	}
	return found
}

// uses returns the selectors on an imported package in a file, under whatever name it is imported.
func uses(f *goFile, imported string) []*ast.SelectorExpr {
	local := localName(f, imported)
	if local == "" {
		return nil
	}
	var found []*ast.SelectorExpr
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local {
			found = append(found, sel)
		}
		return true
	})
	return found
}

func localName(f *goFile, imported string) string {
	for _, spec := range f.ast.Imports {
		if importPath(spec) != imported {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

func importPath(spec *ast.ImportSpec) string {
	name, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return strings.Trim(spec.Path.Value, "`\"")
	}
	return name
}
