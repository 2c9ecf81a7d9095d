package cluster

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is what the snapshot store needs of a file system. Names are paths in the manner of path/filepath.
type FS interface {
	// MkdirAll creates dir and its parents, durably.
	MkdirAll(dir string) error
	// List returns the base names of the files in dir, in any order.
	List(dir string) ([]string, error)
	// Create makes an empty file for writing, or empties the one that is there.
	Create(name string) (FileWriter, error)
	// Open opens an existing file. A missing one is fs.ErrNotExist in the sense of errors.Is.
	Open(name string) (FileReader, error)
	// Rename gives a file another name in the same directory, atomically, in place of the one that has it.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
}

// FileWriter is a file being written.
type FileWriter interface {
	io.WriteCloser
	// Sync makes what was written durable.
	Sync() error
}

// FileReader is a file being read.
type FileReader interface {
	io.ReaderAt
	io.Closer
	// Size returns the length in bytes.
	Size() (int64, error)
}

// OS is the operating system's file system.
type OS struct{}

var _ FS = OS{}

// MkdirAll creates dir and its missing parents and syncs the directory above each new one.
func (o OS) MkdirAll(dir string) error {
	if s, err := os.Stat(dir); err == nil && s.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return o.SyncDir(parent)
}

// List returns the base names of the files in dir.
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Create makes an empty file.
func (OS) Create(name string) (FileWriter, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
}

// Open opens a file for reading.
func (OS) Open(name string) (FileReader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return osReader{f}, nil
}

// Rename renames a file.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir syncs a directory.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type osReader struct{ *os.File }

// Size returns the length of the file.
func (r osReader) Size() (int64, error) {
	s, err := r.Stat()
	if err != nil {
		return 0, err
	}
	return s.Size(), nil
}
