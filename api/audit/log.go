package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Log is the audit log. Its methods may be called concurrently.
type Log struct {
	cfg     Config
	metrics *metrics

	mu     sync.Mutex // guards what follows, and the files
	file   *os.File   // nil after a failure, until the next line
	size   int64
	pace   pace
	closed bool
}

// Open opens the log, which is made when missing and continued when not. The error wraps ErrConfig or ErrWrite, the latter also ErrNotRegular when
// that is why, or is the registerer's.
func Open(cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, pace: newPace(cfg.Now())}
	if l.metrics, err = newMetrics(cfg.Registerer); err != nil {
		return nil, fmt.Errorf("audit: register metrics: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.openLocked(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return l, nil
}

// CheckPath returns an error that wraps ErrNotRegular when what stands at a path is no regular file; when nothing stands there a log can be made. A
// write to a pipe that nobody reads, or to a device, could take as long as it likes, and all changes with it.
func CheckPath(path string) error {
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return regular(path, stat)
}

func regular(path string, stat fs.FileInfo) error {
	if !stat.Mode().IsRegular() {
		return fmt.Errorf("%w: %s", ErrNotRegular, path)
	}
	return nil
}

// openLocked opens the file at its end. What a crash left there of a line is ended, so that the next line is whole.
func (l *Log) openLocked() error {
	// To open a pipe or a device may already do something, so it is looked at before, and again once it cannot be another.
	if err := CheckPath(l.cfg.Path); err != nil {
		return err
	}
	f, err := os.OpenFile(l.cfg.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := endLine(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, size
	return nil
}

func endLine(f *os.File) (size int64, err error) {
	stat, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if err := regular(f.Name(), stat); err != nil || stat.Size() == 0 {
		return 0, err
	}
	size = stat.Size()
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil || last[0] == '\n' {
		return size, err
	}
	n, err := f.Write([]byte{'\n'})
	return size + int64(n), err
}

// Write writes one line and syncs it. The error wraps ErrWrite or ErrClosed; the line may be there all the same.
func (l *Log) Write(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeLocked(r, true)
}

// Refuse writes the line of a call that was turned away, unless there were too many of those lately; such are counted, and the next line tells. It
// is not synced, and a failure is only logged and counted: the caller is turned away all the same.
func (l *Log) Refuse(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.pace.take(l.cfg.Now()) {
		l.pace.omitted++
		l.metrics.omitted.Inc()
		return
	}
	r.Event, r.Omitted = Refused, l.pace.omitted
	if l.writeLocked(r, false) == nil {
		l.pace.omitted = 0
	}
}

func (l *Log) writeLocked(r Record, sync bool) error {
	if l.closed {
		return ErrClosed
	}
	err := l.appendLocked(r, sync)
	if err == nil {
		l.metrics.lines.Inc()
		return nil
	}
	l.metrics.failures.Inc()
	l.cfg.Logger.Error("the audit log cannot be written: changes are refused until it can", "path", l.cfg.Path, "request_id", r.RequestID,
		"key_name", r.KeyName, "route", r.Route, "event", string(r.Event), "status", r.Status, "error", err)
	return fmt.Errorf("%w: %w", ErrWrite, errors.Join(err, l.dropLocked()))
}

func (l *Log) appendLocked(r Record, sync bool) error {
	line, err := r.line()
	if err != nil {
		return err
	}
	if l.file != nil && l.size > 0 && l.size+int64(len(line)) > l.cfg.FileBytes {
		if err := l.rotateLocked(); err != nil {
			return err
		}
	}
	if l.file == nil {
		if err := l.openLocked(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if err == nil && sync {
		err = l.file.Sync()
	}
	return err
}

// dropLocked lets go of the file; the next line opens it anew.
func (l *Log) dropLocked() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file, l.size = nil, 0
	return f.Close()
}

// Reopen lets go of the file, so that the next line goes to what stands under its name then. When that is no regular file the old one is kept, and
// the error wraps ErrNotRegular.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := CheckPath(l.cfg.Path); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return l.dropLocked()
}

// Close closes the log. It may be called more than once.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.dropLocked()
}
