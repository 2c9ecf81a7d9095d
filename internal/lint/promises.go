package lint

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	promisePage  = "docs/guarantees.md"
	promiseCount = 10
)

var promiseHeading = regexp.MustCompile(`^## (\d+)\. `)

// checkPromises wants each of the ten promises once on its page, and at least one test named under each.
func checkPromises(t *Tree) []Finding {
	headings, tests := [promiseCount + 1]int{}, [promiseCount + 1]int{}
	for _, f := range t.texts {
		if f.path == promisePage {
			countPromises(f.text, &headings, &tests)
		}
	}
	var found []Finding
	for n := 1; n <= promiseCount; n++ {
		switch {
		case headings[n] != 1:
			found = append(found, Finding{Path: promisePage, Text: fmt.Sprintf("promise %d has %d headings, not one", n, headings[n])})
		case tests[n] == 0:
			found = append(found, Finding{Path: promisePage, Text: fmt.Sprintf("promise %d names no test", n)})
		}
	}
	return found
}

func countPromises(page string, headings, tests *[promiseCount + 1]int) {
	n := 0
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "## ") {
			n = 0
			if m := promiseHeading.FindStringSubmatch(line); m != nil {
				if _, err := fmt.Sscan(m[1], &n); err != nil || n > promiseCount {
					n = 0
				}
				headings[n]++
			}
		}
		tests[n] += len(testName.FindAllString(line, -1))
	}
}
