package targets_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/bench/targets"
)

// goBenchmark is a command's package and the benchmark that it names.
var goBenchmark = regexp.MustCompile(`^go test \./(\S+) -run NONE -bench '?([A-Za-z]+)`)

// TestCommandsNameBenchmarksThatExist looks for the benchmark of each command in its package.
func TestCommandsNameBenchmarksThatExist(t *testing.T) {
	looked := 0
	for _, one := range targets.All {
		for _, c := range one.Checks {
			m := goBenchmark.FindStringSubmatch(c.Command)
			if m == nil {
				continue
			}
			looked++
			if !declared(t, filepath.Join("../..", m[1]), "func Benchmark"+m[2]+"(") {
				t.Errorf("%s, %s: no benchmark %s in %s", one.Name, c.What, m[2], m[1])
			}
		}
	}
	if looked < 5 {
		t.Errorf("only %d commands name a benchmark", looked)
	}
}

func declared(t *testing.T, dir, declaration string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), declaration) {
			return true
		}
	}
	return false
}
