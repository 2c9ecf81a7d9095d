package wal_test

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// calls makes every kind of call, each on a goroutine of its own, and collects what they say.
type calls struct {
	l *wal.Log

	mu   sync.Mutex // guards errs
	errs []error
}

func (c *calls) kinds() map[string]func() error {
	l := c.l
	return map[string]func() error{
		"store":    func() error { return l.Group(3).StoreLog(entry(3, 1, 0, 100)) },
		"term":     func() error { return l.Group(2).SetUint64([]byte("CurrentTerm"), 2) },
		"truncate": func() error { return l.Group(1).DeleteRange(1, 1) },
		"get":      func() error { return l.Group(1).GetLog(2, new(raft.Log)) },
		"last":     func() error { _, err := l.Group(1).LastIndex(); return err },
	}
}

func (c *calls) begin(f func() error) {
	go func() {
		err := f()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.errs = append(c.errs, err)
	}()
}

// said waits until nothing moves any more.
func (c *calls) said() error {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs...)
}

// TestNobodySeesAFailureBeforeOnFatal lets an operation fail, or hang, while every kind of call waits or comes. None of
// them returns an error before OnFatal has returned: raft panics over some, and a process that wants to end with a reason
// must get to do so first.
func TestNobodySeesAFailureBeforeOnFatal(t *testing.T) {
	tests := []struct {
		name string
		at   waltest.OpKind
		hang bool
	}{{"write", waltest.OpWrite, false}, {"fsync", waltest.OpSync, false}, {"read", waltest.OpRead, false}, {"stall", waltest.OpSync, true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { failWithCallers(t, tt.at, tt.hang) })
		})
	}
}

func failWithCallers(t *testing.T, at waltest.OpKind, hang bool) {
	fs := waltest.NewFS()
	cfg := small(fs)
	cfg.CacheBytes = -1
	decided, hung, told := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	cfg.OnFatal = func(err error) {
		told <- err
		<-decided
	}
	l := open(t, cfg)
	must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
	fs.SetHook(func(op waltest.Op) error {
		if op.Kind != at {
			return nil
		}
		if hang {
			<-hung
			return nil
		}
		return syscall.EIO
	})
	c := &calls{l: l}
	c.begin(func() error { return l.Group(1).StoreLog(entry(1, 4, 0, 100)) })
	c.begin(c.kinds()["get"])
	if err := <-told; !errors.Is(err, wal.ErrFailed) || errors.Is(err, wal.ErrStalled) != hang {
		t.Errorf("OnFatal was told %v", err)
	}
	for _, f := range c.kinds() {
		c.begin(f)
	}
	if err := c.said(); err != nil {
		t.Errorf("before OnFatal returned: %v", err)
	}
	close(decided)
	if err := c.said(); !errors.Is(err, wal.ErrFailed) {
		t.Errorf("after OnFatal returned: %v", err)
	}
	for name, f := range c.kinds() {
		if err := f(); !errors.Is(err, wal.ErrFailed) {
			t.Errorf("%s, afterwards: %v", name, err)
		}
	}
	close(hung)
	if err := l.Close(); !errors.Is(err, wal.ErrFailed) || len(told) != 0 {
		t.Errorf("Close: %v; OnFatal was told %d times more", err, len(told))
	}
}

// TestAHangingReadEndsTheLog hangs what a reader waits for, several at once: raft would wait with it for ever.
func TestAHangingReadEndsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := waltest.NewFS()
		cfg := small(fs)
		cfg.CacheBytes = -1
		told, hung := make(chan error, 2), make(chan struct{})
		cfg.OnFatal = func(err error) { told <- err }
		l := open(t, cfg)
		must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
		fs.SetHook(func(op waltest.Op) error {
			if op.Kind == waltest.OpRead {
				<-hung
			}
			return nil
		})
		start := time.Now()
		c := &calls{l: l}
		for range 3 {
			c.begin(c.kinds()["get"])
		}
		if err := <-told; !errors.Is(err, wal.ErrStalled) || time.Since(start) != 3*time.Second {
			t.Errorf("OnFatal was told %v after %v", err, time.Since(start))
		}
		if err := l.Group(1).StoreLog(entry(1, 4, 0, 100)); !errors.Is(err, wal.ErrStalled) {
			t.Errorf("StoreLog: %v", err)
		}
		close(hung)
		if err := l.Close(); !errors.Is(err, wal.ErrStalled) || len(told) != 0 {
			t.Errorf("Close: %v; OnFatal was told %d times more", err, len(told))
		}
		if err := c.said(); err != nil {
			t.Errorf("what was read in the end: %v", err)
		}
	})
}

// TestRemovingWhatIsBeingRemovedWaits removes twice what is there: the second caller finds nothing left to do, but is told
// so only when the first one's removal is durable.
func TestRemovingWhatIsBeingRemovedWaits(t *testing.T) {
	remove := map[string]func(*wal.Group) error{
		"drop": (*wal.Group).Drop,
		"all":  func(g *wal.Group) error { return g.DeleteRange(1, 3) },
		"first": func(g *wal.Group) error {
			return g.DeleteRange(1, 1)
		},
	}
	for name, f := range remove {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := waltest.NewFS()
				cfg := small(fs)
				cfg.StallWarn, cfg.StallExit = time.Hour, time.Hour
				l := open(t, cfg)
				must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
				hung := make(chan struct{})
				fs.SetHook(func(op waltest.Op) error {
					if op.Kind == waltest.OpSync && op.Name == firstSegment {
						<-hung
					}
					return nil
				})
				done := make(chan error, 3)
				for range 3 {
					go func() { done <- f(l.Group(1)) }()
				}
				synctest.Wait()
				if len(done) > 0 {
					t.Errorf("%d callers were told before anything was durable", len(done))
				}
				close(hung)
				for range 3 {
					must(t, <-done)
				}
				closeLog(t, l)
			})
		})
	}
}
