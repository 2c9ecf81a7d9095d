package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"holdfast/internal/programtest"
)

// offers returns what the program offers a shell at the end of a line, and the directive.
func offers(t *testing.T, line ...string) (words []string, directive string) {
	t.Helper()
	// Fish sets this variable; and what is wrong in the environment is no reason to offer nothing.
	code, out, errs := run([]string{"HOLDFAST_ACTIVE_HELP=0", "HOLDFAST_WRONG=1"}, append([]string{"__complete"}, line...)...)
	if code != ExitOK {
		t.Fatalf("%q: exit code %d: %s", line, code, errs)
	}
	for text := range strings.Lines(out) {
		word, _, _ := strings.Cut(strings.TrimRight(text, "\n"), "\t")
		words = append(words, word)
	}
	return words[:len(words)-1], words[len(words)-1]
}

// Every flag that takes one of a few words offers exactly those, wherever it is; the words are those that its command takes.
func TestEveryEnumerationIsOffered(t *testing.T) {
	seen := make(map[string]bool)
	for _, path := range commands() {
		cmd := find(t, path...)
		check := func(f *pflag.Flag) {
			words := flagWords[f.Name]
			if words == nil {
				return
			}
			seen[f.Name] = true
			var want []string
			for _, word := range words {
				name, _, _ := strings.Cut(word, "\t")
				want = append(want, name)
			}
			got, directive := offers(t, append(path[:len(path):len(path)], "--"+f.Name, "")...)
			if !slices.Equal(got, want) || directive != ":4" && f.Name != "sink" {
				t.Errorf("%q --%s: %q, %s", path, f.Name, got, directive)
			}
		}
		cmd.LocalFlags().VisitAll(check)
		cmd.InheritedFlags().VisitAll(check)
	}
	for name := range flagWords {
		if !seen[name] {
			t.Errorf("there is no flag --%s", name)
		}
	}
	for _, name := range []string{"log-level", "log-format", "log-requests", "refusals"} {
		for _, word := range append(flagWords[name], "other") {
			value, _, _ := strings.Cut(word, "\t")
			if code, _, _ := run(nil, "config", "check", "--"+name, value); (code == ExitOK) == (word == "other") {
				t.Errorf("--%s %s: exit code %d", name, value, code)
			}
		}
	}
}

func TestWhatElseIsOffered(t *testing.T) {
	for line, want := range map[string]string{
		"serve --config ": "yaml yml json :8", "serve --data-dir ": ":16", "serve --node-id ": ":4", "sku list --ca ": "pem crt cert :8",
		"order get --api-key-file ": ":0", "wal verify ": ":16", "wal verify data ": ":4", "man ": ":16", "cluster backup ": ":0", "cluster backup a ": ":4", "order get ": ":4", "completion ": "bash fish zsh :4",
		"config ": "check show :4", "serve --sink post": "sqlite none postgres:// :6", "sku create boot --mode on": "hold on_order on_payment :4",
	} {
		words, directive := offers(t, strings.Split(line, " ")...)
		if got := strings.Join(append(words, directive), " "); got != want {
			t.Errorf("%s: %s, not %s", line, got, want)
		}
	}
	for _, f := range []map[string]bool{flagDirs, keysOf(flagFiles)} {
		for name := range f {
			if !flagNames(tree(), make(map[string]bool))[name] {
				t.Errorf("there is no flag --%s", name)
			}
		}
	}
}

func keysOf[V any](m map[string]V) map[string]bool {
	keys := make(map[string]bool)
	for k := range m {
		keys[k] = true
	}
	return keys
}

// The scripts are there for three shells, and say so to their users.
func TestCompletionScripts(t *testing.T) {
	for shell, want := range map[string]string{"bash": "__start_holdfast", "zsh": "#compdef holdfast", "fish": "complete -c holdfast"} {
		if code, out, errs := run(nil, "completion", shell); code != ExitOK || !strings.Contains(out, want) || errs != "" {
			t.Errorf("%s: exit code %d: %s", shell, code, errs)
		}
	}
	if code, _, _ := run(nil, "completion", "powershell"); code != ExitUsage {
		t.Errorf("powershell: exit code %d", code)
	}
}

// Bash, with the script, calls the program and offers what it says. The parts of the package bash-completion that the script uses are stood in for
// by a few lines where it is not installed.
func TestBashCompletes(t *testing.T) {
	bash := programtest.Find(t, "bash", "bash")
	dir := t.TempDir()
	_, script, _ := run(nil, "completion", "bash")
	_, answer, _ := run(nil, "__complete", "serve", "--log-level", "")
	for name, text := range map[string]string{
		"completion.bash": script, "answer": answer, "holdfast": "#!/bin/sh\necho \"$@\" > asked\ncat answer\n",
		"test.bash": `library=/usr/share/bash-completion/bash_completion
if [[ -r $library ]]; then . $library; else
  _get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
fi
. ./completion.bash
COMP_WORDS=(./holdfast serve --log-level '') COMP_CWORD=3 COMP_LINE='./holdfast serve --log-level ' COMP_POINT=28 COMP_TYPE=63
__start_holdfast 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bash, "--norc", "test.bash")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, []string{"debug", "info", "warn", "error"}) {
		t.Errorf("%v: %q", err, out)
	}
	if asked, err := os.ReadFile(filepath.Join(dir, "asked")); err != nil || !strings.HasPrefix(string(asked), "__complete serve --log-level") {
		t.Errorf("the program was asked %q: %v", asked, err)
	}
}
