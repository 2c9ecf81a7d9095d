package lint

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTree holds the house rules over the repository itself.
func TestTree(t *testing.T) {
	tree, err := Load(repositoryRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.files) == 0 || len(tree.texts) == len(tree.files) {
		t.Fatalf("read %d Go files and %d texts: not a repository", len(tree.files), len(tree.texts))
	}
	found := Check(tree)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range found {
				if f.Rule == r.name {
					t.Error(f)
				}
			}
		})
	}
}

// repositoryRoot returns the nearest directory upwards with a go.mod.
func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod upwards of the working directory")
		}
		dir = parent
	}
}

func TestLoadSkipsWhatIsNotOurs(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"stock/ledger.go":           "package stock\n",
		"stock/testdata/broken.go":  "not Go at all",
		".git/hooks/hook.go":        "not Go at all",
		".ci/run":                   "#!/bin/bash\n",
		"docs/page.md":              "# A page\n",
		"holdfast-data/wal/readme.": "bytes",
	} {
		writeFile(t, filepath.Join(root, name), text)
	}
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.files) != 1 || tree.files[0].path != "stock/ledger.go" || len(tree.texts) != 3 {
		t.Errorf("Go files %v, texts %v", tree.files, tree.texts)
	}
}

func TestLoadRefusesBrokenGo(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "stock/ledger.go"), "package")
	if _, err := Load(root); err == nil {
		t.Error("a file that does not parse was accepted")
	}
	if _, err := Load(filepath.Join(root, "absent")); err == nil {
		t.Error("a root that does not exist was accepted")
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
