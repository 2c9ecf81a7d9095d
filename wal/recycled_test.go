package wal_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// samples are logs with everything in them: of files used for the first time, of files that hold all kinds of frames of
// earlier uses behind what they are used for now, and of the first format version.
func samples(t testing.TB) map[string]*waltest.FS {
	t.Helper()
	fresh := sample(t)
	old := fresh.Clone()
	for _, name := range segmentsOf(old) {
		old.WriteFile(name, wal.ToVersion1(old.ReadFile(name)))
	}
	return map[string]*waltest.FS{"fresh": fresh, "recycled": recycledSample(t), "version 1": old}
}

// recycledSample is a log whose segments have all been used before.
func recycledSample(t testing.TB) *waltest.FS {
	t.Helper()
	fs := waltest.NewFS()
	seen := new(recorder)
	cfg := crashConfig(fs)
	cfg.Observer = seen
	l := open(t, cfg)
	a, b := l.Group(1), l.Group(2)
	must(t, l.Group(3).StoreLogs(entries(3, 1, 6, 0, 300))) // stands still, and so is moved
	last := uint64(0)
	use := func(rounds int, keep uint64) {
		for i := range uint64(rounds) {
			must(t, a.StoreLogs(entries(1, last+1, last+3, 0, 500)))
			must(t, b.StoreLog(entry(2, last/3+1, 0, 200)))
			must(t, b.SetUint64([]byte("CurrentTerm"), last))
			if last += 3; last > keep && i%4 == 3 {
				must(t, a.DeleteRange(1, last-keep))
				must(t, b.DeleteRange(1, (last-keep)/3))
			}
			awaitPreparedSegment(t, l)
		}
	}
	use(100, 9)
	use(14, 1000) // two segments more, with nothing dead
	must(t, a.DeleteRange(last-2, last))
	must(t, a.StoreLogs(entries(1, last-2, last+1, 1, 300)))
	must(t, b.Drop())
	must(t, b.StoreLogs(entries(2, 5000, 5003, 1, 100)))
	must(t, a.SetUint64([]byte("CurrentTerm"), 4))
	awaitPreparedSegment(t, l)
	closeLog(t, l)
	if l.Space().Rewritten == 0 || seen.events[wal.SegmentRecycled] < 10 {
		t.Fatalf("vacuous: %+v, %v", l.Space(), seen.events)
	}
	r, err := wal.Verify(fs, dir)
	must(t, err)
	stale := 0
	for _, s := range r.Segments {
		if content := fs.ReadFile(dir + "/" + s.Name); bytes.Count(content[wal.PageEnd(s.UsedBytes):], []byte{0}) < (len(content)-int(s.UsedBytes))/2 {
			stale++
		}
	}
	if len(r.Segments) < 3 || stale < 2 || r.TornTail != nil {
		t.Fatalf("vacuous: %d of %d segments with bytes of an earlier use behind their end", stale, len(r.Segments))
	}
	return fs
}

// awaitPreparedSegment waits until dead segments have been made use of.
func awaitPreparedSegment(t testing.TB, l *wal.Log) {
	t.Helper()
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); l.Space().Prepared == 0; <-tick.C {
		if time.Now().After(end) {
			t.Fatal("no segment is prepared")
		}
	}
}

// recycling is a workload of one group on a log that is recycled, with what the group must and may hold.
type recycling struct {
	t    *testing.T
	fs   *waltest.FS
	r    *rand.Rand
	ways int

	mu          sync.Mutex // guards all below: the hook runs on all goroutines of the log
	must, might string
	points      map[waltest.OpKind]int
	torn        int
}

// crash cuts the power before op, in many ways.
func (x *recycling) crash(op waltest.Op) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !op.Changes() {
		return nil
	}
	x.points[op.Kind]++
	for range x.ways {
		left := x.fs.Crash(x.r)
		report, err := wal.Verify(left, dir)
		must(x.t, err)
		if report.TornTail != nil {
			x.torn++
		}
		s, err := contents(left)
		must(x.t, err)
		if one, _, _ := strings.Cut(s, "\n"); one != "1: "+x.must && one != "1: "+x.might {
			x.t.Errorf("before %+v: %.300s", op, one)
		}
		if again, err := wal.Verify(left, dir); err != nil || again.TornTail != nil {
			x.t.Errorf("before %+v: after recovery %+v, %v", op, again.TornTail, err)
		}
	}
	return nil
}

// step makes a call after which the group is as next says.
func (x *recycling) step(next *model, call func() error) {
	x.mu.Lock()
	x.might = next.String()
	x.mu.Unlock()
	must(x.t, call())
	x.mu.Lock()
	defer x.mu.Unlock()
	x.must = x.might
}

// TestEveryCrashWhileRecycling cuts the power before each operation by which a dead segment is made ready for use again,
// and each by which batches go into it, in many ways.
func TestEveryCrashWhileRecycling(t *testing.T) {
	x := &recycling{t: t, fs: recycledSample(t), r: rand.New(rand.NewPCG(31, 31)), ways: 12, points: make(map[waltest.OpKind]int)}
	l := open(t, crashConfig(x.fs))
	g := l.Group(1)
	m, err := modelOf(g)
	must(t, err)
	x.must, x.might = m.String(), m.String()
	x.fs.SetHook(x.crash)
	for n := range 60 {
		e := entry(1, m.last()+1, 1, 900)
		m = m.clone()
		m.logs = append(m.logs, digest(e))
		x.step(m, func() error { return g.StoreLog(e) })
		if n%8 == 7 {
			m = m.clone()
			first := m.first
			m.first, m.logs = m.last()-2, m.logs[len(m.logs)-3:]
			x.step(m, func() error { return g.DeleteRange(first, m.first-1) })
		}
	}
	x.fs.SetHook(nil)
	closeLog(t, l)
	t.Logf("%v crash points, %d ways each; %d torn tails", x.points, x.ways, x.torn)
	if x.points[waltest.OpRename] < 4 || x.torn < 20 {
		t.Error("vacuous: hardly anything was recycled or torn")
	}
}

// TestATornBatchOverAnEarlierUse loses sets of sectors of a batch that was written over what a recycled file held: all
// of the batch is there or nothing, and whatever of it has reached the disk is found and said.
func TestATornBatchOverAnEarlierUse(t *testing.T) {
	fs := recycledSample(t)
	var r wal.Report
	at, last := -1, uint64(0)
	for at < 0 || r.Segments[at].Bytes-r.Segments[at].UsedBytes < 3000 { // until the next batch fits
		l := open(t, small(fs))
		var err error
		last, err = l.Group(1).LastIndex()
		must(t, err)
		last++
		must(t, l.Group(1).StoreLog(entry(1, last, 1, 900)))
		closeLog(t, l)
		r, err = wal.Verify(fs, dir)
		must(t, err)
		at = slices.IndexFunc(r.Segments, func(s wal.SegmentReport) bool { return !s.Sealed })
	}
	whole, err := contents(fs.Clone())
	must(t, err)
	name := dir + "/" + r.Segments[at].Name
	before := fs.ReadFile(name)
	l := open(t, small(fs))
	must(t, l.Group(1).StoreLogs([]*raft.Log{entry(1, last+1, 1, 2000)}))
	closeLog(t, l)
	after := fs.ReadFile(name)
	r, err = wal.Verify(fs, dir)
	must(t, err)
	var sectors []int
	batch := 0 // those with bytes of the batch; the others have the zeros behind it
	for s := 0; s < len(after); s += 512 {
		if !bytes.Equal(before[s:s+512], after[s:s+512]) {
			if int64(s) < r.Segments[at].UsedBytes {
				batch |= 1 << len(sectors)
			}
			sectors = append(sectors, s)
		}
	}
	if len(sectors) < 5 || len(sectors) > 16 {
		t.Fatalf("the batch changes %d sectors", len(sectors))
	}
	sets := rand.New(rand.NewPCG(32, 32)).Perm(1 << len(sectors))
	sets = append(sets[:min(1<<10, len(sets))], 0, len(sets)-1)
	for _, kept := range sets {
		content := slices.Clone(before)
		for i, s := range sectors {
			if kept>>i&1 == 1 {
				copy(content[s:s+512], after[s:])
			}
		}
		left := changed(fs, name, content)
		report, err := wal.Verify(left, dir)
		must(t, err)
		s, err := contents(left)
		must(t, err)
		all := kept == 1<<len(sectors)-1
		if (s == whole) == (kept&batch == batch) {
			t.Fatalf("sectors %b of %b: without the batch: %v", kept, batch, s == whole)
		}
		if (report.TornTail == nil) != (all || kept == 0) {
			t.Fatalf("sectors %b: torn tail %+v", kept, report.TornTail)
		}
	}
	t.Logf("%d subsets of %d sectors", len(sets), len(sectors))
}

// TestNewSegmentsAreWhitened expects zeros to be written over a new file before it is used, all of them before it has its name
// where the file system cannot reserve room, and none while batches are large.
func TestNewSegmentsAreWhitened(t *testing.T) {
	const segment = 4 << 20
	tests := []struct {
		name    string
		batch   int // of entries of 4 KiB
		without bool
	}{{"small batches", 1, false}, {"large batches", 100, false}, {"no room to reserve", 100, true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := waltest.NewFS()
			var mu sync.Mutex // guards zeros and large
			zeros, large := map[string]int{}, false
			fs.SetHook(func(op waltest.Op) error {
				mu.Lock()
				defer mu.Unlock()
				if op.Kind == waltest.OpAllocate && tt.without {
					return errors.ErrUnsupported
				}
				if op.Kind == waltest.OpWrite && op.Bytes > 500<<10 {
					if zeros[op.Name] += op.Bytes; large && !tt.without {
						t.Errorf("zeros are written beside large batches: %+v", op)
					}
				}
				return nil
			})
			cfg := small(fs)
			cfg.SegmentBytes = segment
			l := open(t, cfg)
			awaitZeros := func(name string) {
				t.Helper()
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for end := time.Now().Add(10 * time.Second); ; <-tick.C {
					mu.Lock()
					n := zeros[name]
					mu.Unlock()
					if n >= segment-2*4096 {
						return
					}
					if time.Now().After(end) {
						t.Fatalf("%d bytes of %s are written", n, name)
					}
				}
			}
			second := dir + "/0000000000000002.wal"
			if tt.without {
				second += ".tmp"
			}
			awaitZeros(second)
			logs := entries(1, 1, uint64(tt.batch), 0, 4<<10)
			for n := range uint64(6 << 20 / 4096 / tt.batch) {
				for i, e := range logs {
					e.Index = n*uint64(tt.batch) + uint64(i) + 1
				}
				must(t, l.Group(1).StoreLogs(logs))
				mu.Lock()
				large = tt.batch > 1
				mu.Unlock()
			}
			if tt.batch == 1 {
				awaitZeros(dir + "/0000000000000003.wal")
			}
			closeLog(t, l)
		})
	}
}

// TestEveryStaleByteCounts changes single bytes of what a recycled file holds behind the log: the log is complete all the
// same, and says that somebody wrote there; in a segment that was never begun it is refused.
func TestEveryStaleByteCounts(t *testing.T) {
	fs := recycledSample(t)
	whole, err := contents(fs.Clone())
	must(t, err)
	r, err := wal.Verify(fs, dir)
	must(t, err)
	said, refused := 0, 0
	for _, s := range r.Segments {
		name := dir + "/" + s.Name
		content := fs.ReadFile(name)
		for at := int(s.UsedBytes); at < len(content); at += 37 {
			content[at] ^= 0x5a
			left := changed(fs, name, slices.Clone(content))
			content[at] ^= 0x5a
			report, err := wal.Verify(left, dir)
			switch {
			case errors.Is(err, wal.ErrCorrupt) && (s.Sealed || s.Batches == 0):
				refused++
				continue
			case err != nil || s.Sealed || s.Batches == 0 || report.TornTail == nil:
				t.Fatalf("byte %d of %s: %v, torn tail %+v", at, s.Name, err, report.TornTail)
			}
			if text, err := contents(left); err != nil || text != whole {
				t.Fatalf("byte %d of %s: %v, or something was lost", at, s.Name, err)
			}
			said++
		}
	}
	t.Logf("%d bytes changed behind the log, all said; %d in segments that were full or never begun, all refused", said, refused)
	if said == 0 || refused == 0 {
		t.Error("vacuous")
	}
}
