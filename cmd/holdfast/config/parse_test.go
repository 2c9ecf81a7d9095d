package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// sample has a flag of each kind of value.
func sample() *pflag.FlagSet {
	f := pflag.NewFlagSet("sample", pflag.ContinueOnError)
	f.String("node-id", "n1", "")
	f.String("http", "127.0.0.1:8080", "")
	f.String("sink", "sqlite", "")
	f.Int("shards", 4, "")
	f.Int64("max-body-bytes", 65536, "")
	f.Uint("seed", 1, "")
	f.Float64("share", 1, "")
	f.Bool("insecure", false, "")
	f.Duration("drain-timeout", 20*time.Second, "")
	return f
}

func sampleSchema() Schema {
	return Schema{Settings: sample(), Refusal: func(key string) string {
		if key == "stock" {
			return "it belongs to sku create"
		}
		return ""
	}}
}

func TestParse(t *testing.T) {
	text := "# a node\nnode-id: n7\nhttp: :8080\n\nshards: 8 # many\r\nmax-body-bytes: 1024\nseed: 3\nshare: 0.5\n\"insecure\": true\ndrain-timeout: '1m30s'\nsink: ''\n"
	got, err := Parse("f.yaml", []byte(text), sampleSchema())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Setting{}
	for name, at := range map[string][2]string{
		"node-id": {"n7", "2"}, "http": {":8080", "3"}, "shards": {"8", "5"}, "max-body-bytes": {"1024", "6"}, "seed": {"3", "7"}, "share": {"0.5", "8"},
		"insecure": {"true", "9"}, "drain-timeout": {"1m30s", "10"}, "sink": {"", "11"},
	} {
		want[name] = Setting{at[0], Origin{File, "f.yaml:" + at[1]}}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v\nwanted %v", got, want)
	}
}

// A file that sets nothing is none of the mistakes.
func TestParseNothing(t *testing.T) {
	for _, text := range []string{"# comments only\n#node-id: n1\n", "{}\n", "# none\n"} {
		if got, err := Parse("f.yaml", []byte(text), sampleSchema()); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// refusal is a text that is refused, how, and what is said of it.
type refusal struct {
	text string
	kind error
	want string
}

func refuses(t *testing.T, tests map[string]refusal) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("f.yaml", []byte(test.text), sampleSchema())
			if !errors.Is(err, test.kind) || got != nil || !strings.Contains(fmt.Sprint(err), test.want) {
				t.Errorf("%v, %v\nwanted %v: %s", got, err, test.kind, test.want)
			}
		})
	}
}

func TestParseRefusesTexts(t *testing.T) {
	bomb := "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n"
	refuses(t, map[string]refusal{
		"empty":                    {"", ErrFile, "f.yaml: it is empty"},
		"white space":              {" \n\n\t\n", ErrFile, "f.yaml: it is empty"},
		"too long":                 {"#" + strings.Repeat("x", MaxFileBytes), ErrFile, "f.yaml: it is longer than 1048576 bytes"},
		"byte order mark":          {"\ufeffnode-id: n1\n", ErrSyntax, "f.yaml:1: it begins with a byte order mark"},
		"UTF-16":                   {"\xff\xfen\x00", ErrSyntax, "f.yaml:1: it begins with a byte order mark"},
		"not UTF-8":                {"node-id: n1\nhttp: \xc3\x28\n", ErrSyntax, "f.yaml:2: it is not UTF-8"},
		"NUL":                      {"node-id: n\x001\n", ErrSyntax, "f.yaml:1: it holds the invisible character U+0000"},
		"a tab":                    {"node-id: n1\n\tshards: 4\n", ErrSyntax, "f.yaml:2: the line begins with a tab"},
		"no mapping":               {"node-id\n", ErrSyntax, "f.yaml:1: lines such as node-id: n1 are wanted"},
		"a list":                   {"# x\n- node-id: n1\n", ErrSyntax, "f.yaml:2: lines such as"},
		"nothing but a separator":  {"---\n", ErrSyntax, "lines such as"},
		"two documents":            {"node-id: n1\n---\nnode-id: n2\n", ErrSyntax, "f.yaml:2: a second document"},
		"an end and a second":      {"node-id: n1\n...\nnode-id: n2\n", ErrSyntax, "not YAML"},
		"broken":                   {"node-id: n1\nhttp: \"x\n", ErrSyntax, "f.yaml:2: it is not YAML, here or on the next line: found unexpected end of stream"},
		"broken on the first line": {"node-id: @x\n", ErrSyntax, "f.yaml:1: it is not YAML"},
		"a bare IPv6 address":      {"http: [::1]:8080\n", ErrSyntax, "goes into quotation marks"},
		"indented":                 {"node-id: n1\n  shards: 4\n", ErrSyntax, "f.yaml:2: it is not YAML"},
		"too deep":                 {strings.Repeat("[", 20_000), ErrSyntax, "exceeded max depth"},
		"an anchor":                {"http: x\nnode-id: &n n1\n", ErrSyntax, "f.yaml:2: anchors, aliases and tags are not taken"},
		"an alias":                 {"node-id: &n n1\nhttp: *n\n", ErrSyntax, "f.yaml:1: anchors"},
		"an unknown alias":         {"http: *n\n", ErrSyntax, "unknown anchor"},
		"a bomb":                   {bomb, ErrSyntax, "f.yaml:1: anchors"},
		"a tag":                    {"shards: 4\nnode-id: !!str 7\n", ErrSyntax, "f.yaml:2: anchors, aliases and tags"},
		"a merge":                  {"<<: {node-id: n1}\n", ErrKey, "f.yaml:1: a key must be the name of a setting"},
		"a number as a key":        {"1: x\n", ErrKey, "f.yaml:1: a key must be"},
		"a list as a key":          {"? [a]\n: b\n", ErrKey, "f.yaml:1: a key must be"},
		"unknown":                  {"node-id: n1\ncolour: red\n", ErrKey, `f.yaml:2: "colour": there is no such setting`},
		"misspelt":                 {"nod-id: n1\n", ErrKey, "did you mean node-id?"},
		"with an underscore":       {"node_id: n1\n", ErrKey, "did you mean node-id?"},
		"as a variable":            {"HOLDFAST_NODE_ID: n1\n", ErrKey, "did you mean node-id?"},
		"the beginning":            {"drain: 20s\n", ErrKey, "did you mean drain-timeout?"},
		"another command's":        {"stock: 5\n", ErrKey, "f.yaml:1: stock: it belongs to sku create"},
		"twice":                    {"node-id: n1\nshards: 4\nnode-id: n2\n", ErrKey, "f.yaml:3: node-id: it stands on line 1 already"},
	})
}

func TestParseRefusesValues(t *testing.T) {
	refuses(t, map[string]refusal{
		"null":                    {"node-id:\n", ErrValue, "f.yaml:1: node-id: it has no value"},
		"null in letters":         {"shards: ~\n", ErrValue, "f.yaml:1: shards: it has no value"},
		"a mapping":               {"http:\n  port: 80\n", ErrValue, "f.yaml:1: http: a mapping stands here, and a text is wanted"},
		"a list as a value":       {"http: [a, b]\n", ErrValue, "f.yaml:1: http: a list stands here"},
		"a number as a text":      {"node-id: 7\n", ErrValue, `f.yaml:1: node-id: "7" is a number, and a text is wanted: put it in quotation marks`},
		"a truth as a text":       {"node-id: true\n", ErrValue, "is a truth value"},
		"a date as a text":        {"node-id: 2030-01-01\n", ErrValue, "is a date"},
		"a text as a number":      {"shards: many\n", ErrValue, `f.yaml:1: shards: "many": a whole number is wanted`},
		"a quoted number":         {"shards: \"4\"\n", ErrValue, "leave the quotation marks out"},
		"a fraction":              {"shards: 4.0\n", ErrValue, "a whole number is wanted"},
		"an exponent":             {"shards: 1e3\n", ErrValue, "a whole number is wanted"},
		"octal or not":            {"shards: 010\n", ErrValue, "a whole number is wanted"},
		"hexadecimal":             {"shards: 0x10\n", ErrValue, "a whole number is wanted"},
		"underscores":             {"shards: 1_000\n", ErrValue, "a whole number is wanted"},
		"too large":               {"max-body-bytes: 9223372036854775808\n", ErrValue, "a whole number is wanted"},
		"far too large":           {"max-body-bytes: 99999999999999999999999\n", ErrValue, "a whole number is wanted"},
		"negative":                {"seed: -1\n", ErrValue, "not negative"},
		"yes":                     {"insecure: yes\n", ErrValue, "true or false is wanted"},
		"a duration without unit": {"drain-timeout: 20\n", ErrValue, `"20" is a number, and a duration with its unit, such as 20s is wanted`},
		"no duration":             {"drain-timeout: soon\n", ErrValue, "a duration with its unit"},
		"two lines":               {"node-id: |\n  n1\n  n2\n", ErrValue, "more than one line"},
		"an escaped line":         {"node-id: \"n\\n1\"\n", ErrValue, "more than one line"},
		"a mark inside":           {"node-id: n1\n\ufeffshards: 4\n", ErrSyntax, "f.yaml:2: it holds the invisible character U+FEFF"},
	})
}

// Everything that is wrong is told at once, up to ten, and no value that could be a secret with it.
func TestParseTellsAll(t *testing.T) {
	text := "sinks: postgres://app:s3cret@db/x\nshards: postgres://app:s3cret@db/x\nnode-id: 7\napi-key: hf_s3cret\ninsecure: hf_s3cret\n"
	_, err := Parse("f.yaml", []byte(text), sampleSchema())
	var e *Error
	if err == nil || strings.Count(err.Error(), "\n") != 4 || !errors.As(err, &e) || e.Where != "f.yaml:1" {
		t.Errorf("not five lines: %v", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a secret is repeated: %v", err)
	}
	_, err = Parse("f.yaml", []byte(strings.Repeat("x: 1\n", 1000)), sampleSchema())
	if n := strings.Count(fmt.Sprint(err), "\n"); n != maxFaults-1 {
		t.Errorf("%d lines", n+1)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	good, long := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "long.yaml")
	for path, text := range map[string]string{good: "shards: 2\n", long: strings.Repeat("#\n", MaxFileBytes)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Read(good, sampleSchema()); err != nil || got["shards"].Text != "2" || got["shards"].Origin.String() != "file "+good+":1" {
		t.Errorf("%v, %v", got, err)
	}
	for path, want := range map[string]string{
		long: "longer than", dir: "is a directory", filepath.Join(dir, "none.yaml"): "cannot be opened: no such file", "/dev/zero": "longer than",
		"bad\x00name": "cannot be opened",
	} {
		if _, err := Read(path, sampleSchema()); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	closed := filepath.Join(dir, "closed.yaml")
	if err := os.WriteFile(closed, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(closed); err == nil {
		t.Log("this user reads every file; the unreadable one is not tried")
	} else if _, err := Read(closed, sampleSchema()); !errors.Is(err, ErrFile) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v", err)
	}
}

func TestNear(t *testing.T) {
	names := []string{"node-id", "http", "admin", "admin-addr", "max-pending", "max-parked", "wal-soft-bytes", "wal-hard-bytes", "tls-key", "tls-cert"}
	for word, want := range map[string]string{
		"nodeid": "node-id", "nodeID": "node-id", "nide-id": "node-id", "max-pendign": "max-pending", "wal-soft": "wal-soft-bytes", "wal": "",
		"htpp": "http", "tls": "", "tls-cer": "tls-cert", "": "", "x": "", "colour": "", strings.Repeat("a", 10_000): "", "wal.soft.bytes": "wal-soft-bytes",
		"admin_addr": "admin-addr", "ädmin": "admin",
	} {
		if got := Near(word, slices.Clone(names)); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
}
