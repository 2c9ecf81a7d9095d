//go:build unix

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is no regular file is refused at the start, when the log is looked for anew, which keeps the old file, and after a failure.
func TestRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	others := []string{pipe, link, dir, os.DevNull}
	for _, other := range others {
		l, err := Open(Config{Path: other})
		if l != nil || !errors.Is(err, ErrWrite) || !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), other) {
			t.Errorf("%s: %v", other, err)
		}
	}
	if err := CheckPath(filepath.Join(dir, "none")); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	path, kept := filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.log.old")
	l := open(t, Config{Path: path})
	if err := l.Write(Record{Event: Asked, RequestID: "r1"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(pipe, path); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); !errors.Is(err, ErrNotRegular) {
		t.Errorf("%v", err)
	}
	if err := l.Write(Record{Event: Asked, RequestID: "r2"}); err != nil || len(lines(t, kept)) != 2 {
		t.Errorf("the old file is not in force: %v", err)
	}
	l.mu.Lock()
	err := l.dropLocked()
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(Record{Event: Asked, RequestID: "r3"}); !errors.Is(err, ErrWrite) || !errors.Is(err, ErrNotRegular) {
		t.Errorf("after a failure: %v", err)
	}
}
