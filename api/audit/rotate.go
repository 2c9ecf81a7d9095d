package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// rotateLocked makes the file the youngest of its predecessors. The oldest goes. A line that follows opens the file anew.
func (l *Log) rotateLocked() error {
	if err := l.dropLocked(); err != nil {
		return err
	}
	for n := l.cfg.Files - 1; n > 0; n-- {
		if err := os.Rename(l.name(n-1), l.name(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	l.metrics.rotations.Inc()
	return nil
}

// name returns the name of the file n rotations back.
func (l *Log) name(n int) string {
	if n == 0 {
		return l.cfg.Path
	}
	return fmt.Sprintf("%s.%d", l.cfg.Path, n)
}
