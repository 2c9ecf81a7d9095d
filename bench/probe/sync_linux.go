package probe

import (
	"errors"
	"os"
	"syscall"
)

// flush makes a file's content durable, and of its metadata only what is needed to read it.
func flush(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
