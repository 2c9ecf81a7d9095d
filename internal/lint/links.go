package lint

import (
	"fmt"
	"go/ast"
	"net/url"
	"path"
	"regexp"
	"strings"
)

var (
	mdLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	webLink = regexp.MustCompile("https?://([^/\\s`\"'|)>]+)")
	// citation is a token that could be a path; testName one that could be a test.
	citation = regexp.MustCompile(`[A-Za-z0-9_.*/-]+`)
	testName = regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*`)
	loopback = regexp.MustCompile(`^(127\.0\.0\.1|localhost|\[::1\])(:\S*)?$`)
)

// checkLinks wants every link in the documentation to lead to a file of the repository.
func checkLinks(t *Tree) []Finding {
	var found []Finding
	eachLine(t, func(f textFile, n int, line string) {
		for _, m := range mdLink.FindAllStringSubmatch(line, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			file, err := url.PathUnescape(target)
			if err != nil || path.IsAbs(file) || !t.paths[path.Join(path.Dir(f.path), file)] {
				found = append(found, Finding{Path: f.path, Line: n, Text: "the link leads nowhere: " + m[1]})
			}
		}
		for _, m := range webLink.FindAllStringSubmatch(line, -1) {
			if !loopback.MatchString(m[1]) {
				found = append(found, Finding{Path: f.path, Line: n, Text: "points outside the repository: " + m[0]})
			}
		}
	})
	return found
}

// checkCited wants every Go file, page and package that the documentation names to be there, and every page that a Go comment names.
func checkCited(t *Tree) []Finding {
	bases := map[string]bool{}
	for p := range t.paths {
		bases[path.Base(p)] = true
	}
	missing := func(token, from string) bool {
		if !strings.Contains(token, "/") && bases[token] {
			return false
		}
		return !t.paths[path.Clean(token)] && !t.paths[path.Join(path.Dir(from), token)]
	}
	var found []Finding
	eachLine(t, func(f textFile, n int, line string) {
		line = mdLink.ReplaceAllString(webLink.ReplaceAllString(line, " "), "]") // checkLinks looks at the targets
		for _, token := range citations(line) {
			if missing(token, f.path) {
				found = append(found, Finding{Path: f.path, Line: n, Text: "cites a file that is not there: " + token})
			}
		}
	})
	for _, f := range t.files {
		for _, group := range f.ast.Comments {
			for _, token := range citations(group.Text()) {
				if path.Ext(token) == ".md" && missing(token, f.path) {
					found = append(found, Finding{Path: f.path, Line: f.line(group), Text: "cites a page that is not there: " + token})
				}
			}
		}
	}
	return found
}

// citations returns the tokens of a text that name files of ours.
func citations(text string) []string {
	var found []string
	for _, token := range citation.FindAllString(text, -1) {
		if token = strings.TrimRight(strings.TrimSuffix(token, "/..."), "."); isCitation(token) {
			found = append(found, token)
		}
	}
	return found
}

// isCitation reports whether a token names a file of ours: a Go file or a page, or a command's ./path.
func isCitation(token string) bool {
	if strings.Contains(token, "*") || token == "." || strings.Trim(token, "./") == "" {
		return false
	}
	switch path.Ext(token) {
	case ".go", ".md":
		return path.Ext(token) != path.Base(token)
	}
	return strings.HasPrefix(token, "./")
}

// checkCitedTests wants every test that the documentation names to exist.
func checkCitedTests(t *Tree) []Finding {
	tests := map[string]bool{}
	for _, f := range t.files {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && f.test && fn.Recv == nil {
				tests[fn.Name.Name] = true
			}
		}
	}
	var found []Finding
	eachLine(t, func(f textFile, n int, line string) {
		for _, name := range testName.FindAllString(line, -1) {
			if !tests[name] {
				found = append(found, Finding{Path: f.path, Line: n, Text: fmt.Sprintf("names a test that is not there: %s", name)})
			}
		}
	})
	return found
}

// eachLine calls visit with each line of each page, counted from 1.
func eachLine(t *Tree, visit func(f textFile, n int, line string)) {
	for _, f := range t.texts {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			visit(f, i+1, line)
		}
	}
}
