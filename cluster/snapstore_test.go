package cluster

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

var rewrite = flag.Bool("rewrite", false, "write golden files anew")

var (
	testCluster = [16]byte{1, 2, 3}
	testMembers = raft.Configuration{Servers: []raft.Server{{ID: "n1#1", Address: "127.0.0.1:8082"}}}
	discard     = slog.New(slog.DiscardHandler)
)

func testStore(t testing.TB, fsys FS) *snapshotStore {
	t.Helper()
	s, err := openSnapshotStore(fsys, "/data/snapshots", testCluster, 1, discard)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	return s
}

// put writes a snapshot; the error of the step that failed, if any.
func put(s *snapshotStore, index, term uint64, state string) error {
	sink, err := s.Create(1, index, term, testMembers, 1, nil)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(sink, state); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// state reads the newest snapshot.
func state(s *snapshotStore) (index uint64, content string, err error) {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return 0, "", err
	}
	meta, r, err := s.Open(list[0].ID)
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && int64(len(b)) != meta.Size {
		err = fmt.Errorf("%d bytes, Size says %d", len(b), meta.Size)
	}
	return meta.Index, string(b), err
}

func TestSnapshotRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, snapBlockBytes - 1, snapBlockBytes, snapBlockBytes + 1, 3*snapBlockBytes + 7} {
		fsys := newMemFS()
		want := strings.Repeat("abcdefg", size/7+1)[:size]
		if err := put(testStore(t, fsys), 12, 3, want); err != nil {
			t.Fatal(err)
		}
		s := testStore(t, fsys)
		index, got, err := state(s)
		if err != nil || index != 12 || got != want {
			t.Errorf("%d bytes: index %d, %d bytes, %v", size, index, len(got), err)
		}
		list, _ := s.List()
		if m := list[0]; m.Term != 3 || m.ConfigurationIndex != 1 || m.Configuration.Servers[0] != testMembers.Servers[0] {
			t.Errorf("meta %+v", m)
		}
	}
}

// Raft's own store offers every snapshot, newest first, and raft takes the next one when the first cannot be read: a flipped bit took state back
// from 1000 to 500 without an error.
func TestOnlyTheNewestSnapshotIsOffered(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	for _, index := range []uint64{500, 1000} {
		if err := put(s, index, 2, fmt.Sprint("state at ", index)); err != nil {
			t.Fatal(err)
		}
	}
	if names, _ := fsys.List(s.dir); len(names) != 1 {
		t.Errorf("the snapshot before was not removed: %v", names)
	}
	// Even when a crash left both.
	old := newMemFS()
	if err := put(testStore(t, old), 500, 2, "state at 500"); err != nil {
		t.Fatal(err)
	}
	for name, f := range old.entries {
		fsys.entries[name], fsys.durable[name] = f, f
	}
	s = testStore(t, fsys)
	if list, _ := s.List(); len(list) != 1 || list[0].Index != 1000 {
		t.Errorf("offered: %+v", list)
	}
	fsys.edit(filepath.Join(s.dir, snapName(1000, 2)), func(b []byte) []byte { b[len(b)-snapEndBytes-3] ^= 1; return b })
	if index, content, err := state(testStore(t, fsys)); !errors.Is(err, ErrSnapshotCorrupt) || index == 500 {
		t.Errorf("a damaged newest snapshot gives index %d %q, %v", index, content, err)
	}
}

func TestALateSnapshotIsRefused(t *testing.T) {
	s := testStore(t, newMemFS())
	if err := put(s, 1000, 2, "new"); err != nil {
		t.Fatal(err)
	}
	if err := put(s, 999, 2, "late"); err == nil {
		t.Error("a snapshot behind the newest was taken")
	}
	if err := put(s, 1000, 2, "again"); err != nil {
		t.Errorf("the same position again: %v", err)
	}
	if index, content, err := state(s); index != 1000 || content != "again" || err != nil {
		t.Errorf("%d %q %v", index, content, err)
	}
}

func TestEveryFlippedBitAndEveryTruncationIsNoticed(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	if err := put(s, 7, 2, "a state of some bytes"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, snapName(7, 2))
	whole := bytes.Clone(fsys.entries[path].content)
	try := func(what string, content []byte) {
		t.Helper()
		fsys.edit(path, func([]byte) []byte { return content })
		s, err := openSnapshotStore(fsys, "/data/snapshots", testCluster, 1, discard)
		if err == nil {
			_, _, err = state(s)
		}
		if !errors.Is(err, ErrSnapshotCorrupt) && !errors.Is(err, ErrSnapshotVersion) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the file is not named: %v", what, err)
		}
	}
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			try(fmt.Sprintf("bit %d of byte %d", bit, i), b)
		}
	}
	for n := range whole {
		try(fmt.Sprintf("cut to %d bytes", n), whole[:n])
	}
	try("a byte more", append(bytes.Clone(whole), 0))
}

// Blocks that are whole in themselves but not where they belong.
func TestMissingAndExchangedBlocksAreNoticed(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	if err := put(s, 7, 2, strings.Repeat("a", snapBlockBytes)+strings.Repeat("b", snapBlockBytes)+"c"); err != nil {
		t.Fatal(err)
	}
	path, at, n := filepath.Join(s.dir, snapName(7, 2)), s.latest().blocksAt, int64(snapBlockHeader+snapBlockBytes)
	whole := bytes.Clone(fsys.entries[path].content)
	for what, content := range map[string][]byte{
		"last gone": append(bytes.Clone(whole[:at+2*n]), whole[len(whole)-snapEndBytes:]...),
		"missing":   append(bytes.Clone(whole[:at]), whole[at+n:]...),
		"exchanged": bytes.Join([][]byte{whole[:at], whole[at+n : at+2*n], whole[at : at+n], whole[at+2*n:]}, nil),
	} {
		fsys.edit(path, func([]byte) []byte { return content })
		if _, _, err := state(testStore(t, fsys)); !errors.Is(err, ErrSnapshotCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestForeignSnapshotsAreRefused(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	if err := put(s, 7, 2, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := openSnapshotStore(fsys, "/data/snapshots", [16]byte{9}, 1, discard); !errors.Is(err, ErrSnapshotForeign) {
		t.Errorf("another cluster: %v", err)
	}
	_ = fsys.MkdirAll("/data/snapshots/shard-2")
	from := filepath.Join(s.dir, snapName(7, 2))
	fsys.entries["/data/snapshots/shard-2/"+snapName(7, 2)] = fsys.entries[from]
	if _, err := openSnapshotStore(fsys, "/data/snapshots", testCluster, 2, discard); !errors.Is(err, ErrSnapshotForeign) {
		t.Errorf("another shard: %v", err)
	}
	fsys.entries[filepath.Join(s.dir, snapName(8, 2))] = fsys.entries[from]
	if _, err := openSnapshotStore(fsys, "/data/snapshots", testCluster, 1, discard); !errors.Is(err, ErrSnapshotCorrupt) {
		t.Errorf("another name: %v", err)
	}
}

// The power is cut before each operation while a second snapshot replaces the first. Whatever the disk kept: one of the two is there, whole; the
// second, if Close had returned; and nothing is left over.
func TestPowerCutAtEveryStepOfASnapshot(t *testing.T) {
	steps := 0
	for failAt := 1; ; failAt++ {
		fsys := newMemFS()
		s := testStore(t, fsys)
		if err := put(s, 500, 2, "state at 500"); err != nil {
			t.Fatal(err)
		}
		before := fsys.steps
		fsys.failAt = before + failAt
		closed := put(s, 1000, 2, "state at 1000")
		for _, keep := range []bool{false, true} {
			after := fsys.crash(keep)
			reopened := testStore(t, after)
			index, content, err := state(reopened)
			if err != nil || content != fmt.Sprint("state at ", index) {
				t.Fatalf("step %d, keep %v: index %d %q, %v", failAt, keep, index, content, err)
			}
			if closed == nil && index != 1000 {
				t.Fatalf("step %d, keep %v: Close returned nil and index %d came back", failAt, keep, index)
			}
			for name := range after.entries {
				if strings.HasSuffix(name, snapTempSuffix) {
					t.Fatalf("step %d, keep %v: %s is left over", failAt, keep, name)
				}
			}
		}
		if fsys.steps < fsys.failAt {
			steps = fsys.steps - before
			break
		}
	}
	if steps < 6 {
		t.Errorf("only %d steps: create, write, sync, rename and two directory syncs were expected", steps)
	}
}

// The very first snapshot: the shard's directory is new too.
func TestPowerCutAroundTheFirstSnapshot(t *testing.T) {
	fsys := newMemFS()
	if err := put(testStore(t, fsys), 5, 2, "first"); err != nil {
		t.Fatal(err)
	}
	if index, content, err := state(testStore(t, fsys.crash(false))); index != 5 || content != "first" || err != nil {
		t.Errorf("after the crash: %d %q %v", index, content, err)
	}
}

func TestACancelledSnapshotIsGone(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	sink, err := s.Create(1, 5, 2, testMembers, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sink.Cancel(), sink.Cancel()); err != nil {
		t.Error(err)
	}
	if sink.Close() == nil {
		t.Error("Close after Cancel said nil")
	}
	if names, _ := fsys.List(s.dir); len(names) != 0 || s.latest() != nil {
		t.Errorf("left: %v", names)
	}
}

// One golden file a format version: a magic, a width or an order of fields cannot change unnoticed.
func TestGoldenSnapshot(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	s.cover(4096)
	if err := put(s, 258, 3, "golden"); err != nil {
		t.Fatal(err)
	}
	got := hex.Dump(fsys.entries[filepath.Join(s.dir, snapName(258, 3))].content)
	const golden = "testdata/snapshot-v1.hex"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the format changed:\n%s", got)
	}
}

func TestOSFileSystemKeepsSnapshots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "snapshots")
	s, err := openSnapshotStore(OS{}, dir, testCluster, 1, discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint64{3, 9} {
		if err := put(s, index, 1, fmt.Sprint("state at ", index)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = openSnapshotStore(OS{}, dir, testCluster, 1, discard); err != nil {
		t.Fatal(err)
	}
	if index, content, err := state(s); index != 9 || content != "state at 9" || err != nil {
		t.Errorf("%d %q %v", index, content, err)
	}
}

func TestReadSnapshotOffline(t *testing.T) {
	fsys := newMemFS()
	if r, index, err := ReadSnapshot(fsys, "/data/snapshots", 1); r != nil || index != 0 || err != nil {
		t.Errorf("without any: %v, %d, %v", r, index, err)
	}
	s := testStore(t, fsys)
	if err := put(s, 9, 2, "state"); err != nil {
		t.Fatal(err)
	}
	r, index, err := ReadSnapshot(fsys, "/data/snapshots", 1)
	if err != nil || index != 9 {
		t.Fatalf("index %d, %v", index, err)
	}
	if b, err := io.ReadAll(r); string(b) != "state" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	_ = r.Close()
	fsys.edit(filepath.Join(s.dir, snapName(9, 2)), func(b []byte) []byte { return b[:8] })
	if _, _, err := ReadSnapshot(fsys, "/data/snapshots", 1); !errors.Is(err, ErrSnapshotCorrupt) {
		t.Errorf("cut in its head: %v", err)
	}
	if _, _, err := ReadSnapshot(nil, t.TempDir(), 1); err != nil {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func FuzzSnapshotFile(f *testing.F) {
	fsys := newMemFS()
	s := testStore(f, fsys)
	if err := put(s, 7, 2, "a state of some bytes"); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(s.dir, snapName(7, 2))
	whole := fsys.entries[path].content
	f.Add(whole)
	f.Fuzz(func(t *testing.T, content []byte) {
		fsys := newMemFS()
		_ = fsys.MkdirAll(s.dir)
		fsys.entries[path] = &memFile{}
		fsys.edit(path, func([]byte) []byte { return content })
		opened, err := openSnapshotStore(fsys, "/data/snapshots", testCluster, 1, discard)
		if err == nil {
			_, _, err = state(opened)
		}
		if err != nil && !errors.Is(err, ErrSnapshotCorrupt) && !errors.Is(err, ErrSnapshotVersion) && !errors.Is(err, ErrSnapshotForeign) {
			t.Errorf("not named: %v", err)
		}
		if err == nil && len(content) < len(whole)-len("a state of some bytes") {
			t.Errorf("%d bytes passed for a snapshot", len(content))
		}
	})
}

func TestASnapshotWithAConfigurationThatRaftCannotDecode(t *testing.T) {
	fsys := newMemFS()
	s := testStore(t, fsys)
	meta := &snapMeta{Cluster: testCluster[:], Shard: 1, Index: 7, Term: 2, Members: []byte{0xC1}}
	head, err := appendHead(nil, meta)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, snapName(7, 2))
	fsys.entries[path] = &memFile{content: appendEnd(head, 0, 0)}
	if _, err := openSnapshotStore(fsys, "/data/snapshots", testCluster, 1, discard); !errors.Is(err, ErrSnapshotCorrupt) {
		t.Errorf("open: %v", err)
	}
}
