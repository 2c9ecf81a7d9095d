package storage

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// modernc.org/sqlite is translated C that relies on details of modernc.org/libc: with another version than its own it misbehaves, and module
// resolution would pick a later one without a word.
func TestLibcIsTheOneThatSQLiteWasBuiltWith(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the go command is not on PATH; in CI no test skips for a missing program")
		}
		t.Skip("skipped: the go command is not on PATH, so the module cache cannot be asked")
	}
	list := func(format, module string) string {
		var stderr bytes.Buffer
		cmd := exec.Command("go", "list", "-m", "-f", format, module)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list -m %s: %v\n%s", module, err, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	ours, dir := list("{{.Version}}", "modernc.org/libc"), list("{{.Dir}}", "modernc.org/sqlite")
	if dir == "" {
		t.Fatal("modernc.org/sqlite is not in the module cache")
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if theirs := required(string(mod), "modernc.org/libc"); ours != theirs || theirs == "" {
		t.Errorf("go.mod has modernc.org/libc %s, modernc.org/sqlite was built with %q", ours, theirs)
	}
}

// required returns the version of a module that a go.mod file requires.
func required(mod, module string) string {
	for line := range strings.Lines(mod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == module {
			return fields[1]
		}
	}
	return ""
}
