package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var goName = regexp.MustCompile(`[A-Za-z0-9_*./-]*[A-Za-z0-9_*]\.go\b`)

// checkFileMap wants the package comment of a package of several files to name each of them, by name or by a pattern such as sqlite*.go, and no
// file that is not there. Tests are not on the map.
func checkFileMap(t *Tree) []Finding {
	var found []Finding
	files := map[string][]string{}
	for _, f := range t.files {
		if base := path.Base(f.path); !f.test && base != "doc.go" {
			files[f.dir] = append(files[f.dir], base)
		}
	}
	for _, f := range t.files {
		if path.Base(f.path) != "doc.go" || f.ast.Doc == nil {
			continue
		}
		named := goName.FindAllString(f.ast.Doc.Text(), -1)
		at := func(text string) { found = append(found, Finding{Path: f.path, Line: f.line(f.ast.Doc), Text: text}) }
		for _, name := range named {
			if !onDisk(t, f.dir, name) {
				at("names a file that is not there: " + name)
			}
		}
		if len(files[f.dir]) < 2 {
			continue
		}
		for _, file := range files[f.dir] {
			if !slices.ContainsFunc(named, func(pattern string) bool { ok, _ := path.Match(pattern, file); return ok }) {
				at("the map of files lacks " + file)
			}
		}
	}
	return found
}

// onDisk reports whether a name or pattern in a package comment stands for a file, beside it or from the root.
func onDisk(t *Tree, dir, name string) bool {
	if !strings.Contains(name, "*") {
		return t.paths[path.Join(dir, name)] || t.paths[name]
	}
	for p := range t.paths {
		if ok, _ := path.Match(path.Join(dir, name), p); ok {
			return true
		}
	}
	return false
}
