package inprocess

import (
	"time"

	"holdfast/wal"
)

// slowFS is the operating system's file system with fsyncs that take longer.
type slowFS struct {
	wal.OS
	delay time.Duration
}

var _ wal.FS = slowFS{}

// Open opens a file whose Sync takes longer.
func (s slowFS) Open(name string, mode wal.OpenMode) (wal.File, error) {
	f, err := s.OS.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return slowFile{f, s.delay}, nil
}

// SyncDir takes longer.
func (s slowFS) SyncDir(dir string) error {
	time.Sleep(s.delay)
	return s.OS.SyncDir(dir)
}

type slowFile struct {
	wal.File
	delay time.Duration
}

// Sync takes longer.
func (f slowFile) Sync() error {
	time.Sleep(f.delay)
	return f.File.Sync()
}
