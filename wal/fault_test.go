package wal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// TestFailStop makes one operation fail and expects: one call of OnFatal, every waiting and later call refused with the
// cause, and no operation on the disk after the failed one by the committer.
func TestFailStop(t *testing.T) {
	tests := []struct {
		name string
		kind waltest.OpKind
		err  error
	}{
		{"write", waltest.OpWrite, syscall.ENOSPC},
		{"fsync", waltest.OpSync, syscall.EIO},
		{"read-only", waltest.OpWrite, syscall.EROFS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := waltest.NewFS()
			cfg := small(fs)
			var fatals atomic.Int32
			fatal := make(chan error, 4)
			cfg.OnFatal = func(err error) { fatals.Add(1); fatal <- err }
			l := open(t, cfg)
			must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 50)))
			var failed, after atomic.Int32
			fs.SetHook(func(op waltest.Op) error {
				if op.Name != firstSegment {
					return nil
				}
				if failed.Load() > 0 && (op.Kind == waltest.OpSync || op.Kind == waltest.OpWrite) {
					after.Add(1)
				}
				if op.Kind == tt.kind {
					failed.Add(1)
					return tt.err
				}
				return nil
			})
			var all sync.WaitGroup
			for id := range uint32(5) {
				all.Go(func() {
					if err := l.Group(id + 2).StoreLogs(entries(id+2, 1, 3, 0, 50)); !errors.Is(err, wal.ErrFailed) || !errors.Is(err, tt.err) {
						t.Errorf("group %d: %v", id+2, err)
					}
				})
			}
			all.Wait()
			if err := <-fatal; !errors.Is(err, wal.ErrFailed) || !errors.Is(err, tt.err) {
				t.Errorf("OnFatal got %v", err)
			}
			_, last := l.Group(1).LastIndex()
			for _, err := range []error{last, l.Group(1).GetLog(1, new(raft.Log)), l.Group(1).Set([]byte("k"), nil), l.Group(1).Drop(), l.Close()} {
				if !errors.Is(err, wal.ErrFailed) || !errors.Is(err, tt.err) {
					t.Errorf("a later call: %v", err)
				}
			}
			if fatals.Load() != 1 || failed.Load() != 1 || after.Load() != 0 {
				t.Errorf("OnFatal %d times, %d failures, %d operations after", fatals.Load(), failed.Load(), after.Load())
			}
			fs.SetHook(nil)
			l = open(t, small(fs))
			want(t, l.Group(1), entries(1, 1, 3, 0, 50))
			closeLog(t, l)
		})
	}
}

func TestPreparationFails(t *testing.T) {
	fs := waltest.NewFS()
	fs.SetHook(func(op waltest.Op) error {
		if op.Kind == waltest.OpWrite && strings.HasSuffix(op.Name, "2.wal.tmp") {
			return syscall.ENOSPC
		}
		return nil
	})
	cfg := small(fs)
	fatal := make(chan error, 1)
	cfg.OnFatal = func(err error) { fatal <- err }
	l := open(t, cfg)
	if err := <-fatal; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("OnFatal got %v", err)
	}
	if err := l.Close(); !errors.Is(err, wal.ErrFailed) {
		t.Errorf("Close: %v", err)
	}
}

func TestOpenOnAFailingDisk(t *testing.T) {
	whole := sample(t)
	for _, fs := range []*waltest.FS{waltest.NewFS(), whole} {
		for n := 0; ; n++ {
			fs := fs.Kill()
			at := 0
			fs.SetHook(func(op waltest.Op) error {
				if at++; at == n+1 {
					return syscall.EIO
				}
				return nil
			})
			cfg := small(fs)
			cfg.OnFatal = func(error) {} // after Open the housekeeper may be the one that meets it
			l, err := wal.Open(cfg)
			if err == nil {
				_ = l.Close()
				break
			}
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("operation %d fails: %v", n, err)
			}
			fs.SetHook(nil)
			closeLog(t, open(t, small(fs)))
		}
	}
}

// TestStall hangs one operation, in virtual time.
func TestStall(t *testing.T) {
	for _, kind := range []waltest.OpKind{waltest.OpWrite, waltest.OpSync} {
		synctest.Test(t, func(t *testing.T) {
			fs := waltest.NewFS()
			var log bytes.Buffer
			cfg := small(fs)
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			fatal := make(chan error, 1)
			cfg.OnFatal = func(err error) { fatal <- err }
			l := open(t, cfg)
			must(t, l.Group(1).StoreLog(entry(1, 1, 0, 10)))

			hang := func(d time.Duration) {
				fs.SetHook(func(op waltest.Op) error {
					if op.Kind == kind && op.Name == firstSegment {
						<-time.After(d)
					}
					return nil
				})
			}
			hang(900 * time.Millisecond)
			must(t, l.Group(1).StoreLog(entry(1, 2, 0, 10)))
			synctest.Wait()
			if log.Len() > 0 {
				t.Errorf("a wait below the limit was logged: %s", &log)
			}
			hang(2 * time.Second)
			must(t, l.Group(1).StoreLog(entry(1, 3, 0, 10)))
			synctest.Wait()
			if !strings.Contains(log.String(), "slow") {
				t.Errorf("a wait of 2 s was not logged: %s", &log)
			}
			after := 0
			fs.SetHook(func(op waltest.Op) error {
				if after++; after == 1 && op.Kind != kind {
					after-- // the write before the fsync
				} else if op.Name == firstSegment && after == 1 {
					<-time.After(time.Hour)
				}
				return nil
			})
			start := time.Now()
			if err := l.Group(1).StoreLog(entry(1, 4, 0, 10)); !errors.Is(err, wal.ErrFailed) || !errors.Is(err, wal.ErrStalled) {
				t.Errorf("a wait of an hour: %v", err)
			}
			if d := time.Since(start); d != 3*time.Second {
				t.Errorf("refused after %v", d)
			}
			if err := <-fatal; !errors.Is(err, wal.ErrStalled) {
				t.Errorf("OnFatal got %v", err)
			}
			if err := l.Close(); !errors.Is(err, wal.ErrStalled) || after != 1 {
				t.Errorf("Close: %v; %d operations, one of which hung", err, after)
			}
		})
	}
}

// TestGroupCommit holds one fsync up, lets many groups come, and expects them to share the next one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := waltest.NewFS()
		cfg := small(fs)
		seen := new(recorder)
		cfg.Observer = seen
		l := open(t, cfg)
		defer closeLog(t, l)
		fs.SetHook(func(op waltest.Op) error {
			if op.Kind == waltest.OpSync && op.Name == firstSegment {
				<-time.After(time.Millisecond)
			}
			return nil
		})
		var all sync.WaitGroup
		all.Go(func() { must(t, l.Group(0).StoreLog(entry(0, 1, 0, 10))) })
		synctest.Wait()
		for id := range uint32(20) {
			all.Go(func() {
				must(t, l.Group(id+1).StoreLogs(entries(id+1, 1, 2, 0, 10)))
				if last, err := l.Group(id + 1).LastIndex(); last != 2 || err != nil {
					t.Errorf("last index %d, %v", last, err)
				}
			})
		}
		synctest.Wait()
		for id := range uint32(21) {
			if last, _ := l.Group(id).LastIndex(); last != 0 {
				t.Errorf("group %d shows entry %d before it is durable", id, last)
			}
		}
		start := time.Now()
		all.Wait()
		if d := time.Since(start); d != 2*time.Millisecond {
			t.Errorf("two fsyncs took %v", d)
		}
		if n := len(seen.batches); n != 2 || seen.batches[1].Groups != 20 || seen.batches[1].Frames != 40 || seen.batches[1].Sync != time.Millisecond {
			t.Errorf("%d batches: %+v", n, seen.batches)
		}
	})
}

type recorder struct {
	mu       sync.Mutex // guards all
	batches  []wal.BatchStats
	segments int
	bytes    int64
	events   [3]int // by wal.SegmentEvent
	space    wal.Space
	recovery wal.Progress
}

func (r *recorder) ObserveBatch(b wal.BatchStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, b)
}

func (r *recorder) ObserveSegments(n int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.segments, r.bytes = n, bytes
}

func (r *recorder) ObserveSegment(e wal.SegmentEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[e]++
}

func (r *recorder) ObserveSpace(s wal.Space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.space = s
}

func (r *recorder) ObserveRecovery(p wal.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recovery = p
}

// TestCloseWritesWhatWaits closes while callers wait; what they were told must be true.
func TestCloseWritesWhatWaits(t *testing.T) {
	for range 20 {
		fs := waltest.NewFS()
		l := open(t, small(fs))
		var all sync.WaitGroup
		var stored [8]atomic.Uint64
		begun := make(chan struct{}, 1)
		for id := range stored {
			all.Go(func() {
				for i := uint64(1); ; i++ {
					err := l.Group(uint32(id)).StoreLog(entry(uint32(id), i, 0, 300))
					if errors.Is(err, wal.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					stored[id].Store(i)
					select {
					case begun <- struct{}{}:
					default:
					}
				}
			})
		}
		<-begun
		closeLog(t, l)
		all.Wait()
		l = open(t, small(fs))
		for id := range stored {
			if last, err := l.Group(uint32(id)).LastIndex(); last < stored[id].Load() || err != nil {
				t.Errorf("group %d ends at %d, %d was acknowledged; %v", id, last, stored[id].Load(), err)
			}
		}
		closeLog(t, l)
	}
}
