package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/wal"
)

// lostLog refuses a directory that has served and has no log any more: wal/ was deleted, or is a disk that is not mounted. On an empty log the
// node would know of no order and sell every unit again. The first segment is durable before snapshots/ and the database are made, so a first
// start that was cut short is not taken for it.
func lostLog(dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, "wal"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".wal") }) {
		return nil
	}
	for _, later := range []string{"snapshots", "orders.db"} {
		switch _, err := os.Stat(filepath.Join(dir, later)); {
		case err == nil:
			return fmt.Errorf("node: data directory %s has %s and no log: wal/ was deleted, or its disk is not mounted; nothing was changed: bring wal/ "+
				"back, or restore the directory from a copy: %w", dir, later, wal.ErrCorrupt)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", ErrDataDir, err)
		}
	}
	return nil
}
