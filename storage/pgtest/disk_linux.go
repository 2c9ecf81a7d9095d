package pgtest

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// SmallDisk mounts a file system of 4 MiB at a directory that the server may write, gone with the test, and returns what makes it 64 MiB. Who may
// not mount cannot have one, and the test is skipped.
func SmallDisk(t testing.TB, server *Server, dir string) (grow func()) {
	t.Helper()
	uid, gid := server.Owner()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("skipped: a small disk is mounted by root only: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
	}
}
