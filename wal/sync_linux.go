package wal

import (
	"os"
	"syscall"
)

// allocate is fallocate.
func allocate(f *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
}

// syncContent is fdatasync: the length is included, the times are not. An interrupted call has done nothing and is the
// only one that may be made again.
func syncContent(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
