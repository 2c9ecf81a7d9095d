package pagetest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Part is a generated part of a page.
type Part struct {
	// Page is the page's file. The part stands between "<!-- Name begin -->" and "<!-- Name end -->", each on a line of its own.
	Page, Name string
	// Rewrite is the command that writes it anew.
	Rewrite string
}

// Hold fails the test when the part is not the wanted text, or writes it.
func (p Part) Hold(t testing.TB, want string, write bool) {
	t.Helper()
	text, err := os.ReadFile(p.Page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+p.Name+" begin -->\n", "<!-- "+p.Name+" end -->\n"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for %s", p.Page, p.Name)
	}
	File(t, p.Page, []byte(before+begin+want+end+after), write, p.Rewrite)
}

// File fails the test when a file is not the wanted text, or writes it.
func File(t testing.TB, name string, want []byte, write bool, rewrite string) {
	t.Helper()
	if write {
		Write(t, name, want)
		return
	}
	if text, err := os.ReadFile(name); err != nil {
		t.Errorf("%v: %s", err, rewrite)
	} else if string(text) != string(want) {
		t.Errorf("%s does not show what was measured: %s", name, rewrite)
	}
}

// Write writes a file, and its directory where there is none.
func Write(t testing.TB, name string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// WriteJSON writes a value as indented JSON.
func WriteJSON(t testing.TB, name string, v any) {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	Write(t, name, append(text, '\n'))
}
