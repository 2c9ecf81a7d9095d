package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"holdfast/api/client"
	"holdfast/internal/badinputtest"
	"holdfast/wal"
)

// damaged is a data directory that somebody did something to.
type damaged struct {
	t   *testing.T
	cfg Config
}

// newDamaged returns the directory of a node that sold something and was stopped, in segments as small as they may be.
func newDamaged(t *testing.T) *damaged {
	t.Helper()
	return soldIn(t, filepath.Join(t.TempDir(), "data"))
}

func soldIn(t *testing.T, dir string) *damaged {
	t.Helper()
	d := &damaged{t, config(dir)}
	d.cfg.WALSegmentBytes = 16 << 10
	n := open(t, d.cfg)
	c := n.client(t)
	if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1000}); err != nil {
		t.Fatal(err)
	}
	user := strings.Repeat("u", 128)
	for i := range 150 { // one after the other: each is a batch of its own in the log
		if _, err := c.PlaceOrder(t.Context(), fmt.Sprint("k", i), client.NewOrder{SKU: "shoe", User: user}); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, n)
	if used := d.used(); len(used) < 3 {
		t.Fatalf("a log of %d segments has no middle", len(used))
	}
	return d
}

// prepare starts the node and ends it until its log has a segment in reserve, which else the next start would make.
func (d *damaged) prepare() {
	d.t.Helper()
	for range 20 {
		if all, err := filepath.Glob(filepath.Join(d.cfg.DataDir, "wal", "*.wal")); err != nil || len(all) > len(d.used()) {
			return
		}
		drain(d.t, open(d.t, d.cfg))
	}
	d.t.Fatal("no end of a node's life leaves a segment in reserve")
}

// change flips a bit of a file, which is named from the data directory, negative offsets counting from its end.
func (d *damaged) change(name string, at int64) {
	d.t.Helper()
	path := filepath.Join(d.cfg.DataDir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	if at < 0 {
		at += int64(len(b))
	}
	b[at] ^= 0x10
	d.write(name, string(b))
}

func (d *damaged) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.cfg.DataDir, name), []byte(text), 0o640); err != nil {
		d.t.Fatal(err)
	}
}

// edit replaces a part of a file.
func (d *damaged) edit(name, pattern, with string) {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.cfg.DataDir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	text := regexp.MustCompile(pattern).ReplaceAllString(string(b), with)
	if text == string(b) {
		d.t.Fatalf("%s does not hold %s", name, pattern)
	}
	d.write(name, text)
}

// used returns the segments that hold something: one more is prepared, and empty.
func (d *damaged) used() []wal.SegmentReport {
	d.t.Helper()
	report, err := wal.Verify(nil, filepath.Join(d.cfg.DataDir, "wal"))
	if err != nil {
		d.t.Fatal(err)
	}
	return slices.DeleteFunc(report.Segments, func(s wal.SegmentReport) bool { return s.Batches == 0 })
}

// files lists all there is, with its length, to see that a refused start changed nothing.
func (d *damaged) files() (list string) {
	d.t.Helper()
	err := filepath.WalkDir(d.cfg.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := e.Info()
		if err != nil {
			return err
		}
		list += fmt.Sprintln(path, f.Size())
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// unusable prepares a directory by hand.
func unusable(t *testing.T, prepare func(d *damaged)) *damaged {
	t.Helper()
	d := &damaged{t, config(filepath.Join(t.TempDir(), "data"))}
	if err := os.Mkdir(d.cfg.DataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	prepare(d)
	return d
}

func identityText(format int, node string) string {
	return fmt.Sprintf(`{"format":%d,"node_id":"%s","cluster_id":"00112233445566778899aabbccddeeff","shards":4}`, format, node)
}

// What is wrong on disk is refused before anything serves, with its exit code, the place and the way out; a torn tail is cut, and said.
func TestBadInputOnDisk(t *testing.T) {
	cases := map[string]func(t *testing.T) *damaged{
		"dir-of-another-node": func(t *testing.T) *damaged {
			return unusable(t, func(d *damaged) { d.write("node.json", identityText(1, "n2")) })
		},
		"dir-of-a-newer-format": func(t *testing.T) *damaged {
			return unusable(t, func(d *damaged) { d.write("node.json", identityText(dirFormat+1, "n1")) })
		},
		"dir-with-a-damaged-identity": func(t *testing.T) *damaged { return unusable(t, func(d *damaged) { d.write("node.json", "{") }) },
		"dir-of-something-else":       func(t *testing.T) *damaged { return unusable(t, func(d *damaged) { d.write("thesis.txt", "") }) },
		"dir-is-a-file": func(t *testing.T) *damaged {
			return unusable(t, func(d *damaged) { d.cfg.DataDir = filepath.Join(d.cfg.DataDir, "file"); d.writeFile() })
		},
		"dir-of-another-cluster": func(t *testing.T) *damaged {
			d := newDamaged(t)
			d.edit("node.json", `"cluster_id": "[0-9a-f]+"`, `"cluster_id": "00112233445566778899aabbccddeeff"`)
			return d
		},
		"dir-read-only": readOnly, "dir-full": full,
		"log-flipped-in-the-middle": func(t *testing.T) *damaged {
			d := newDamaged(t)
			d.change(filepath.Join("wal", d.used()[0].Name), 9000)
			return d
		},
		"log-without-a-segment": func(t *testing.T) *damaged {
			d := newDamaged(t)
			if err := os.Remove(filepath.Join(d.cfg.DataDir, "wal", d.used()[1].Name)); err != nil {
				t.Fatal(err)
			}
			return d
		},
		"log-gone": func(t *testing.T) *damaged {
			d := newDamaged(t)
			if err := os.RemoveAll(filepath.Join(d.cfg.DataDir, "wal")); err != nil {
				t.Fatal(err)
			}
			return d
		},
		"log-shortened": func(t *testing.T) *damaged {
			d := newDamaged(t)
			if err := os.Truncate(filepath.Join(d.cfg.DataDir, "wal", d.used()[0].Name), 20_000); err != nil {
				t.Fatal(err)
			}
			return d
		},
		"snapshot-flipped": snapshotFlipped,
	}
	list := []badinputtest.Case{{ID: "log-torn-at-its-end", Do: tornTail}, {ID: "dir-in-use", Do: inUse}}
	for id, prepare := range cases {
		list = append(list, badinputtest.Case{ID: id, Do: func(t *testing.T, r badinputtest.Row) { prepare(t).refused(r) }})
	}
	badinputtest.Run(t, "node start", list)
}

func (d *damaged) writeFile() {
	d.t.Helper()
	if err := os.WriteFile(d.cfg.DataDir, nil, 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// refused starts the node, which must say what the row says and leave everything as it is.
func (d *damaged) refused(r badinputtest.Row) {
	d.t.Helper()
	before := d.files()
	n, err := Open(context.Background(), d.cfg)
	if err == nil {
		d.t.Fatal(errors.Join(errors.New("it starts"), n.Close()))
	}
	if ExitCode(err) != r.Exit {
		d.t.Errorf("exit code %d: %v", ExitCode(err), err)
	}
	for _, said := range r.Says {
		if !strings.Contains(err.Error(), said) {
			d.t.Errorf("it does not say %q: %v", said, err)
		}
	}
	if after := d.files(); after != before && r.ID != "dir-full" {
		d.t.Errorf("it changed the directory from\n%s\nto\n%s", before, after)
	}
}

func inUse(t *testing.T, r badinputtest.Row) {
	cfg := config(t.TempDir())
	n := open(t, cfg)
	defer drain(t, n)
	_, err := Open(context.Background(), cfg)
	if ExitCode(err) != r.Exit || !strings.Contains(err.Error(), r.Says[0]) {
		t.Errorf("exit code %d: %v", ExitCode(err), err)
	}
	if _, err := n.client(t).CreateSKU(t.Context(), client.SKUSpec{SKU: "shoe", Stock: 1}); err != nil {
		t.Errorf("the first one does not go on: %v", err)
	}
}

// lines is a log that a test reads while it is written.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) holds(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// tornTail: the last batch was never whole, as after a power cut. The node cuts it, says where, and sells on.
func tornTail(t *testing.T, r badinputtest.Row) {
	d := newDamaged(t)
	used := d.used()
	last := used[len(used)-1]
	f, err := os.OpenFile(filepath.Join(d.cfg.DataDir, "wal", last.Name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 24), last.UsedBytes-24)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	var log lines
	d.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	n := open(t, d.cfg)
	defer drain(t, n)
	if !log.holds(r.Says[0]) || !log.holds(last.Name) {
		t.Error("the log does not say so")
	}
	if len(crowd(t, n.client(t), "shoe", "b", 50)) != 50 {
		t.Error("not all were accepted afterwards")
	}
}

func snapshotFlipped(t *testing.T) *damaged {
	d := newDamaged(t)
	n := open(t, d.cfg)
	shard, _ := n.cluster.Locate("shoe")
	if _, _, err := n.cluster.Shard(shard).Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	drain(t, n)
	d.prepare()
	found, err := filepath.Glob(filepath.Join(d.cfg.DataDir, "snapshots", fmt.Sprintf("shard-%d", shard), "*.snap"))
	if err != nil || len(found) == 0 {
		t.Fatalf("%q %v", found, err)
	}
	name, err := filepath.Rel(d.cfg.DataDir, found[len(found)-1])
	if err != nil {
		t.Fatal(err)
	}
	d.change(name, -200)
	return d
}

// mount mounts a file system of its own at dir, gone with the test. Who may not mount cannot have one.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skipf("skipped: a disk of one's own takes root: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// readOnly is a directory of a file system that was mounted read-only after a sale: root may write into any other.
func readOnly(t *testing.T) *damaged {
	disk := t.TempDir()
	mount(t, disk, "size=64m")
	d := soldIn(t, filepath.Join(disk, "data"))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return d
}

func full(t *testing.T) *damaged {
	disk := t.TempDir()
	mount(t, disk, "size=1m")
	d := &damaged{t, config(filepath.Join(disk, "data"))}
	if err := os.Mkdir(d.cfg.DataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}
