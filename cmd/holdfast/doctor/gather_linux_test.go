package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/node"
	"holdfast/stock"
	"holdfast/wal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func onDir(dir string) *node.Config {
	c := node.DefaultConfig()
	c.DataDir, c.HTTP, c.Admin, c.Peer = dir, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return &c
}

// tree lists everything below a directory, with lengths and times.
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		stat, err := e.Info()
		all = append(all, fmt.Sprint(path, stat.Size(), stat.ModTime(), stat.Mode()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// makeNode makes the data directory of a node that has stopped.
func makeNode(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	n, err := node.Open(t.Context(), *onDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An examination changes nothing, not even a time, finds the log sound and reads its clock; while a node serves it names that process instead.
func TestExamineLeavesEverythingAsItWas(t *testing.T) {
	dir := makeNode(t)
	before := tree(t, filepath.Dir(dir))
	f := gather(t.Context(), &Config{Node: *onDir(dir), DiskTime: 200 * time.Millisecond})
	if after := tree(t, filepath.Dir(dir)); !slices.Equal(before, after) {
		t.Errorf("before %q\nafter %q", before, after)
	}
	if d := &f.contents; !d.read || d.readErr != nil || d.holder != 0 || d.last < stock.TimeOf(time.Now().Add(-time.Hour)) || d.identity.NodeID != "n1" {
		t.Errorf("%+v", d)
	}
	if f.fsync.count == 0 || f.fsync.p50 <= 0 || f.fsync.p99 < f.fsync.p50 || f.fsync.max < f.fsync.p99 || f.directory.write != nil {
		t.Errorf("%+v", f.fsync)
	}
	if f.machine.files == 0 || f.machine.memory == 0 || f.machine.backlog == 0 || !f.volume.known || f.volume.free <= 0 || !f.clock.known {
		t.Errorf("%+v %+v %+v", f.machine, f.volume, f.clock)
	}
	log, err := wal.Open(wal.Config{Dir: filepath.Join(dir, "wal"), ClusterID: clusterOf(t, dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	f = gather(t.Context(), &Config{Node: *onDir(dir), DiskTime: time.Millisecond})
	if d := &f.contents; d.read || d.holder != os.Getpid() || d.holderName == "" {
		t.Errorf("in use: %+v", d)
	}
}

func clusterOf(t *testing.T, dir string) (id [16]byte) {
	t.Helper()
	report, err := wal.Verify(nil, filepath.Join(dir, "wal"))
	if err != nil {
		t.Fatal(err)
	}
	return report.ClusterID
}

// A damaged log is found, and named.
func TestExamineFindsDamage(t *testing.T) {
	dir := makeNode(t)
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range segments {
		b, err := os.ReadFile(path)
		if err != nil || len(b) < 8192 {
			continue
		}
		b[4200] ^= 0x5a
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		break
	}
	if f := gatherContents(onDir(dir), false); !errors.Is(f.readErr, wal.ErrCorrupt) {
		t.Errorf("%+v", f)
	}
}

// Interrupted at any moment, an examination has left nothing.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	for _, after := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := Examine(ctx, Config{Node: *onDir(filepath.Join(dir, "data")), DiskTime: time.Minute})
		cancel()
		if !errors.Is(err, ErrInterrupted) || len(tree(t, dir)) != 1 {
			t.Errorf("after %v: %v, %q", after, err, tree(t, dir))
		}
	}
}

// Also where the file system cannot make a file without a name.
func TestUnnamed(t *testing.T) {
	dir := t.TempDir()
	f, err := unnamed(dir)
	if err != nil {
		t.Fatal(err)
	}
	if all := tree(t, dir); len(all) != 1 {
		t.Errorf("%q", all)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := unnamed(filepath.Join(dir, "none")); err == nil {
		t.Error("in a directory that is not there")
	}
}

func TestLookAt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d := lookAt(filepath.Join(dir, "a", "b")); d.exists || d.file || d.base != dir {
		t.Errorf("missing: %+v", d)
	}
	if d := lookAt(filepath.Join(file, "a")); d.exists || !d.file || d.base != dir {
		t.Errorf("in a file: %+v", d)
	}
	if d := lookAt(dir); !d.exists || d.base != dir || d.owner != os.Getuid() {
		t.Errorf("there: %+v", d)
	}
}

// A port that is taken shows its process; one address twice is found; nothing stays taken.
func TestPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := onDir(t.TempDir())
	c.HTTP, c.Peer = l.Addr().String(), "no-such-host.invalid:1"
	ports := gatherPorts(t.Context(), c)
	if p := ports[0]; !errors.Is(p.err, syscall.EADDRINUSE) || p.owner != os.Getpid() || p.ownerName == "" {
		t.Errorf("%+v", p)
	}
	if p := ports[1]; p.err != nil || p.number == 0 {
		t.Errorf("%+v", p)
	}
	if _, unknown := errors.AsType[*net.DNSError](ports[2].err); !unknown {
		t.Errorf("%+v", ports[2])
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c.Admin, c.Peer = c.HTTP, "127.0.0.1:0"
	for range 2 {
		if ports = gatherPorts(t.Context(), c); ports[0].err != nil || !errors.Is(ports[1].err, syscall.EADDRINUSE) {
			t.Errorf("%+v", ports)
		}
	}
}

func TestKernelTables(t *testing.T) {
	const locks = "1: POSIX  ADVISORY  WRITE 5 fe:00:42 0 EOF\n2: FLOCK  ADVISORY  READ 6 fe:00:42 0 EOF\n3: FLOCK  ADVISORY  WRITE 0 fe:00:142 0 EOF\n" +
		"4: FLOCK  ADVISORY  WRITE 999999999 fe:00:43 0 EOF\n"
	for inode, want := range map[uint64]int{42: 0, 142: -1, 43: 999999999, 3: 0} {
		if id, _ := lockIn(locks, inode); id != want {
			t.Errorf("inode %d: process %d", inode, id)
		}
	}
	const tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0\n" +
		"   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0\n"
	if got := listening(tcp, 8080); !slices.Equal(got, []string{"777"}) {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]float64{"200000 100000\n": 2, "max 100000\n": 0, "": 0, "1 0": 0, "50000 100000": 0.5} {
		if got := quotaOf(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got := fmt.Sprint(ranges("8080,9000-9010\n")); got != "[[8080 8080] [9000 9010]]" || ranges("\n") != nil {
		t.Error(got)
	}
	root := t.TempDir()
	for name, text := range map[string]string{"memory.max": "1073741824\n", "cpu.max": "max 100000\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var m machine
	if m.groups(root); m.memoryLimit != 1<<30 || m.quota != 0 {
		t.Errorf("%+v", m)
	}
	if !strings.HasPrefix(read("/proc/version"), "Linux") || read(root) != "" {
		t.Error("files of the kernel")
	}
}
