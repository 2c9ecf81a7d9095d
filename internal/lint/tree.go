package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Tree is the repository as the rules see it. Paths are relative to its root, with slashes.
type Tree struct {
	fset *token.FileSet
	// files are the Go files in lexical order.
	files []*goFile
	// texts are the files that people read or run: documentation, scripts, configuration, and the Go files again.
	texts []textFile
	// paths holds every file and directory.
	paths map[string]bool
}

type goFile struct {
	path string
	dir  string
	// test: the file is compiled into tests only.
	test bool
	fset *token.FileSet
	ast  *ast.File
	// lines is the number of lines in the file.
	lines int
}

type textFile struct {
	path string
	text string
}

// line returns the line on which the node begins.
func (f *goFile) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// endLine returns the line on which the node ends.
func (f *goFile) endLine(n ast.Node) int { return f.fset.Position(n.End()).Line }

// Load reads the tree below root: all of it except hidden directories other than .ci, testdata and what a build or a run leaves behind.
func Load(root string) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet(), paths: map[string]bool{".": true}}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() && skipDir(entry.Name()) {
			return filepath.SkipDir
		}
		t.paths[rel] = true
		if !entry.Type().IsRegular() || !isText(rel) {
			return nil
		}
		return t.read(name, rel)
	})
	if err != nil {
		return nil, fmt.Errorf("lint: read the tree at %s: %w", root, err)
	}
	return t, nil
}

func skipDir(name string) bool {
	switch name {
	case ".ci":
		return false
	case "testdata", "bin", "holdfast-data":
		return true
	}
	return strings.HasPrefix(name, ".")
}

func isText(rel string) bool {
	switch path.Ext(rel) {
	case ".go", ".md", ".sh", ".yml", ".yaml", ".json", ".service", ".txt":
		return true
	}
	base := path.Base(rel)
	return base == "Makefile" || strings.HasPrefix(base, "Dockerfile") || strings.HasPrefix(rel, ".ci/")
}

func (t *Tree) read(name, rel string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return t.add(rel, string(text))
}

// add takes one text file in, and parses it when it is a Go file.
func (t *Tree) add(rel, text string) error {
	for p := rel; p != "."; p = path.Dir(p) {
		t.paths[p] = true
	}
	t.texts = append(t.texts, textFile{path: rel, text: text})
	if path.Ext(rel) != ".go" {
		return nil
	}
	parsed, err := parser.ParseFile(t.fset, rel, text, parser.ParseComments)
	if err != nil {
		return err
	}
	t.files = append(t.files, &goFile{
		path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), fset: t.fset, ast: parsed,
		lines: strings.Count(text, "\n"),
	})
	return nil
}
