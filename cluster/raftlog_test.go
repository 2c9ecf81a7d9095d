package cluster

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// The disk under the node's log fails. Raft panics when it cannot save its next term, which would end the process with a stack instead of a reason,
// or in the middle of closing in order. Instead the replica leaves its group, and what is left closes in order.
func TestAFailedLogDoesNotPanic(t *testing.T) {
	for _, kind := range []waltest.OpKind{waltest.OpWrite, waltest.OpSync} {
		synctest.Test(t, func(t *testing.T) {
			disk := waltest.NewFS()
			var fatal atomic.Int32
			log, err := wal.Open(wal.Config{Dir: "/data/wal", FS: disk, SegmentBytes: 1 << 20, Logger: discard, OnFatal: func(error) { fatal.Add(1) }})
			if err != nil {
				t.Fatal(err)
			}
			g := newRig(t)
			c := g.open(func(c *Config) { c.Groups = func(shard uint32) GroupLog { return log.Group(shard) } })
			s := c.Shard(1)
			g.mustPropose(s, "a")
			disk.SetHook(func(op waltest.Op) error {
				if op.Kind == kind {
					return syscall.EIO
				}
				return nil
			})
			if err := g.propose(s, "b"); !isUnknown(err) {
				t.Errorf("outcome %v", err)
			}
			eventually(t, "the replica is down", func() bool { return errors.Is(s.Fault(), wal.ErrFailed) })
			if err := g.propose(s, "c"); !isNotExecuted(err) || fatal.Load() != 1 {
				t.Errorf("outcome %v, OnFatal %d times", err, fatal.Load())
			}
			g.close()
			if err := log.Close(); !errors.Is(err, wal.ErrFailed) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// A log that has failed before raft starts is an error of Open.
func TestAFailedLogIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		log := newMemLog()
		g.open(func(c *Config) { c.Groups = func(uint32) GroupLog { return log } })
		g.mustPropose(g.cluster.Shard(1), "a")
		g.close()
		_, err := Open(g.config(func(c *Config) { c.Groups = func(uint32) GroupLog { return unwritable{log} } }))
		if !errors.Is(err, errBroken) {
			t.Errorf("Open: %v", err)
		}
	})
}

// unwritable is a log that cannot save a term.
type unwritable struct{ *memLog }

func (unwritable) SetUint64([]byte, uint64) error { return errBroken }
