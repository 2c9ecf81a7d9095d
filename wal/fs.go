package wal

import "io"

// OpenMode says how FS.Open opens a file.
type OpenMode int

const (
	// ReadOnly opens an existing file for ReadAt.
	ReadOnly OpenMode = iota
	// ReadWrite opens an existing file for ReadAt and WriteAt.
	ReadWrite
	// Create makes an empty file for ReadAt and WriteAt, or empties the one that is there.
	Create
)

// Directory is what the log needs of directories. Names are paths in the manner of path/filepath.
type Directory interface {
	// MkdirAll creates dir and its parents, durably.
	MkdirAll(dir string) error
	// List returns the base names of the files in dir, in any order.
	List(dir string) ([]string, error)
	// Rename gives a file another name in the same directory, atomically.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
}

// FS is the file system under the log. The real one is OS; waltest has one in memory on which crashes can be played.
type FS interface {
	Directory
	// Open opens or creates a file. A missing file is fs.ErrNotExist in the sense of errors.Is.
	Open(name string, mode OpenMode) (File, error)
	// Lock takes the exclusive lock of that name, creating its file, until the returned closer is closed.
	// It returns ErrLocked at once when another holds it.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Size returns the length in bytes.
	Size() (int64, error)
	// Allocate gives an empty file a length: it reads as zeros, and writing to it needs no more room. A file system that
	// cannot do so returns errors.ErrUnsupported, in the sense of errors.Is, and changes nothing.
	Allocate(size int64) error
	// Sync makes the content and the length durable. After an error nothing is known about the file.
	Sync() error
	Close() error
}
