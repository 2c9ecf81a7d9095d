package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/badinputtest"
)

// badStart is a command line, an environment or a file that a node must not start with.
type badStart struct {
	id   string
	args []string
	// variable is set for it, as NAME=value; file is what the file given.yaml in its directory holds.
	variable, file string
}

// What is wrong with flags, environment and files ends a node before it touches its data directory, with the reason.
func TestBadInputOfTheCommandLine(t *testing.T) {
	taken, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var cases []badinputtest.Case
	for _, c := range []badStart{
		{id: "flag-unknown", args: []string{"--htp", anyPort}},
		{id: "flag-without-a-value", args: []string{"--http"}},
		{id: "argument-too-many", args: []string{"now"}},
		{id: "flag-sink", args: []string{"--sink", "mysql"}},
		{id: "flag-refusals", args: []string{"--refusals", "maybe"}},
		{id: "flag-shards", args: []string{"--shards", "0"}},
		{id: "flag-bound", args: []string{"--max-conns", "0"}},
		{id: "flag-no-number", args: []string{"--max-conns", "many"}},
		{id: "flag-log-level", args: []string{"--log-level", "loud"}},
		{id: "flag-log-bounds", args: []string{"--wal-soft-bytes", "10", "--wal-hard-bytes", "5"}},
		{id: "flag-address", args: []string{"--http", "nonsense"}},
		{id: "flag-everywhere", args: []string{"--http", "0.0.0.0:0"}},
		{id: "flag-half-a-pair", args: []string{"--tls-cert", "given.yaml"}},
		{id: "keys-without-a-file", args: []string{"--api-keys", "none.yaml"}},
		{id: "keys-with-a-key", args: []string{"--api-keys", "given.yaml"}, file: "- {name: shop, role: order, sha256: hf_secret}\n"},
		{id: "keys-with-an-unknown-member", args: []string{"--api-keys", "given.yaml"}, file: "- {name: shop, rule: order}\n"},
		{id: "certificate-damaged", args: []string{"--tls-cert", "given.yaml", "--tls-key", "given.yaml"}, file: "x"},
		{id: "variable-unknown", variable: "HOLDFAST_NONSENSE=1"},
		{id: "variable-out-of-range", variable: "HOLDFAST_SHARDS=0"},
		{id: "config-unknown-key", args: []string{"--config", "given.yaml"}, file: "shards: 4\nnonsense: 1\n"},
		{id: "config-key-twice", args: []string{"--config", "given.yaml"}, file: "shards: 4\nshards: 8\n"},
		{id: "config-wrong-type", args: []string{"--config", "given.yaml"}, file: "shards: many\n"},
		{id: "config-out-of-range", args: []string{"--config", "given.yaml"}, file: "shards: 0\n"},
		{id: "config-no-yaml", args: []string{"--config", "given.yaml"}, file: "{[\n"},
		{id: "config-not-there", args: []string{"--config", "none.yaml"}},
		{id: "port-in-use", args: []string{"--http", taken.Addr().String()}},
	} {
		cases = append(cases, badinputtest.Case{ID: c.id, Do: c.refused})
	}
	badinputtest.Run(t, "command", cases)
}

func (c badStart) refused(t *testing.T, r badinputtest.Row) {
	dir := t.TempDir()
	t.Chdir(dir)
	if c.file != "" {
		if err := os.WriteFile("given.yaml", []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if name, value, ok := strings.Cut(c.variable, "="); ok {
		t.Setenv(name, value)
	}
	code, text := refused(t, append(serveArgs("data"), c.args...)...)
	if code != r.Exit {
		t.Errorf("exit code %d: %s", code, text)
	}
	for _, said := range r.Says {
		if !strings.Contains(text, said) {
			t.Errorf("it does not say %q: %s", said, text)
		}
	}
	if strings.Contains(text, "hf_secret") {
		t.Errorf("it shows a key: %s", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data directory was touched: %v", err)
	}
}
