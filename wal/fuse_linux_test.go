package wal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/wal"
	"holdfast/wal/fusetest"
)

// kernelFault is one fault that reaches the log through the kernel.
type kernelFault struct {
	name string
	// from is how many matching operations pass before the fault; those after it fail likewise when lasting is set.
	from    int32
	lasting bool
	matches func(fusetest.Op) bool
	answer  fusetest.Answer
	// next is the answer to the operations after the fault, if it is another one: to the rest of a short write.
	next *fusetest.Answer
	// stall is how long the operation hangs.
	stall time.Duration
	// cause must be what the log gives as the reason, and say what was being done. nil: the log goes on.
	cause error
	says  string
}

func onSegment(kind fusetest.Kind) func(fusetest.Op) bool {
	return func(op fusetest.Op) bool { return op.Kind == kind && strings.HasSuffix(op.Name, ".wal") }
}

func onPrepared(kind fusetest.Kind) func(fusetest.Op) bool {
	return func(op fusetest.Op) bool { return op.Kind == kind && strings.HasSuffix(op.Name, ".wal.tmp") }
}

func only(kind fusetest.Kind) func(fusetest.Op) bool {
	return func(op fusetest.Op) bool { return op.Kind == kind }
}

const (
	kernelStallWarn = 100 * time.Millisecond
	kernelStallExit = 600 * time.Millisecond
)

// A write that fails does so for good: the kernel may have split it, and tells of a part that failed only as of a short write.
var kernelFaults = []kernelFault{
	{name: "fsync fails", from: 150, matches: onSegment(fusetest.Sync), answer: fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "fsync of segment"},
	{name: "first fsync fails", matches: onSegment(fusetest.Sync), answer: fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "fsync of segment"},
	{name: "write fails", from: 150, lasting: true, matches: onSegment(fusetest.Write), answer: fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "write to segment"},
	{name: "disk full", from: 150, lasting: true, matches: only(fusetest.Write), answer: fusetest.Answer{Errno: syscall.ENOSPC}, cause: syscall.ENOSPC, says: "segment"},
	{name: "disk full in the middle of a write", from: 150, matches: onSegment(fusetest.Write), answer: fusetest.Answer{Short: 24},
		next: &fusetest.Answer{Errno: syscall.ENOSPC}, cause: syscall.ENOSPC, says: "write to segment"},
	{name: "write fails in the middle", from: 150, matches: onSegment(fusetest.Write), answer: fusetest.Answer{Short: 32},
		next: &fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "write to segment"},
	{name: "short write", from: 150, matches: onSegment(fusetest.Write), answer: fusetest.Answer{Short: 24}},
	{name: "disk full while a segment is prepared", from: 2, matches: onPrepared(fusetest.Write), answer: fusetest.Answer{Errno: syscall.ENOSPC}, cause: syscall.ENOSPC, says: "prepare segment"},
	{name: "fsync fails while a segment is prepared", from: 2, matches: onPrepared(fusetest.Sync), answer: fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "prepare segment"},
	{name: "a segment gets no name", from: 3, matches: onSegment(fusetest.Rename), answer: fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "segment"},
	{name: "fsync of the directory fails", from: 8, matches: only(fusetest.SyncDir), answer: fusetest.Answer{Errno: syscall.EIO}, cause: syscall.EIO, says: "segment"},
	{name: "read-only", from: 150, lasting: true, matches: func(op fusetest.Op) bool { return op.Kind != fusetest.Sync && op.Kind != fusetest.SyncDir },
		answer: fusetest.Answer{Errno: syscall.EROFS}, cause: syscall.EROFS, says: "read-only file system"},
	{name: "fsync stalls", from: 150, matches: onSegment(fusetest.Sync), stall: 2 * kernelStallExit, cause: wal.ErrStalled, says: "fsync takes over 600ms"},
	{name: "write stalls", from: 150, matches: onSegment(fusetest.Write), stall: 2 * kernelStallExit, cause: wal.ErrStalled, says: "write takes over 600ms"},
	{name: "fsync is slow", from: 150, matches: onSegment(fusetest.Sync), stall: kernelStallWarn * 2},
}

// TestFaultsThroughTheKernel lets the mixed workload meet one fault on a real mounted file system: the log fails for good
// with a reason that names it, never calls fsync again on that file, and holds all that was acknowledged when the fault
// is gone and it is opened again.
func TestFaultsThroughTheKernel(t *testing.T) {
	for _, f := range kernelFaults {
		t.Run(f.name, func(t *testing.T) {
			mounted := fusetest.Mount(t)
			dir := filepath.Join(mounted.Dir(), "wal")
			m := &kernelRound{kernelFault: f, t: t}
			l, fatals := m.open(dir)
			mounted.SetHook(m.hook)
			all := make([]played, mixedGroups)
			play(l, all, 1, 0, 600)
			m.judge(l, all, fatals)
			mounted.SetHook(nil)
			m.reopen(dir, all)
		})
	}
}

// kernelRound is one fault being played.
type kernelRound struct {
	kernelFault
	t    *testing.T
	log  lockedBuffer
	seen atomic.Int32

	mu     sync.Mutex // guards what follows
	failed string     // file that was hit
	after  int        // fsyncs of it afterwards
}

// open opens a log whose disk will be found slow soon, and counts what OnFatal is told.
func (m *kernelRound) open(dir string) (*wal.Log, chan error) {
	cfg, fatals := mixedConfig(dir), make(chan error, 10)
	cfg.StallWarn, cfg.StallExit = kernelStallWarn, 20*time.Second // only a fault that stalls may be one, however busy the machine is
	if m.stall > kernelStallExit {
		cfg.StallExit = kernelStallExit
	}
	cfg.OnFatal = func(err error) { fatals <- err }
	cfg.Logger = slog.New(slog.NewTextHandler(&m.log, nil))
	return open(m.t, cfg), fatals
}

func (m *kernelRound) hook(op fusetest.Op) fusetest.Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == op.Name && op.Kind == fusetest.Sync {
		m.after++
	}
	if !m.matches(op) {
		return fusetest.Answer{}
	}
	switch n := m.seen.Add(1) - 1; {
	case n < m.from:
		return fusetest.Answer{}
	case n == m.from:
		m.failed = op.Name
		a := m.answer
		if m.stall > 0 {
			until := make(chan struct{})
			time.AfterFunc(m.stall, func() { close(until) })
			a.Until = until
		}
		return a
	case m.next != nil:
		return *m.next
	case m.lasting:
		return m.answer
	}
	return fusetest.Answer{}
}

// judge looks at what the groups and OnFatal were told.
func (m *kernelRound) judge(l *wal.Log, all []played, fatals chan error) {
	t := m.t
	t.Helper()
	acked := 0
	for id, p := range all {
		acked += p.acked
		if m.cause == nil && p.err != nil {
			t.Errorf("group %d: %v", id, p.err)
		}
		if m.cause != nil && (!errors.Is(p.err, wal.ErrFailed) || !errors.Is(p.err, m.cause) || !strings.Contains(p.err.Error(), m.says)) {
			t.Errorf("group %d: %v; want %v with %q", id, p.err, m.cause, m.says)
		}
	}
	closed := l.Close()
	close(fatals)
	var told []error
	for err := range fatals {
		told = append(told, err)
	}
	if m.cause == nil {
		if len(told) > 0 || closed != nil {
			t.Errorf("OnFatal: %v; Close: %v", told, closed)
		}
	} else if len(told) != 1 || !errors.Is(told[0], m.cause) || !errors.Is(closed, m.cause) {
		t.Errorf("OnFatal: %v; Close: %v; want %v once", told, closed, m.cause)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == "" || acked == 0 && m.from > 0 {
		t.Errorf("the fault was met after %d operations and %d calls, by %q", m.seen.Load(), acked, m.failed)
	}
	if m.cause != nil && m.after > 0 {
		t.Errorf("%d fsyncs of %s after the failure", m.after, m.failed)
	}
	if m.stall > 0 && !strings.Contains(m.log.text(), "the log's disk is slow") {
		t.Errorf("nobody was warned: %s", m.log.text())
	}
}

// reopen expects everything acknowledged, and a log that works.
func (m *kernelRound) reopen(dir string, all []played) {
	for version := range uint32(2) {
		l, fatals := m.open(dir)
		settleAll(m.t, l, all)
		play(l, all, 2, (1+version)<<16, 50)
		for id, p := range all {
			if p.err != nil {
				m.t.Errorf("group %d: %v", id, p.err)
			}
		}
		closeLog(m.t, l)
		if len(fatals) > 0 {
			m.t.Error(<-fatals)
		}
	}
}

// lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestOpenOnAReadOnlyDisk expects Open to say why, and to change nothing.
func TestOpenOnAReadOnlyDisk(t *testing.T) {
	mounted := fusetest.Mount(t)
	dir := filepath.Join(mounted.Dir(), "wal")
	l := open(t, mixedConfig(dir))
	must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 50)))
	closeLog(t, l)
	before, err := os.ReadFile(filepath.Join(dir, "0000000000000001.wal"))
	must(t, err)
	mounted.SetHook(func(fusetest.Op) fusetest.Answer { return fusetest.Answer{Errno: syscall.EROFS} })
	if l, err := wal.Open(mixedConfig(dir)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Open: %v, %v", l, err)
	}
	mounted.SetHook(nil)
	after, err := os.ReadFile(filepath.Join(dir, "0000000000000001.wal"))
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the segment has changed")
	}
	l = open(t, mixedConfig(dir))
	want(t, l.Group(1), entries(1, 1, 3, 0, 50))
	closeLog(t, l)
}
