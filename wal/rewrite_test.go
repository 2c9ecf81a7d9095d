package wal_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// churn appends to group 1 and removes all but the last few entries now and then, and returns the next index.
// look is called after each call.
func churn(t testing.TB, l *wal.Log, from uint64, n int, look func()) uint64 {
	t.Helper()
	g := l.Group(1)
	for i := range uint64(n) {
		must(t, g.StoreLog(entry(1, from+i, 0, 500)))
		if i%10 == 9 {
			must(t, g.DeleteRange(1, from+i-3))
		}
		look()
	}
	return from + uint64(n)
}

// TestAStandingGroupDoesNotPinTheDisk lets one group stand still, with some entries, while another goes on, under each
// bound that there is. The log stays within what the bound promises; what stands still is there, before and after a restart.
func TestAStandingGroupDoesNotPinTheDisk(t *testing.T) {
	const segment = 16 << 10
	tests := []struct {
		name string
		set  func(c *wal.Config)
		most int64 // segments in use
		part int64 // of what is appended may be rewritten: one in so many bytes
	}{
		{"dead bytes", func(c *wal.Config) { c.DeadBytes = 4 * segment }, 13, 20},
		{"soft bound", func(c *wal.Config) { c.DeadBytes, c.SoftBytes = 1<<40, 12*segment }, 12, 20},
		{"hard bound", func(c *wal.Config) { c.DeadBytes, c.HardBytes = 1<<40, 12*segment }, 11, 20},
		{"the smallest hard bound", func(c *wal.Config) { c.DeadBytes, c.HardBytes = 1<<40, 3*segment }, 3, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := waltest.NewFS()
			cfg := small(fs)
			tt.set(&cfg)
			l := open(t, cfg)
			still := entries(2, 7, 12, 0, 300)
			must(t, l.Group(2).StoreLogs(still))
			must(t, l.Group(3).SetUint64([]byte("CurrentTerm"), 9))
			most := int64(0)
			next := churn(t, l, 1, 1500, func() {
				s := l.Space()
				most = max(most, s.UsedBytes/segment)
				if cfg.SoftBytes > 0 && l.OverSoftBound() {
					t.Fatal("over the soft bound, though nearly nothing lives")
				}
			})
			if most > tt.most {
				t.Errorf("%d segments were in use, want at most %d", most, tt.most)
			}
			s := l.Space()
			if s.Rewritten < 6*300 || s.Rewritten > s.Appended/tt.part {
				t.Errorf("%d bytes of %d were rewritten", s.Rewritten, s.Appended)
			}
			for range 2 {
				want(t, l.Group(2), still)
				want(t, l.Group(1), entries(1, next-3, next-1, 0, 500))
				if n, err := l.Group(3).GetUint64([]byte("CurrentTerm")); n != 9 || err != nil {
					t.Errorf("term %d, %v", n, err)
				}
				closeLog(t, l)
				l = open(t, cfg)
			}
			closeLog(t, l)
			t.Logf("at most %d segments in use; %d of %d bytes rewritten", most, s.Rewritten, s.Appended)
		})
	}
}

// TestRewritingIsBounded keeps much alive in the oldest segments while another group goes on: no more is rewritten than
// dies, though every pass has to carry all of it.
func TestRewritingIsBounded(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.DeadBytes = 1
	l := open(t, cfg)
	live := int64(0)
	for id := uint32(2); id <= 9; id++ {
		must(t, l.Group(id).StoreLogs(entries(id, 1, 20, 0, 400)))
		live += l.Group(id).BytesSince(0)
	}
	most := int64(0)
	churn(t, l, 1, 3000, func() { most = max(most, l.Space().UsedBytes) })
	s := l.Space()
	died := int64(3000 * 560)
	if s.Rewritten < 2*live || s.Rewritten > died {
		t.Errorf("%d bytes rewritten while %d died; %d live", s.Rewritten, died, live)
	}
	if most > 4*live+6*cfg.SegmentBytes {
		t.Errorf("%d bytes were in use for %d live ones", most, live)
	}
	for id := uint32(2); id <= 9; id++ {
		want(t, l.Group(id), entries(id, 1, 20, 0, 400))
	}
	closeLog(t, l)
	l = open(t, cfg)
	for id := uint32(2); id <= 9; id++ {
		want(t, l.Group(id), entries(id, 1, 20, 0, 400))
	}
	closeLog(t, l)
	t.Logf("%d bytes live, at most %d in use, %d died, %d rewritten", live, most, died, s.Rewritten)
}

// TestRewritingStopsByItself is a log that cannot get any shorter: entries so long that each segment holds one and wastes
// the rest. Passes end though much is "dead".
func TestRewritingStopsByItself(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.DeadBytes, cfg.SoftBytes = 1, 8*cfg.SegmentBytes
	l := open(t, cfg)
	for i := uint64(1); i <= 12; i++ {
		must(t, l.Group(1).StoreLog(entry(1, i, 0, 7000)))
	}
	must(t, l.Group(1).DeleteRange(1, 2))
	most := int64(12 * 7100 * 2)
	for i := range uint64(50) { // each wakes the committer, and asks whether there is a reason for a pass
		must(t, l.Group(2).SetUint64([]byte("CurrentTerm"), i))
		if s := l.Space(); s.Rewritten > most {
			t.Fatalf("%d bytes rewritten and no end", s.Rewritten)
		}
	}
	closeLog(t, l)
	l = open(t, cfg)
	want(t, l.Group(1), entries(1, 3, 12, 0, 7000))
	closeLog(t, l)
}

// TestOldEntriesNeverOverwriteNewOnes truncates and writes again, over and over, what is being rewritten at that moment.
func TestOldEntriesNeverOverwriteNewOnes(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.DeadBytes, cfg.CacheBytes = 1, -1
	l := open(t, cfg)
	next := uint64(1)
	version := 0
	rewritten := int64(0)
	must(t, l.Group(2).StoreLogs(entries(2, 1, 30, 0, 300)))
	for round := range 60 {
		next = churn(t, l, next, 30, func() {})
		version++
		from := uint64(5 + round%20)
		must(t, l.Group(2).DeleteRange(from, 30))
		must(t, l.Group(2).StoreLogs(entries(2, from, 30, version, 300)))
		for i := from; i <= 30; i++ {
			assertEntry(t, l, entry(2, i, version, 300))
		}
		rewritten = l.Space().Rewritten
	}
	if rewritten < 60*300 {
		t.Errorf("vacuous: only %d bytes were rewritten", rewritten)
	}
	before := fmt.Sprint(modelOf(l.Group(2)))
	closeLog(t, l)
	l = open(t, cfg)
	if after := fmt.Sprint(modelOf(l.Group(2))); after != before {
		t.Errorf("after a restart:\n%s\nbefore it:\n%s", after, before)
	}
	closeLog(t, l)
}

// TestRewritingMeetsDamage finds a bit that rotted, or a disk that cannot read, when it reads what is to be moved: the
// log fails with the place, and nothing is moved.
func TestRewritingMeetsDamage(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
	}{{"a rotten bit", wal.ErrCorrupt}, {"a bad sector", syscall.EIO}} {
		t.Run(tt.name, func(t *testing.T) {
			fs := waltest.NewFS()
			cfg := small(fs)
			cfg.DeadBytes = 2 * cfg.SegmentBytes
			fatal := make(chan error, 1)
			cfg.OnFatal = func(err error) { fatal <- err }
			l := open(t, cfg)
			must(t, l.Group(2).StoreLogs(entries(2, 1, 5, 0, 300)))
			if tt.err == wal.ErrCorrupt {
				f, err := fs.Open(firstSegment, wal.ReadWrite)
				must(t, err)
				_, err = f.WriteAt([]byte{0xff}, 4096+900)
				must(t, err)
			}
			fs.SetHook(func(op waltest.Op) error {
				if op.Kind == waltest.OpRead && tt.err == syscall.EIO {
					return syscall.EIO
				}
				return nil
			})
			var err error
			for i := uint64(1); err == nil && i < 2000; i++ {
				if err = l.Group(1).StoreLog(entry(1, i, 0, 500)); err == nil && i%10 == 0 {
					err = l.Group(1).DeleteRange(1, i-1)
				}
			}
			for _, err := range []error{err, <-fatal, l.Close()} {
				if !errors.Is(err, wal.ErrFailed) || !errors.Is(err, tt.err) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

// TestSegmentsAreRecycled expects old files to be used again: in the long run none is made or deleted.
func TestSegmentsAreRecycled(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	seen := new(recorder)
	cfg.Observer = seen
	l := open(t, cfg)
	next := churn(t, l, 1, 2000, func() {})
	closeLog(t, l)
	seen.mu.Lock()
	made, recycled, removed := seen.events[wal.SegmentPrepared], seen.events[wal.SegmentRecycled], seen.events[wal.SegmentRemoved]
	seen.mu.Unlock()
	if recycled < 60 || made > 10 || removed > 10 {
		t.Errorf("%d made, %d recycled, %d removed", made, recycled, removed)
	}
	l = open(t, cfg)
	want(t, l.Group(1), entries(1, next-3, next-1, 0, 500))
	closeLog(t, l)
	t.Logf("%d segments made, %d recycled, %d removed", made, recycled, removed)
}

// TestAReaderOutlivesItsSegment reads entries while their segments are recycled under it: it gets the entry or the news
// that it is gone, never other bytes.
func TestAReaderOutlivesItsSegment(t *testing.T) {
	cfg := small(waltest.NewFS())
	cfg.CacheBytes = -1
	l := open(t, cfg)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if first, _ := l.Group(1).FirstIndex(); first > 0 {
				readOrGone(t, l, first)
			}
		}
	}()
	churn(t, l, 1, 1500, func() {})
	close(stop)
	<-done
	closeLog(t, l)
}
