package wal_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/wal"
)

// TestAPipeIsNoSegment expects a pipe under a segment's name to be refused, rather than waited for.
func TestAPipeIsNoSegment(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, filepath.Base(firstSegment)), 0o600); err != nil {
		t.Skip("no pipes here:", err)
	}
	if _, err := wal.Verify(nil, dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Verify: %v", err)
	}
	cfg := small(nil)
	cfg.Dir = dir
	if _, err := wal.Open(cfg); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Open: %v", err)
	}
}
