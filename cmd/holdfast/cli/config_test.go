package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/cmd/holdfast/config"
)

// tree returns the commands as a run of the program has them.
func tree() *cobra.Command {
	return (&app{Process: Process{Out: io.Discard, Err: io.Discard}}).root()
}

// find returns a command of the tree.
func find(t testing.TB, path ...string) *cobra.Command {
	t.Helper()
	cmd, rest, err := tree().Find(path)
	if err != nil || len(rest) > 0 {
		t.Fatalf("%q: %v", path, err)
	}
	return cmd
}

// serveSettings returns the settings of serve in order of their names.
func serveSettings(t testing.TB) []*pflag.Flag {
	var all []*pflag.Flag
	settingsOf(find(t, "serve")).VisitAll(func(f *pflag.Flag) { all = append(all, f) })
	if len(all) < 30 {
		t.Fatalf("only %d settings", len(all))
	}
	return all
}

func writeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shown runs config show and returns what it says of each setting.
func shown(t testing.TB, env []string, args ...string) map[string]shownSetting {
	t.Helper()
	code, out, errs := run(env, append([]string{"config", "show", "--origin", "-o", "json"}, args...)...)
	if code != ExitOK || errs != "" {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var settings map[string]shownSetting
	d := json.NewDecoder(strings.NewReader(out))
	d.UseNumber()
	if err := d.Decode(&settings); err != nil {
		t.Fatal(err)
	}
	return settings
}

// another returns a value that differs from a flag's default, with the number n in it where there is room.
func another(t testing.TB, f *pflag.Flag, n int) (text string, value any) {
	switch f.Value.Type() {
	case "bool":
		text = strconv.FormatBool(f.DefValue != "true")
		return text, text == "true"
	case "int", "int64", "uint", "uint64", "float64":
		text = strconv.Itoa(1000 + n)
		return text, json.Number(text)
	case "duration":
		text = fmt.Sprintf("%dm1s", 10+n)
		return text, text
	case "string":
		text = fmt.Sprintf("word-%d", n)
		return text, text
	}
	t.Fatalf("--%s has a type that a file of settings does not know: %s", f.Name, f.Value.Type())
	return "", nil
}

// Every setting of serve is taken from the file, from its variable and from its flag, each beating the one before, and config show says so. Serve and
// config check have exactly the flags that config show has.
func TestEverySettingInEveryWay(t *testing.T) {
	names := func(path ...string) (names []string) {
		settingsOf(find(t, path...)).VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		return names
	}
	if want := names("serve"); !slices.Equal(names("config", "show"), want) || !slices.Equal(names("config", "check"), want) {
		t.Fatal("the commands have not the same settings")
	}
	find(t, "serve").LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[settingMark] == nil && !slices.Contains([]string{configFlag, "help", "output"}, f.Name) {
			t.Errorf("--%s of serve is no setting", f.Name)
		}
	})
	for _, f := range serveSettings(t) {
		t.Run(f.Name, func(t *testing.T) {
			inFile, _ := another(t, f, 1)
			inEnv, _ := another(t, f, 2)
			onLine, _ := another(t, f, 3)
			file := writeFile(t, "# settings\n"+f.Name+": "+inFile+"\n")
			env := []string{config.Variable(f.Name) + "=" + inEnv}
			for _, test := range []struct {
				n    int
				env  []string
				args []string
				from config.Origin
			}{
				{1, nil, []string{"--config", file}, config.Origin{Kind: config.File, Where: file + ":2"}},
				{1, []string{"HOLDFAST_CONFIG=" + file}, nil, config.Origin{Kind: config.File, Where: file + ":2"}},
				{2, env, []string{"--config", file}, config.Origin{Kind: config.Environment, Where: config.Variable(f.Name)}},
				{2, env, nil, config.Origin{Kind: config.Environment, Where: config.Variable(f.Name)}},
				{3, env, []string{"--config", file, "--" + f.Name + "=" + onLine}, config.Origin{Kind: config.Flag, Where: "--" + f.Name}},
				{3, nil, []string{"--" + f.Name + "=" + onLine}, config.Origin{Kind: config.Flag, Where: "--" + f.Name}},
			} {
				got := shown(t, test.env, test.args...)
				if _, want := another(t, f, test.n); got[f.Name].Value != want || got[f.Name].Origin != test.from {
					t.Errorf("%v, not %v from %v", got[f.Name], want, test.from)
				}
				for name, other := range got {
					if name != f.Name && other.Origin.Kind != config.Default {
						t.Errorf("%s comes from %v", name, other.Origin)
					}
				}
			}
		})
	}
}

// What config show prints without origins is a file of settings that says the same.
func TestShownSettingsAreAFile(t *testing.T) {
	_, first, _ := run(nil, "config", "show", "-o", "json", "--shards", "8", "--http", "[::1]:8080", "--insecure", "--drain-timeout", "1m")
	code, second, errs := run(nil, "config", "show", "-o", "json", "--config", writeFile(t, first))
	if code != ExitOK || first != second || !strings.Contains(first, `"http": "[::1]:8080"`) || !strings.Contains(first, `"shards": 8`) {
		t.Errorf("exit code %d: %s\n%s\n%s", code, errs, first, second)
	}
}

// No password is shown, wherever the URL stands.
func TestPasswordsAreNotShown(t *testing.T) {
	const url = "postgres://app:s3cret@db/orders"
	for name, run := range map[string]func() (int, string, string){
		"file": func() (int, string, string) {
			return run(nil, "config", "show", "--config", writeFile(t, "sink: "+url+"\n"))
		},
		"variable": func() (int, string, string) {
			return run([]string{"HOLDFAST_SINK=" + url}, "config", "show", "-o", "json")
		},
		"flag": func() (int, string, string) { return run(nil, "config", "show", "--origin", "--sink", url) },
		"wrong key": func() (int, string, string) {
			return run(nil, "config", "show", "--config", writeFile(t, "sinc: "+url+"\n"))
		},
		"another key": func() (int, string, string) {
			return run(nil, "config", "show", "--config", writeFile(t, "audit-log: "+url+"\n"))
		},
		"wrong type": func() (int, string, string) { return run([]string{"HOLDFAST_SHARDS=" + url}, "config", "check") },
	} {
		if code, out, errs := run(); strings.Contains(out+errs, "s3cret") || out+errs == "" {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
		}
	}
}

// What config show writes in place of a password is said not to be one, and is none: no node starts with it.
func TestShownPasswordsAreNotTaken(t *testing.T) {
	for _, test := range []struct{ sink, shown string }{
		{"postgres://app:s3cret@db/orders", "postgres://app:xxxxx@db/orders"},
		{"postgresql://app@db/orders?password=s3cret", "postgresql://app@db/orders?password=xxxxx"},
		{"postgres://app:s3cret@x@db", "postgres://xxxxx"},
	} {
		code, file, errs := run(nil, "config", "show", "-o", "json", "--sink", test.sink)
		if code != ExitOK || !strings.Contains(file, test.shown) || !strings.Contains(errs, "warning: a password is not shown") || !strings.Contains(errs, "sink") {
			t.Errorf("exit code %d: %s%s", code, file, errs)
		}
		path := writeFile(t, file)
		env := []string{"HOLDFAST_DATA_DIR=" + filepath.Join(t.TempDir(), "node")}
		for _, command := range [][]string{{"config", "check"}, {"serve"}} {
			code, _, errs := run(env, append(command, "--config", path)...)
			if code != ExitUsage || !strings.Contains(errs, "--sink: a mark stands where a password should") || !strings.Contains(errs, test.shown) {
				t.Errorf("%v: exit code %d: %s", command, code, errs)
			}
		}
	}
	for _, sink := range []string{"postgres://app@db/orders?sslmode=disable", "postgres://xxxxx@db/orders", "postgres://db/xxxxx", "none"} {
		if code, _, errs := run(nil, "config", "show", "-o", "json", "--sink", sink); code != ExitOK || errs != "" {
			t.Errorf("%s: exit code %d: %s", sink, code, errs)
		}
		if code, _, errs := run(nil, "config", "check", "--sink", sink); code != ExitOK {
			t.Errorf("%s: exit code %d: %s", sink, code, errs)
		}
	}
	// A table is for people.
	if code, _, errs := run(nil, "config", "show", "--sink", "postgres://app:s3cret@db/orders"); code != ExitOK || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// Serve and config check refuse the same, in the same words.
func TestCheckSaysWhatServeSays(t *testing.T) {
	for _, settings := range []string{
		"shards: 0", "shards: 100000", "shards: many", "node-id: ''", "node-id: a b", "nod-id: n1", "stock: 5", "config: x", "output: json", "retention: 0s",
		"refusals: maybe", "join: nowhere", "join-timeout: 0s", "advertise-peer: 0.0.0.0:8082", "sink: mysql", "sink: postgres://app:s3cret@db:port/x", "http: :8080", "http: nonsense", "peer: 0.0.0.0:1", "max-conns: -1",
		"wal-segment-bytes: 1", "wal-soft-bytes: 10\nwal-hard-bytes: 5", "log-level: loud", "log-format: xml", "audit-files: 1", "audit-log: /dev/null",
		"audit-log: /", "tls-cert: none.pem",
		"api-keys: none.yaml", "tls-cert: none.pem\ntls-key: none.pem", "drain-timeout: 20", "api-key: hf_x", "- a", "",
	} {
		t.Run(settings, func(t *testing.T) {
			file := writeFile(t, settings)
			dir := filepath.Join(t.TempDir(), "node")
			env := []string{"HOLDFAST_DATA_DIR=" + dir}
			checkCode, checkOut, checked := run(env, "config", "check", "--config", file)
			if checkCode == ExitOK {
				t.Fatal("config check takes it, and serve would run")
			}
			code, out, served := run(env, "serve", "--config", file)
			if code != ExitUsage || checkCode != ExitUsage || out+checkOut != "" {
				t.Errorf("exit codes %d and %d; standard output %q", code, checkCode, out+checkOut)
			}
			if told, again := firstLine(served), firstLine(checked); told != again || strings.Contains(strings.ReplaceAll(told, file, ""), "s3cret") {
				t.Errorf("serve: %s\ncheck: %s", told, again)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the data directory was made")
			}
		})
	}
	code, out, errs := run(nil, "config", "check", "-o", "json", "--config", writeFile(t, "shards: 2\n"))
	if code != ExitOK || !strings.Contains(out, `"sound": true`) {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

func firstLine(s string) string { line, _, _ := strings.Cut(s, "\n"); return line }

// A file is for the commands that have --config; for all others its variable is a flag's like any other, and no file is read.
func TestOtherCommandsReadNoFile(t *testing.T) {
	env := []string{"HOLDFAST_CONFIG=/there/is/none.yaml"}
	if code, _, errs := run(env, "version"); code != ExitOK {
		t.Errorf("version: exit code %d: %s", code, errs)
	}
	if code, _, errs := run(env, "config", "show"); code != ExitUsage || !strings.Contains(errs, "/there/is/none.yaml: it cannot be opened") {
		t.Errorf("config show: exit code %d: %s", code, errs)
	}
	if code, _, _ := run(env, "config", "show", "--config", ""); code != ExitOK {
		t.Errorf("--config '' beats the variable: exit code %d", code)
	}
	if code, _, errs := run(nil, "sku", "list", "--config", "x"); code != ExitUsage || !strings.Contains(errs, "unknown flag") {
		t.Errorf("sku list: exit code %d: %s", code, errs)
	}
}

// FuzzConfig: any file is refused with exit code 2 and a line that names it, or is a set of settings that config show prints as a file with the same
// meaning. Parsing costs memory in proportion to the file.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"", "# none\n", "node-id: n7\nshards: 8\n", "{\"http\": \"[::1]:80\", \"insecure\": true}", "a: &a [*a]\n", "sink: postgres://a:b@c/d\n", "---\n---\n",
		"drain-timeout: 1m\nretention: '2h'\n", "node-id: \"\\u00e4\"\n", "\ufeffshards: 4\n", "shards: 010\n", "? {a: b}\n: c\n", "node-id:\t'x' # y\r\n", "[[[[[",
		"<<: *x\n", "shards: 4\nshards: 4\n", "%YAML 1.2\n---\nnode-id: x\n", "node-id: |\n  x\n", "node-id: 'it''s'\n", "admin: \"\\x20\"\n",
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "holdfast.yaml")
	again := path + ".again"
	f.Fuzz(func(t *testing.T, text []byte) {
		show := func(path string, text []byte) (int, string, string) {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return run(nil, "config", "show", "-o", "json", "--config", path)
		}
		code, out, errs := show(path, text)
		if code == ExitUsage && out == "" && strings.HasPrefix(errs, "holdfast: "+path+":") {
			return
		}
		var values map[string]any
		marked := strings.Contains(out, "xxxxx") && strings.Contains(errs, "warning")
		if err := json.Unmarshal([]byte(out), &values); code != ExitOK || errs != "" && !marked || err != nil {
			t.Fatalf("exit code %d: %s%s", code, out, errs)
		}
		if bytes.Contains(text, []byte("@")) || strings.Contains(out, "xxxxx") {
			return // a password may be hidden, and what is hidden does not come back
		}
		code, second, errs := show(again, []byte(out))
		var back map[string]any
		if err := json.Unmarshal([]byte(second), &back); code != ExitOK || err != nil || !maps.Equal(values, back) {
			t.Fatalf("%q became\n%s\nand then, with exit code %d,\n%s%s", text, out, code, second, errs)
		}
	})
}
