package wal_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// readBack reads everything that is there.
func readBack(t *testing.T, l *wal.Log) string {
	t.Helper()
	all := ""
	for _, id := range l.Groups() {
		g := l.Group(id)
		first, _ := g.FirstIndex()
		last, _ := g.LastIndex()
		term, _ := g.GetUint64([]byte("CurrentTerm"))
		all += fmt.Sprintf("group %d term %d:", id, term)
		for i := first; i <= last && i > 0; i++ {
			var e raft.Log
			must(t, g.GetLog(i, &e))
			all += fmt.Sprintf(" %d/%x", e.Index, digest(&e))
		}
		all += "\n"
	}
	return all
}

// TestAForgottenWriteIsNotBelieved lets each fsync of a workload fail on a kernel that keeps the pages, takes them for
// clean and never writes them: what the next process reads there is not on the disk, and no fsync brings it there. The
// log that it recovers, on which raft builds, is durable all the same: no power cut takes any of it.
func TestAForgottenWriteIsNotBelieved(t *testing.T) {
	failures := 0
	for at := int64(1); ; at++ {
		fs := waltest.NewFS()
		cfg := crashConfig(fs)
		cfg.OnFatal = func(error) {}
		l := open(t, cfg)
		var syncs atomic.Int64
		fs.SetHook(func(op waltest.Op) error {
			if op.Kind == waltest.OpSync && syncs.Add(1) == at {
				return waltest.ErrForgotten
			}
			return nil
		})
		err := forgetful(l)
		_ = l.Close()
		if syncs.Load() < at {
			must(t, err)
			break
		}
		failures++
		killed := fs.Kill()
		cfg.FS = killed
		l = open(t, cfg)
		want := readBack(t, l)
		for seed := range uint64(12) {
			cfg.FS = killed.Crash(rand.New(rand.NewPCG(seed, uint64(at))))
			again := open(t, cfg)
			if got := readBack(t, again); got != want {
				t.Fatalf("fsync %d failed; the next start had\n%safter a power cut there is\n%s", at, want, got)
			}
			closeLog(t, again)
		}
		closeLog(t, l)
	}
	if failures < 50 {
		t.Errorf("vacuous: %d failures", failures)
	}
}

// forgetful is a workload with appends, terms, truncation and rotation.
func forgetful(l *wal.Log) error {
	for i := range uint64(40) {
		id := uint32(i % 2)
		if err := l.Group(id).StoreLogs(entries(id, i/2*2+1, i/2*2+2, 0, 700)); err != nil {
			return err
		}
		if err := l.Group(id).SetUint64([]byte("CurrentTerm"), i); err != nil {
			return err
		}
		if i%8 == 7 {
			if err := l.Group(id).DeleteRange(1, i-3); err != nil {
				return err
			}
		}
	}
	return nil
}
