package audit

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrConfig is returned by Open when there is no path or a bound is too small.
	ErrConfig = errors.New("audit: configuration")
	// ErrWrite is returned when a line is not on disk.
	ErrWrite = errors.New("audit: write")
	// ErrNotRegular is returned when the path is something else than a file, such as a pipe, a device or a directory.
	ErrNotRegular = errors.New("audit: not a regular file")
	// ErrClosed is returned by Write after Close.
	ErrClosed = errors.New("audit: closed")
)

// The defaults of Config.
const (
	DefaultFileBytes = 16 << 20
	DefaultFiles     = 10
)

// Config says where the log is and how large it may grow. Zero bounds take their defaults.
type Config struct {
	// Path is the file that is written to; its predecessors are Path.1, the youngest, to Path.N.
	Path string
	// FileBytes bounds a file, Files how many there are, Path itself counted; at least 2.
	FileBytes int64
	Files     int
	// Registerer takes the metrics; nil: none.
	Registerer prometheus.Registerer
	// Logger takes what is wrong with the log; nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock of the limit on refusals; nil: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.FileBytes == 0 {
		c.FileBytes = DefaultFileBytes
	}
	if c.Files == 0 {
		c.Files = DefaultFiles
	}
	if c.Path == "" || c.FileBytes < 1 || c.Files < 2 {
		return c, errors.Join(ErrConfig, errors.New("a path, at least 1 byte a file and at least 2 files are needed"))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
