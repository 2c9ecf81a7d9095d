package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var refresh = flag.Bool("refresh", false, "write the parts of pages that follow from the flags anew")

const (
	settingsPage = "../../../docs/configuration.md"
	exampleFile  = "../../../deploy/holdfast.yaml"
)

// usualSettings are those that most nodes set; they stand first in the example.
var usualSettings = []string{"node-id", "data-dir", "http", "admin", "peer", "sink", "api-keys", "tls-cert", "tls-key", "log-format"}

// holds wants a file to be what follows from the flags, or writes it.
func holds(t *testing.T, path, want string) {
	t.Helper()
	if *refresh {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%s is not what the flags say (%v); go test ./cmd/holdfast/cli -args -refresh writes it anew", filepath.Base(path), err)
	}
}

// between replaces the lines of a text between two marks.
func between(t *testing.T, text, name, lines string) string {
	t.Helper()
	head, rest, begins := strings.Cut(text, "<!-- "+name+" begins -->\n")
	_, tail, ends := strings.Cut(rest, "<!-- "+name+" ends -->\n")
	if !begins || !ends {
		t.Fatalf("the page has no part %q", name)
	}
	return head + "<!-- " + name + " begins -->\n" + lines + "<!-- " + name + " ends -->\n" + tail
}

// The page of settings has each with its default and its meaning, and shows what config show prints.
func TestConfigurationPage(t *testing.T) {
	text, err := os.ReadFile(settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	rows.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	for _, f := range serveSettings(t) {
		value := ""
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", f.Name, value, strings.ReplaceAll(f.Usage, "|", `\|`))
	}
	page, err := filepath.Abs(settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\n")
	block, _, _ = strings.Cut(block, "```\n")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("holdfast.yaml", []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run([]string{"HOLDFAST_HTTP=127.0.0.1:9080"}, "config", "show", "--origin", "--config", "holdfast.yaml", "--shards", "8")
	if code != ExitOK || strings.Count(block, "\n") < 3 {
		t.Fatalf("exit code %d: %s%s", code, errs, block)
	}
	kept := "```\n"
	for line := range strings.Lines(out) {
		if !strings.HasSuffix(line, "  default\n") {
			kept += line
		}
	}
	holds(t, page, between(t, between(t, string(text), "settings", rows.String()), "output", kept+"```\n"))
}

// The example has every setting once, commented out, with its default; as it stands it sets nothing, and without the marks it says what is so anyway.
func TestExampleFile(t *testing.T) {
	var example strings.Builder
	example.WriteString("# Settings of 'holdfast serve --config FILE'. As it stands this file changes nothing: every key is commented out and shows its default.\n" +
		"# A flag beats its environment variable, which beats this file. 'holdfast config check --config FILE' says whether a node would take it.\n")
	byName := make(map[string]*pflag.Flag)
	var rest []string
	for _, f := range serveSettings(t) {
		byName[f.Name] = f
		if !slices.Contains(usualSettings, f.Name) {
			rest = append(rest, f.Name)
		}
	}
	for _, name := range append(usualSettings, rest...) {
		f := byName[name]
		if f == nil {
			t.Fatalf("there is no setting %s", name)
		}
		value := f.DefValue
		if value == "" {
			value = "''"
		}
		fmt.Fprintf(&example, "\n# %s\n#%s: %s\n", f.Usage, f.Name, value)
	}
	holds(t, exampleFile, example.String())

	_, plain, _ := run(nil, "config", "show", "-o", "json")
	if code, out, errs := run(nil, "config", "show", "-o", "json", "--config", exampleFile); code != ExitOK || out != plain {
		t.Errorf("as it stands: exit code %d: %s", code, errs)
	}
	var unmarked strings.Builder
	for line := range strings.Lines(example.String()) {
		if !strings.HasPrefix(line, "# ") {
			unmarked.WriteString(strings.TrimPrefix(line, "#"))
		}
	}
	file := writeFile(t, unmarked.String())
	for name, s := range shown(t, nil, "--config", file) {
		if !strings.HasPrefix(s.Origin.Where, file+":") {
			t.Errorf("%s comes from %v", name, s.Origin)
		}
	}
	if code, out, _ := run(nil, "config", "show", "-o", "json", "--config", file); code != ExitOK || out != plain {
		t.Errorf("without the marks: exit code %d: %s", code, out)
	}
}
