//go:build unix

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe may give the settings, and one that nobody writes into does not hold anybody.
func TestSettingsFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(pipe, sampleSchema()); !errors.Is(err, ErrFile) {
		t.Errorf("a pipe without a writer: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("node-id: n7\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Read(fmt.Sprint("/dev/fd/", r.Fd()), sampleSchema())
	if err != nil || got["node-id"].Text != "n7" {
		t.Errorf("%v %v", got, err)
	}
}
