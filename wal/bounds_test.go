package wal_test

import (
	"errors"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

func TestSoftBound(t *testing.T) {
	cfg := small(waltest.NewFS())
	cfg.SoftBytes = 5 * cfg.SegmentBytes
	l := open(t, cfg)
	defer closeLog(t, l)
	g := l.Group(1)
	i := uint64(0)
	for ; !l.OverSoftBound(); i++ {
		must(t, g.StoreLog(entry(1, i+1, 0, 1000)))
	}
	if n := i * 1056; n < 4*14<<10 || n > 6*16<<10 {
		t.Errorf("over the soft bound of %d after about %d bytes", cfg.SoftBytes, n)
	}
	must(t, g.DeleteRange(1, i-1))
	if l.OverSoftBound() {
		t.Error("over the soft bound after nearly everything was removed")
	}
}

// TestSoftBoundHasTwoSides goes over the soft bound and a segment below it, where it still is over, and then further.
func TestSoftBoundHasTwoSides(t *testing.T) {
	cfg := small(waltest.NewFS())
	cfg.SoftBytes = 9 * cfg.SegmentBytes
	l := open(t, cfg)
	defer closeLog(t, l)
	g, i := l.Group(1), uint64(0)
	for ; !l.OverSoftBound(); i++ {
		must(t, g.StoreLog(entry(1, i+1, 0, 1000)))
	}
	below := false
	for first := uint64(1); l.OverSoftBound(); first++ {
		if l.Space().UsedBytes <= cfg.SoftBytes {
			below = true
		}
		if first == i {
			t.Fatal("still over the soft bound with one entry left")
		}
		must(t, g.DeleteRange(first, first))
	}
	if n := l.Space().UsedBytes; !below || n > cfg.SoftBytes*7/8 || n < cfg.SegmentBytes*6 {
		t.Errorf("no longer over the soft bound of %d with %d bytes in use; was over below it: %v", cfg.SoftBytes, n, below)
	}
}

// TestHardBound fills the log. Entries end it with a reason before the bound; the space that is left takes terms, votes
// and truncations, now and after the next start, and a truncation makes room again.
func TestHardBound(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.HardBytes = 6 * cfg.SegmentBytes
	fatal := make(chan error, 1)
	cfg.OnFatal = func(err error) { fatal <- err }
	l := open(t, cfg)
	var err error
	i := uint64(0)
	for ; err == nil; i++ {
		err = l.Group(1).StoreLog(entry(1, i+1, 0, 1000))
		if n := l.DiskBytes(); n > cfg.HardBytes {
			t.Fatalf("%d bytes on disk", n)
		}
	}
	for _, err := range []error{err, <-fatal, l.Close()} {
		if !errors.Is(err, wal.ErrHardBound) || !errors.Is(err, wal.ErrFailed) {
			t.Errorf("error %v", err)
		}
	}
	last := i - 1

	l = open(t, cfg)
	for term := uint64(1); term <= 100; term++ { // more than the active segment has left
		must(t, l.Group(2).SetUint64([]byte("CurrentTerm"), term))
		if n := l.DiskBytes(); n > cfg.HardBytes {
			t.Fatalf("%d bytes on disk", n)
		}
	}
	must(t, l.Group(1).DeleteRange(1, last-3))
	must(t, l.Group(1).StoreLogs(entries(1, last+1, last+15, 0, 1000)))
	closeLog(t, l)
	l = open(t, cfg)
	want(t, l.Group(1), entries(1, last-2, last+15, 0, 1000))
	closeLog(t, l)
}

func TestDiskBytesAndObserver(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	seen := new(recorder)
	cfg.Observer = seen
	l := open(t, cfg)
	must(t, l.Group(1).StoreLogs(entries(1, 1, 100, 0, 500)))
	closeLog(t, l)
	onDisk := int64(0)
	for _, name := range segmentsOf(fs) {
		onDisk += int64(len(fs.ReadFile(name)))
	}
	if l.DiskBytes() != onDisk || seen.bytes != onDisk || seen.segments != len(segmentsOf(fs)) {
		t.Errorf("DiskBytes %d, observed %d in %d segments, on disk %d in %d", l.DiskBytes(), seen.bytes, seen.segments, onDisk, len(segmentsOf(fs)))
	}
}

// TestSegmentsOfAnotherLengthAreNotUsedAgain makes segments shorter and lets the long ones die.
func TestSegmentsOfAnotherLengthAreNotUsedAgain(t *testing.T) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.SegmentBytes = 32 << 10
	l := open(t, cfg)
	must(t, l.Group(1).StoreLogs(entries(1, 1, 150, 0, 500)))
	closeLog(t, l)
	cfg.SegmentBytes = 16 << 10
	l = open(t, cfg)
	must(t, l.Group(1).DeleteRange(1, 149))
	churn(t, l, 151, 200, func() {})
	closeLog(t, l)
	for _, name := range segmentsOf(fs) {
		if n := len(fs.ReadFile(name)); n != 16<<10 && n != 32<<10 {
			t.Errorf("%s has %d bytes", name, n)
		}
	}
	l = open(t, cfg)
	want(t, l.Group(1), entries(1, 348, 350, 0, 500))
	closeLog(t, l)
}

// TestSegmentBytesMayChange opens one log with segments of different lengths in turn.
func TestSegmentBytesMayChange(t *testing.T) {
	fs := waltest.NewFS()
	next := uint64(1)
	for _, size := range []int64{16 << 10, 64 << 10, 32 << 10, 16 << 10, 128 << 10} {
		cfg := small(fs)
		cfg.SegmentBytes = size
		l := open(t, cfg)
		must(t, l.Group(1).StoreLogs(entries(1, next, next+60, 0, 700)))
		next += 61
		want(t, l.Group(1), entries(1, 1, next-1, 0, 700))
		closeLog(t, l)
	}
}
