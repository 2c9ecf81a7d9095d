package fusetest

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Kind is a kind of operation that a hook is asked about.
type Kind int

// Kinds of operations.
const (
	Create  Kind = iota // of a file, or emptying one
	Write               // to a file
	Sync                // of a file, with or without its times
	Rename              // Op.Name is the new name
	Remove              // of a file
	SyncDir             // of a directory
)

// Op is an operation that is about to be done.
type Op struct {
	Kind   Kind
	Name   string // base name of the file or directory
	Offset int64  // of a write
	Bytes  int    // of a write
}

// Answer says what becomes of an operation. The zero Answer lets it pass.
type Answer struct {
	// Errno refuses it.
	Errno syscall.Errno
	// Short lets only so many bytes of a write pass, when it is not 0; the kernel is told how many.
	Short int
	// Until makes it wait first, until the channel is closed; nil does not.
	Until <-chan struct{}
}

// Hook is asked before each operation, from several goroutines at once.
type Hook func(Op) Answer

// FS is a mounted file system.
type FS struct {
	dir  string
	hook atomic.Pointer[Hook]
}

// Dir is where it is mounted: an empty directory at first.
func (f *FS) Dir() string { return f.dir }

// SetHook makes h the hook; nil lets everything pass.
func (f *FS) SetHook(h Hook) {
	if h == nil {
		f.hook.Store(nil)
		return
	}
	f.hook.Store(&h)
}

// ask waits as long as the hook says.
func (f *FS) ask(op Op) Answer {
	h := f.hook.Load()
	if h == nil {
		return Answer{}
	}
	a := (*h)(op)
	if a.Until != nil {
		<-a.Until
	}
	return a
}

// Mount makes a file system for t, which unmounts it at its end. Files in it must be closed by then. The process of the test must not map any of them
// into memory, as SQLite does: a page fault holds its goroutine where the collector waits for it, and nobody answers the fault any more.
func Mount(t testing.TB) *FS {
	t.Helper()
	demand(t)
	f := &FS{dir: t.TempDir()}
	root, err := newRoot(t.TempDir(), f)
	if err != nil {
		t.Fatal(err)
	}
	server, err := fs.Mount(f.dir, root, &fs.Options{MountOptions: fuse.MountOptions{
		FsName: "faults", DirectMountStrict: true, MaxWrite: 1 << 20, DisableXAttrs: true,
	}})
	if err != nil {
		refuse(t, "cannot mount: "+err.Error())
	}
	t.Cleanup(func() {
		f.SetHook(nil)
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
			_ = syscall.Unmount(f.dir, syscall.MNT_DETACH) // so that the directory can be removed
		}
		server.Wait()
	})
	return f
}

// demand skips t where the kernel has no FUSE.
func demand(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err == nil {
		return
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err == nil && !strings.Contains(string(known), "fuse") {
		t.Skip("skipped: this kernel has no FUSE: there is no /dev/fuse, and /proc/filesystems does not name it")
	}
	refuse(t, "there is no /dev/fuse, though the kernel knows FUSE")
}

// refuse skips t for a reason that somebody could do something about; with CI=true that is a failure.
func refuse(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip("skipped: " + reason)
}
