package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"holdfast/internal/programtest"
)

// commands returns every command that people see, as the words that are typed.
func commands() [][]string {
	var all [][]string
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		all = append(all, path)
		for _, below := range cmd.Commands() {
			if below.IsAvailableCommand() {
				walk(below, append(path[:len(path):len(path)], below.Name()))
			}
		}
	}
	walk(tree(), nil)
	return all
}

// Every command has its page, with all its parts; the same build writes the same bytes again, over its own pages.
func TestMan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "share", "man1")
	env := []string{"SOURCE_DATE_EPOCH=1700000000"}
	code, out, errs := run(env, "man", dir, "-o", "json")
	var written struct{ Pages []string }
	if err := json.Unmarshal([]byte(out), &written); err != nil || code != ExitOK {
		t.Fatalf("exit code %d: %v %s", code, err, errs)
	}
	if len(written.Pages) != len(commands()) {
		t.Errorf("%d pages of %d commands", len(written.Pages), len(commands()))
	}
	first := make(map[string]string)
	for _, command := range commands() {
		name := strings.Join(append([]string{"holdfast"}, command...), "-")
		text, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Fatal(err)
		}
		first[name] = string(text)
		title := `.TH "` + strings.ReplaceAll(strings.ToUpper(name), "-", `\-`) + `" "1" "2023\-11\-14" "holdfast ` + release + `" "Holdfast"`
		for _, part := range []string{title, ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXAMPLE", ".SH EXIT STATUS", ".SH ENVIRONMENT", ".SH SEE ALSO"} {
			if !strings.Contains(string(text), part+"\n") {
				t.Errorf("%s lacks %s", name, part)
			}
		}
	}
	if !strings.Contains(first["holdfast-serve"], ".SH FILES\n") || !strings.Contains(first["holdfast-serve"], `\fB--wal-segment-bytes\fP`) {
		t.Errorf("the page of serve:\n%s", first["holdfast-serve"])
	}
	if code, _, errs := run(env, "man", dir); code != ExitOK {
		t.Fatalf("a second time: exit code %d: %s", code, errs)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != len(first) {
		t.Errorf("%d files, %v", len(left), err)
	}
	for name, before := range first {
		if text, err := os.ReadFile(filepath.Join(dir, name+".1")); err != nil || string(text) != before {
			t.Errorf("%s differs the second time: %v", name, err)
		}
	}
}

// What is not ours stays, and nothing is written then.
func TestManKeepsForeignFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "holdfast-serve.1")
	if err := os.WriteFile(path, []byte(".TH MINE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := run(nil, "man", dir); code != ExitFailed || out != "" || !strings.Contains(errs, "holdfast-serve.1: it is not a page") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != ".TH MINE\n" {
		t.Errorf("%s, %v", text, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files, %v", len(left), err)
	}
	if code, _, _ := run(nil, "man", path); code != ExitFailed {
		t.Errorf("a file as the directory: exit code %d", code)
	}
	if code, _, _ := run([]string{"SOURCE_DATE_EPOCH=soon"}, "man", filepath.Join(dir, "new")); code != ExitUsage {
		t.Errorf("a date that is none: exit code %d", code)
	}
}

// The pages are ones that man shows without a complaint.
func TestManReads(t *testing.T) {
	man := programtest.Find(t, "man", "man-db")
	dir := t.TempDir()
	if code, _, errs := run(nil, "man", dir); code != ExitOK {
		t.Fatal(errs)
	}
	for _, page := range []string{"holdfast.1", "holdfast-serve.1", "holdfast-order-place.1"} {
		cmd := exec.Command(man, "--warnings", "-l", filepath.Join(dir, page))
		cmd.Env = append(os.Environ(), "MANWIDTH=100", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8", "MANPAGER=cat")
		var errs strings.Builder
		cmd.Stderr = &errs
		text, err := cmd.Output()
		if err != nil && strings.Contains(errs.String(), "exec") {
			programtest.Missing(t, "man cannot run here: "+errs.String())
		}
		if err != nil || errs.Len() > 0 || !strings.Contains(string(text), "EXIT STATUS") {
			t.Errorf("%s: %v %s\n%s", page, err, &errs, text)
		}
	}
}
