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

// TestNobodySeesAFailureBeforeOnFatal lets each kind of operation fail, or hang, while every kind of call waits or comes.
// None of them returns an error before OnFatal has returned: raft panics over some, and a process that wants to end with a
// reason must get to do so first.
func TestNobodySeesAFailureBeforeOnFatal(t *testing.T) {
	tests := []struct {
		name string
		at   waltest.OpKind
		hang bool
	}{{"write", waltest.OpWrite, false}, {"fsync", waltest.OpSync, false}, {"read", waltest.OpRead, false}, {"stall", waltest.OpSync, true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := waltest.NewFS()
				cfg := small(fs)
				cfg.CacheBytes = -1
				decided, hung := make(chan struct{}), make(chan struct{})
				told := make(chan error, 2)
				cfg.OnFatal = func(err error) {
					told <- err
					<-decided
				}
				l := open(t, cfg)
				must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
				fs.SetHook(func(op waltest.Op) error {
					switch {
					case op.Kind != tt.at:
						return nil
					case tt.hang:
						<-hung
						return nil
					}
					return syscall.EIO
				})
				var mu sync.Mutex
				errs := map[string]error{}
				call := func(name string, f func() error) {
					go func() {
						err := f()
						mu.Lock()
						defer mu.Unlock()
						errs[name] = err
					}()
				}
				seen := func() error {
					synctest.Wait()
					mu.Lock()
					defer mu.Unlock()
					var all []error
					for _, err := range errs {
						all = append(all, err)
					}
					return errors.Join(all...)
				}
				calls := map[string]func() error{
					"store":    func() error { return l.Group(3).StoreLog(entry(3, 1, 0, 100)) },
					"term":     func() error { return l.Group(2).SetUint64([]byte("CurrentTerm"), 2) },
					"truncate": func() error { return l.Group(1).DeleteRange(1, 1) },
					"get":      func() error { return l.Group(1).GetLog(2, new(raft.Log)) },
					"last":     func() error { _, err := l.Group(1).LastIndex(); return err },
				}
				if tt.at == waltest.OpRead {
					call("get", calls["get"])
				} else {
					call("store", func() error { return l.Group(1).StoreLog(entry(1, 4, 0, 100)) })
				}
				synctest.Wait()
				if tt.hang {
					time.Sleep(4 * time.Second) // of virtual time
				}
				if err := <-told; !errors.Is(err, wal.ErrFailed) {
					t.Errorf("OnFatal was told %v", err)
				}
				for name, f := range calls {
					call(name+" later", f)
				}
				if err := seen(); err != nil {
					t.Errorf("before OnFatal returned: %v", err)
				}
				close(decided)
				seen()
				if err := errs["last later"]; err != nil {
					t.Errorf("what came before was refused: %v", err)
				}
				for name, f := range calls {
					if err := f(); !errors.Is(err, wal.ErrFailed) {
						t.Errorf("%s, afterwards: %v", name, err)
					}
				}
				close(hung)
				synctest.Wait()
				if err := l.Close(); !errors.Is(err, wal.ErrFailed) {
					t.Errorf("Close: %v", err)
				}
				if len(told) != 0 {
					t.Errorf("OnFatal was told twice: %v", <-told)
				}
			})
		})
	}
}
