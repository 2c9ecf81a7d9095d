package wal

import (
	"os"
	"syscall"
)

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
