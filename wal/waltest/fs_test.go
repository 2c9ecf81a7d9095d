package waltest_test

import (
	"errors"
	"io"
	iofs "io/fs"
	"math/rand/v2"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, fs *waltest.FS, name, content string) wal.File {
	t.Helper()
	f, err := fs.Open(name, wal.Create)
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, err)
	return f
}

// crashes counts what a file is found to hold over many crashes; "-" is no file.
func crashes(fs *waltest.FS, name string) map[string]int {
	found := make(map[string]int)
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		left := fs.Crash(r)
		if content := left.ReadFile(name); content == nil {
			found["-"]++
		} else {
			found[string(content)]++
		}
	}
	return found
}

func TestCrash(t *testing.T) {
	fs := waltest.NewFS()
	f := create(t, fs, "/d/a", "synced")
	if found := crashes(fs, "/d/a"); found["-"] == 0 || found["synced"] == 0 || found[""] == 0 {
		t.Errorf("nothing synced: %v", found)
	}
	must(t, f.Sync())
	if found := crashes(fs, "/d/a"); found["-"] == 0 || found["synced"]+found["-"] != 1000 {
		t.Errorf("content synced: %v", found)
	}
	must(t, fs.SyncDir("/other"))
	if found := crashes(fs, "/d/a"); found["-"] == 0 {
		t.Errorf("another directory synced: %v", found)
	}
	must(t, fs.SyncDir("/d"))
	if found := crashes(fs, "/d/a"); found["synced"] != 1000 {
		t.Errorf("all synced: %v", found)
	}
	_, err := f.WriteAt([]byte("NEW"), 0)
	must(t, err)
	if found := crashes(fs, "/d/a"); found["synced"] == 0 || found["NEWced"] == 0 || found["NEnced"] == 0 || found["-"] != 0 {
		t.Errorf("written again: %v", found)
	}
	must(t, f.Sync())
	must(t, fs.Rename("/d/a", "/d/b"))
	if a, b := crashes(fs, "/d/a"), crashes(fs, "/d/b"); a["NEWced"] == 0 || b["NEWced"] == 0 || a["NEWced"]+b["NEWced"] != 1000 {
		t.Errorf("renamed: %v %v", a, b)
	}
	must(t, fs.SyncDir("/d"))
	must(t, fs.Remove("/d/b"))
	if found := crashes(fs, "/d/b"); found["NEWced"] == 0 || found["-"] == 0 {
		t.Errorf("removed: %v", found)
	}
	must(t, f.Close())
}

// TestNoCrashTakesExactlyOneBit tears a write whose bytes have one bit each, in front of zeros over older bytes.
func TestNoCrashTakesExactlyOneBit(t *testing.T) {
	fs := waltest.NewFS()
	f := create(t, fs, "/d/a", "\x00\x00\x00\x00old")
	must(t, f.Sync())
	must(t, fs.SyncDir("/d"))
	_, err := f.WriteAt([]byte("\x01\x02\x04\x08\x00\x00\x00"), 0)
	must(t, err)
	found := crashes(fs, "/d/a")
	for _, left := range []string{
		"\x00\x00\x00\x00old", "\x01\x00\x00\x00old", "\x01\x02\x00\x00old", "\x01\x02\x04\x08old", "\x01\x02\x04\x08\x00\x00\x00",
	} {
		if found[left] == 0 {
			t.Errorf("never %q", left)
		}
	}
	if n := found["\x01\x02\x04\x00old"]; n > 0 {
		t.Errorf("%d crashes took one bit", n)
	}
}

func TestAllocatedRoomIsDurableAfterSync(t *testing.T) {
	fs := waltest.NewFS()
	f, err := fs.Open("/d/a", wal.Create)
	must(t, err)
	must(t, fs.SyncDir("/d"))
	must(t, f.Allocate(3))
	if found := crashes(fs, "/d/a"); found[""] == 0 || found["\x00\x00\x00"] == 0 || len(found) != 2 {
		t.Errorf("not synced: %v", found)
	}
	must(t, f.Sync())
	if found := crashes(fs, "/d/a"); found["\x00\x00\x00"] != 1000 {
		t.Errorf("synced: %v", found)
	}
}

func TestKillKeepsWhatWasWrittenUntilThePowerGoes(t *testing.T) {
	fs := waltest.NewFS()
	f := create(t, fs, "/d/a", "old")
	must(t, f.Sync())
	must(t, fs.SyncDir("/d"))
	_, err := f.WriteAt([]byte("new"), 0)
	must(t, err)
	killed := fs.Kill()
	must(t, f.Sync()) // of the original alone
	if string(killed.ReadFile("/d/a")) != "new" {
		t.Error("the killed process's write is gone")
	}
	if found := crashes(killed, "/d/a"); found["old"] == 0 || found["new"] == 0 {
		t.Errorf("a power cut after the kill: %v", found)
	}
	if found := crashes(fs, "/d/a"); found["new"] != 1000 {
		t.Errorf("the original: %v", found)
	}
	if found := crashes(killed.Clone(), "/d/a"); found["new"] != 1000 {
		t.Errorf("the clone: %v", found)
	}
}

func TestFiles(t *testing.T) {
	fs := waltest.NewFS()
	if _, err := fs.Open("/d/none", wal.ReadWrite); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	f := create(t, fs, "/d/a", "0123456789")
	p := make([]byte, 4)
	if n, err := f.ReadAt(p, 8); n != 2 || err != io.EOF {
		t.Errorf("a read over the end: %d, %v", n, err)
	}
	ro, err := fs.Open("/d/a", wal.ReadOnly)
	must(t, err)
	if _, err := ro.WriteAt(p, 0); !errors.Is(err, iofs.ErrPermission) {
		t.Errorf("a write to a file opened for reading: %v", err)
	}
	must(t, f.Close())
	if _, err := f.ReadAt(p, 0); !errors.Is(err, iofs.ErrClosed) {
		t.Errorf("a read after Close: %v", err)
	}
	lock, err := fs.Lock("/d/LOCK")
	must(t, err)
	if _, err := fs.Lock("/d/LOCK"); !errors.Is(err, wal.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	must(t, lock.Close())
	_, err = fs.Lock("/d/LOCK")
	must(t, err)
	broken := errors.New("broken")
	fs.SetHook(func(op waltest.Op) error {
		if op.Kind == waltest.OpRead && op.Name == "/d/a" && op.Offset == 3 && op.Bytes == 4 {
			return broken
		}
		return nil
	})
	if _, err := ro.ReadAt(p, 3); !errors.Is(err, broken) {
		t.Errorf("the hook's error: %v", err)
	}
}
