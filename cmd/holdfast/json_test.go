package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// isJSON PROGRAM ARGS... runs a program that must succeed and print one JSON value and nothing else. The exit code of a machine in doubt counts too.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: isjson PROGRAM ARGS...")
	}
	ts.Check(ts.Exec(args[0], args[1:]...))
	if out := ts.ReadFile("stdout"); !json.Valid([]byte(out)) {
		ts.Fatalf("not JSON: %s", out)
	}
}

// withoutJSON are the commands whose result has one form, and those whose own tests hold it because they take long or depend on the machine.
var withoutJSON = regexp.MustCompile(`^holdfast (completion \w+|serve|demo|doctor)$`)

// Every command that does something stands in the script that wants JSON of it.
func TestEveryCommandPrintsJSON(t *testing.T) {
	script, err := os.ReadFile("testdata/script/json.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command(program(t), "man", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pages, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, page := range pages {
		name := strings.TrimSuffix(page.Name(), ".1")
		command := strings.ReplaceAll(name, "-", " ")
		group := func() bool {
			for _, other := range pages {
				if strings.HasPrefix(other.Name(), name+"-") {
					return true
				}
			}
			return false
		}
		if group() || withoutJSON.MatchString(command) {
			continue
		}
		held++
		if !regexp.MustCompile(`(?m)^isjson ` + regexp.QuoteMeta(command) + ` .*-o json$`).Match(script) {
			t.Errorf("testdata/script/json.txtar lacks: isjson %s ... -o json", command)
		}
		if out, err := exec.Command(program(t), append(strings.Fields(command)[1:], "--help")...).Output(); err != nil || !strings.Contains(string(out), "table or json") {
			t.Errorf("%s --help does not say table or json: %v", command, err)
		}
	}
	if held < 15 {
		t.Errorf("only %d commands were looked at", held)
	}
}
