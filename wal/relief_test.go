package wal_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// TestReliefEnds fills the log up to its hard bound with entries of a length that leaves much of every segment empty, so
// that rewriting them gives nothing back: the process leaves with a reason instead of rewriting for ever. What was
// acknowledged is there afterwards.
func TestReliefEnds(t *testing.T) {
	endless := errors.New("rewriting goes on for ever")
	for _, size := range []int{3800, 4200, 6200, 7900} {
		for segments := range int64(8) {
			t.Run(fmt.Sprintf("entry=%d/segments=%d", size, segments+3), func(t *testing.T) {
				fs := waltest.NewFS()
				cfg := small(fs)
				cfg.DeadBytes, cfg.HardBytes = 1<<40, (segments+3)*cfg.SegmentBytes
				fatal := make(chan error, 1)
				cfg.OnFatal = func(err error) { fatal <- err }
				l := open(t, cfg)
				var ops atomic.Int64
				fs.SetHook(func(waltest.Op) error {
					if ops.Add(1) > 10_000 {
						return endless
					}
					return nil
				})
				stored := uint64(0)
				var err error
				for ; err == nil; stored++ {
					err = l.Group(1).StoreLog(entry(1, stored+1, 0, size))
				}
				stored--
				if !errors.Is(err, wal.ErrHardBound) || !errors.Is(<-fatal, wal.ErrHardBound) {
					t.Errorf("after %d entries: %v, want the hard bound", stored, err)
				}
				_ = l.Close()
				fs.SetHook(nil)
				cfg.OnFatal = nil
				l = open(t, cfg)
				want(t, l.Group(1), entries(1, 1, stored, 0, size))
				must(t, l.Group(1).SetUint64([]byte("CurrentTerm"), 3))
				closeLog(t, l)
			})
		}
	}
}
