package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/wal"
)

// What CheckDataDir refuses is what Open refuses, in the same words, and it changes nothing.
func TestPreflight(t *testing.T) {
	const identity = `{"format":1,"node_id":"n2","cluster_id":"00112233445566778899aabbccddeeff","shards":4}`
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    error
	}{
		"missing":      {func(dir string) error { return os.Remove(dir) }, nil},
		"empty":        {nil, nil},
		"another node": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "node.json"), []byte(identity), 0o600) }, ErrDataDir},
		"damaged":      {func(dir string) error { return os.WriteFile(filepath.Join(dir, "node.json"), []byte("{"), 0o600) }, ErrDataDir},
		"not ours":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600) }, ErrDataDir},
		"no log": {func(dir string) error {
			mine := strings.ReplaceAll(identity, "n2", "n1")
			return errors.Join(os.WriteFile(filepath.Join(dir, "node.json"), []byte(mine), 0o600), os.Mkdir(filepath.Join(dir, "snapshots"), 0o750))
		}, wal.ErrCorrupt},
		"a file": {func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) }, ErrDataDir},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if c.prepare != nil {
				if err := c.prepare(dir); err != nil {
					t.Fatal(err)
				}
			}
			cfg := config(dir)
			before, _ := os.ReadDir(filepath.Dir(dir))
			_, err := CheckDataDir(cfg)
			if after, _ := os.ReadDir(filepath.Dir(dir)); len(after) != len(before) {
				t.Error("it made something")
			}
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("%v", err)
			}
			if c.want == nil {
				return
			}
			n, opened := Open(context.Background(), cfg)
			if opened == nil {
				t.Fatal(errors.Join(errors.New("it opened"), n.Close()))
			}
			if !strings.HasPrefix(opened.Error(), err.Error()) {
				t.Errorf("Open says %q", opened)
			}
		})
	}
}

// Open tells its steps in order; the directory it made has the identity that CheckDataDir reads; all actors have a pulse.
func TestOpeningIdentityAndPulse(t *testing.T) {
	var steps []string
	cfg := config(t.TempDir())
	cfg.Opening = func(step string) { steps = append(steps, step) }
	n := open(t, cfg)
	defer drain(t, n)
	if !slices.Contains(steps, "recovering the log") || steps[0] != "reading keys and certificate" {
		t.Errorf("%q", steps)
	}
	id, err := CheckDataDir(cfg)
	if err != nil || id.NodeID != "n1" || id.Shards != 4 || id.Format != dirFormat || id.ClusterID != n.id.ClusterID {
		t.Errorf("%+v, %v", id, err)
	}
	if err := n.Pulse(t.Context()); err != nil {
		t.Error(err)
	}
}
