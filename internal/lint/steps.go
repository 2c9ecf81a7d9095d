package lint

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// wayPage lists the steps; wayHeading is the heading they stand under.
const (
	wayPage    = "docs/architecture.md"
	wayHeading = "## The way of an order"
)

// stepPackages is where each step lives, counted from 1: a step may move to another file, together with the page, but not to another package.
var stepPackages = [...]string{
	1: "api", 2: "actors", 3: "cluster", 4: "actors", 5: "actors", 6: "actors", 7: "cluster", 8: "wal", 9: "cluster", 10: "stock",
	11: "actors", 12: "storage",
}

const lastStep = len(stepPackages) - 1

var (
	stepComment = regexp.MustCompile(`^// Step (\d+) of an order:`)
	stepLine    = regexp.MustCompile(`^\s*\|?\s*(\d{1,2})[\s|]`)
	stepPath    = regexp.MustCompile(`[a-z]+/(?:[a-z0-9_]+\.go)?`)
)

// stepPlace is a place that claims a step: a comment in a Go file, or a line of the page that names a file.
type stepPlace struct {
	step int
	path string
	line int
	// named is the file, or the directory with a slash, that the page names.
	named string
}

// checkSteps wants each of the twelve steps exactly once on the page and exactly once in the code, in the file that the page names.
func checkSteps(t *Tree) []Finding {
	inCode, found := stepsInCode(t)
	onPage := stepsOnPage(t)
	for step := 1; step <= lastStep; step++ {
		lines := onPage[step]
		if len(lines) != 1 {
			text := fmt.Sprintf("step %d is listed %d times under %q, not once", step, len(lines), wayHeading)
			found = append(found, Finding{Path: wayPage, Text: text})
		}
		comments := inCode[step]
		if len(comments) != 1 {
			text := fmt.Sprintf("step %d of an order stands in %d comments, not in one%s", step, len(comments), places(comments))
			found = append(found, Finding{Path: stepPackages[step], Text: text})
		}
		if len(lines) == 1 {
			found = append(found, compareStep(lines[0], comments)...)
		}
	}
	return found
}

func compareStep(listed stepPlace, comments []stepPlace) []Finding {
	var found []Finding
	pkg := strings.SplitN(listed.named, "/", 2)[0]
	if want := stepPackages[listed.step]; pkg != want {
		text := fmt.Sprintf("step %d names %q, which is not in %s", listed.step, listed.named, want)
		found = append(found, Finding{Path: wayPage, Line: listed.line, Text: text})
	}
	for _, c := range comments {
		if c.path != listed.named && path.Dir(c.path)+"/" != listed.named {
			text := fmt.Sprintf("step %d stands here, but %s names %s", c.step, wayPage, listed.named)
			found = append(found, Finding{Path: c.path, Line: c.line, Text: text})
		}
	}
	return found
}

func stepsInCode(t *Tree) (map[int][]stepPlace, []Finding) {
	steps := map[int][]stepPlace{}
	var found []Finding
	for _, f := range t.files {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				m := stepComment.FindStringSubmatch(c.Text)
				if m == nil {
					continue
				}
				step, err := strconv.Atoi(m[1])
				if err != nil || step < 1 || step > lastStep {
					found = append(found, Finding{Path: f.path, Line: f.line(c), Text: "an order has no step " + m[1]})
					continue
				}
				steps[step] = append(steps[step], stepPlace{step: step, path: f.path, line: f.line(c)})
			}
		}
	}
	return steps, found
}

// stepsOnPage returns the numbered lines under wayHeading and the path each names; a line without a path names "".
func stepsOnPage(t *Tree) map[int][]stepPlace {
	steps := map[int][]stepPlace{}
	for _, f := range t.texts {
		if f.path != wayPage {
			continue
		}
		inside := false
		for i, line := range strings.Split(f.text, "\n") {
			if strings.HasPrefix(line, "## ") {
				inside = line == wayHeading
			}
			m := stepLine.FindStringSubmatch(line)
			if !inside || m == nil {
				continue
			}
			step, _ := strconv.Atoi(m[1])
			steps[step] = append(steps[step], stepPlace{step: step, path: f.path, line: i + 1, named: stepFile(line)})
		}
	}
	return steps
}

// stepFile returns the first path of a line that lies in one of the steps' packages.
func stepFile(line string) string {
	for _, p := range stepPath.FindAllString(line, -1) {
		for _, pkg := range stepPackages {
			if pkg != "" && strings.HasPrefix(p, pkg+"/") {
				return p
			}
		}
	}
	return ""
}

func places(steps []stepPlace) string {
	if len(steps) == 0 {
		return ""
	}
	var at []string
	for _, s := range steps {
		at = append(at, fmt.Sprintf("%s:%d", s.path, s.line))
	}
	return ": " + strings.Join(at, ", ")
}
