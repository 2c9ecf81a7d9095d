package wal_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/wal"
)

var soakTime = flag.Duration("soak", 3*time.Second, "how long TestSoak runs; 10m for acceptance")

// Bounds of the soak. What is dead is at most twice what makes a pass of rewriting begin (relief.go): the greater of
// DeadBytes and what lives; the segments besides are the active one, those prepared or being removed, and what the others
// lose at their ends.
const (
	soakRounds     = 10 // the log is closed, verified and opened between them
	soakSegments   = 12
	soakHeapBytes  = 8 << 20
	soakGoroutines = mixedGroups + 8
)

// TestSoak appends, truncates, rewrites and reads for a long time, and holds what the log uses to its bounds: bytes on
// disk, heap, file descriptors, goroutines.
func TestSoak(t *testing.T) {
	s := &soak{t: t, dir: t.TempDir(), all: make([]played, mixedGroups), seed: rand.Uint64()}
	s.files, s.goroutines, s.heap = openFiles(), runtime.NumGoroutine(), liveHeap()
	for n := range soakRounds {
		if t.Failed() {
			break
		}
		s.round(uint64(n), *soakTime/soakRounds)
	}
	t.Logf("seed %d: %v: %d calls, %d entries read and compared, %d MiB appended, %d MiB rewritten forward; at most %d KiB live, %d KiB on disk, "+
		"%d KiB of heap, %d files, %d goroutines more than before", s.seed, *soakTime, s.calls.Load(), s.reads.Load(), s.appended>>20, s.rewritten>>20,
		s.most.live>>10, s.most.disk>>10, s.most.heap>>10, s.most.files, s.most.goroutines)
	if s.calls.Load() == 0 || s.reads.Load() == 0 || s.rewritten == 0 {
		t.Error("it did not do all that it is for")
	}
}

// usage is what a log uses, above what the process used before.
type usage struct {
	live, disk, heap  int64
	files, goroutines int
}

type soak struct {
	t          *testing.T
	dir        string
	seed       uint64
	all        []played
	files      int
	goroutines int
	heap       int64

	calls, reads        atomic.Int64
	appended, rewritten int64
	most                usage
}

// round opens the log, compares, works on it and closes it; then what is on the disk must be sound.
func (s *soak) round(n uint64, d time.Duration) {
	cfg := mixedConfig(s.dir)
	cfg.StallExit = time.Minute // how quick the disk is, is not what is tested
	l := open(s.t, cfg)
	settleAll(s.t, l, s.all)
	var wait sync.WaitGroup
	end := time.Now().Add(d)
	for id := range s.all {
		wait.Go(func() { s.work(l.Group(uint32(id)), &s.all[id], s.seed+n, uint32(n)<<28, end) })
	}
	for every := time.NewTicker(max(d/200, 20*time.Millisecond)); time.Now().Before(end) && !s.t.Failed(); <-every.C {
		s.measure(l)
	}
	wait.Wait()
	s.appended, s.rewritten = s.appended+l.Space().Appended, s.rewritten+l.Space().Rewritten
	closeLog(s.t, l)
	if report, err := wal.Verify(wal.OS{}, s.dir); err != nil || report.TornTail != nil {
		s.t.Errorf("round %d: %+v, %v", n, report, err)
	}
}

// work drives one group until the end, and reads as it goes.
func (s *soak) work(g *wal.Group, p *played, seed uint64, version uint32, end time.Time) {
	m := newMixer(g.ID(), seed, p.holding, version)
	for time.Now().Before(end) && !s.t.Failed() {
		c := m.choose()
		if err := c.do(g); err != nil {
			s.t.Errorf("group %d: %v", g.ID(), err)
			return
		}
		s.calls.Add(1)
		m.holding = m.after(c, c.count)
		if live := len(m.versions); live > 0 && m.r.IntN(4) == 0 {
			i := m.r.IntN(live)
			if d := m.entryDiffers(g, m.first+uint64(i), m.versions[i]); d != "" {
				s.t.Errorf("group %d: %s", g.ID(), d)
				return
			}
			s.reads.Add(1)
		}
	}
	p.holding = m.holding
}

// measure holds what is used now to the bounds.
func (s *soak) measure(l *wal.Log) {
	now := usage{live: l.Space().LiveBytes, disk: directoryBytes(s.t, s.dir), heap: liveHeap() - s.heap,
		files: openFiles() - s.files, goroutines: runtime.NumGoroutine() - s.goroutines}
	m := &s.most
	m.live, m.disk, m.heap = max(m.live, now.live), max(m.disk, now.disk), max(m.heap, now.heap)
	m.files, m.goroutines = max(m.files, now.files), max(m.goroutines, now.goroutines)
	bound := m.live + 2*max(m.live, mixedSegment) + soakSegments*mixedSegment
	if now.disk > bound || l.DiskBytes() > bound {
		s.t.Errorf("%d bytes on disk, or %d as the log says, with at most %d live: more than %d", now.disk, l.DiskBytes(), m.live, bound)
	}
	if files := int(bound/mixedSegment) + 4; now.files > files { // the lock, a directory being synced, one being listed
		s.t.Errorf("%d files open, more than %d", now.files, files)
	}
	if now.heap > soakHeapBytes {
		s.t.Errorf("%d bytes of heap, more than %d", now.heap, soakHeapBytes)
	}
	if now.goroutines > soakGoroutines {
		s.t.Errorf("%d goroutines, more than %d", now.goroutines, soakGoroutines)
	}
}

// liveHeap is the heap that is in use after a collection.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// openFiles counts this process's file descriptors; 0 where the system does not say.
func openFiles() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all)
}

// directoryBytes is the length of all files of a log that is in use.
func directoryBytes(t *testing.T, dir string) (sum int64) {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range all {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && strings.Contains(e.Name(), ".wal") { // else renamed or removed meanwhile
			sum += info.Size()
		}
	}
	return sum
}
