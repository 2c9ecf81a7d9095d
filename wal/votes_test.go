package wal_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// TestVotesFitAfterACrashAtTheHardBound cuts the power again and again while the log is kept below its hard bound by
// rewriting. Whatever the crash left of the reserved segment, terms and votes of some elections find room, before
// anything else is written and without any of it.
func TestVotesFitAfterACrashAtTheHardBound(t *testing.T) {
	for _, size := range []int{500, 1900, 4200} {
		for _, segments := range []int64{3, 4, 6} {
			t.Run(fmt.Sprintf("entry=%d/segments=%d", size, segments), func(t *testing.T) {
				fs := waltest.NewFS()
				cfg := crashConfig(fs)
				cfg.DeadBytes, cfg.HardBytes = 1<<40, segments*cfg.SegmentBytes
				cfg.OnFatal = func(error) {}
				l := open(t, cfg)
				must(t, l.Group(2).StoreLogs(entries(2, 1, 12, 0, 300)))
				var mu sync.Mutex // guards forks and ops
				var forks []*waltest.FS
				ops := 0
				fs.SetHook(func(op waltest.Op) error {
					mu.Lock()
					defer mu.Unlock()
					if ops++; op.Changes() && ops%5 == 0 && len(forks) < 400 {
						forks = append(forks, fs.Crash(rand.New(rand.NewPCG(uint64(ops), 3))))
					}
					return nil
				})
				g := l.Group(1)
				for i := uint64(1); i < 400; i++ {
					if err := g.StoreLog(entry(1, i, 0, size)); err != nil {
						break // the bound is reached in earnest
					}
					if i%5 == 4 {
						must(t, g.DeleteRange(1, i-1))
					}
				}
				_ = l.Close()
				full := 0
				for at, fork := range forks {
					cfg.FS = fork
					if voteOften(t, at, cfg) == cfg.HardBytes {
						full++
					}
				}
				if full == 0 && segments == 3 {
					t.Error("vacuous: the reserved segment was never in use")
				}
				t.Logf("%d crashes, %d with the reserved segment in use", len(forks), full)
			})
		}
	}
}

// voteOften returns how long the segments in use were after the crash.
func voteOften(t *testing.T, at int, cfg wal.Config) (used int64) {
	t.Helper()
	l := open(t, cfg)
	used = l.Space().UsedBytes
	for term := range uint64(20) {
		for _, key := range []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"} {
			if err := l.Group(3).SetUint64([]byte(key), term); err != nil {
				t.Fatalf("crash %d: %s of election %d: %v", at, key, term, err)
			}
		}
	}
	closeLog(t, l)
	return used
}
