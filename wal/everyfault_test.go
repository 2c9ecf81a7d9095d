package wal_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// faultsOf are the ways an operation can fail.
func faultsOf(kind waltest.OpKind) []error {
	switch kind {
	case waltest.OpWrite:
		return []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS, waltest.ErrShort}
	case waltest.OpRead:
		return []error{syscall.EIO}
	}
	return []error{syscall.EIO, syscall.ENOSPC}
}

// faultRun is one run of a workload in which one operation fails.
type faultRun struct {
	t  *testing.T
	fs *waltest.FS
	at int // the operation that fails
	// only, when set, counts what is done on files of this kind alone.
	only string
	// turn counts the faults of each kind of operation on each kind of file over all runs, so that each is met in each of its ways.
	turn map[string]int
	// ways is in how many ways each kind that was met can fail.
	ways map[string]int

	mu     sync.Mutex // guards all below
	ops    int
	failed *waltest.Op
	err    error
	bad    []string // operations on the failed file afterwards
	seen   bool     // a caller has been told
	off    bool
}

func (r *faultRun) hook(op waltest.Op) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off || op.Kind == waltest.OpLock {
		return nil
	}
	if r.failed != nil {
		// A read fails beside the committer, which goes on until the caller of that read is told.
		if (r.failed.Kind != waltest.OpRead || r.seen) && op.Name == r.failed.Name && (op.Kind == waltest.OpSync || op.Kind == waltest.OpWrite || op.Kind == waltest.OpSyncDir) {
			r.bad = append(r.bad, fmt.Sprintf("%+v", op))
		}
		return nil
	}
	r.ways[what(op)] = len(faultsOf(op.Kind))
	if r.only != "" && what(op) != r.only {
		return nil
	}
	if r.ops++; r.ops <= r.at {
		return nil
	}
	faults := faultsOf(op.Kind)
	r.failed, r.err = &op, faults[r.turn[what(op)]%len(faults)]
	r.turn[what(op)]++
	return r.err
}

// what is the kind of an operation, and of its file.
func what(op waltest.Op) string { return fmt.Sprint(op.Kind, filepath.Ext(op.Name)) }

// cause is what the log must say.
func (r *faultRun) cause() error {
	if errors.Is(r.err, waltest.ErrShort) {
		return io.ErrShortWrite
	}
	return r.err
}

// TestEveryFault lets every single operation on the disk fail, in turn, of a workload that does all there is: appends,
// reads, rotation, preparation, recycling, removal, rewriting. Each time the log ends at once with the reason, tells it
// once, refuses everybody from then on, and does not touch the file again, above all with no second fsync: from the
// failure on, and after a failed read, which comes beside the committer, from when its caller knows. The next start finds
// what was acknowledged.
func TestEveryFault(t *testing.T) {
	counts, turn := map[string]int{}, map[string]int{}
	ways := map[string]int{}
	fails := func(at int, only string) bool {
		r := &faultRun{t: t, fs: waltest.NewFS(), at: at, only: only, turn: turn, ways: ways}
		more := r.run(counts)
		if t.Failed() {
			t.Fatalf("operation %d %q: %+v fails with %v", at, only, r.failed, r.err)
		}
		return more
	}
	for at := 0; fails(at, ""); at++ {
	}
	for only, n := range ways { // some come once in a run, and not always as the same operation
		for turn[only] < n && fails(0, only) {
		}
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	t.Logf("%d faults: %v", total, counts)
	for _, must := range []string{"write wal short", "write tmp no space", "allocate tmp no space", "sync wal input/output", "sync tmp", "rename tmp", "syncdir", "read wal"} {
		seen := false
		for what := range counts {
			seen = seen || containsAll(what, strings.Fields(must))
		}
		if !seen {
			t.Errorf("vacuous: never %q", must)
		}
	}
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// run reports whether there was an operation to fail.
func (r *faultRun) run(counts map[string]int) bool {
	t := r.t
	cfg := crashConfig(r.fs)
	cfg.CacheBytes = -1
	fatal := make(chan error, 4)
	cfg.OnFatal = func(err error) { fatal <- err }
	l := open(t, cfg)
	w := &worker{id: 1, g: l.Group(1), m: newModel(), h: new(history), r: rand.New(rand.NewPCG(1, 9))}
	w.h.try(w.m.String())
	must(t, l.Group(2).StoreLogs(entries(2, 1, 3, 0, 300)))
	r.fs.SetHook(r.hook)
	err := r.work(l, w)
	r.mu.Lock()
	r.seen = true
	r.mu.Unlock()
	closed := l.Close()
	r.mu.Lock()
	r.off = true
	failed := r.failed
	r.mu.Unlock()
	if failed == nil {
		must(t, err)
		must(t, closed)
		return false
	}
	counts[r.name()]++
	var told error
	select {
	case told = <-fatal:
	default: // Close has returned, so nobody will be told any more
	}
	for _, err := range []error{told, closed, l.Group(1).StoreLog(entry(1, 1, 0, 1)), l.Group(2).GetLog(1, new(raft.Log)), l.Group(2).Set([]byte("k"), nil)} {
		if !errors.Is(err, wal.ErrFailed) || !errors.Is(err, r.cause()) {
			t.Errorf("error %v, want %v", err, r.cause())
		}
	}
	if err != nil && !errors.Is(err, wal.ErrFailed) {
		t.Errorf("a call that met the failure: %v", err)
	}
	late := 0
	if failed.Kind == waltest.OpRead {
		late = 1 // the committer's operation that was on its way
	}
	if len(fatal) > 0 || len(r.bad) > late {
		t.Errorf("OnFatal %d times too often; after the failure: %v", len(fatal), r.bad)
	}
	r.checkState(w)
	return true
}

// work does 150 steps, or until the log fails, and reads now and then.
func (r *faultRun) work(l *wal.Log, w *worker) error {
	for n := range 150 {
		if err := w.step(); err != nil {
			return err
		}
		if n%10 == 0 {
			if err := l.Group(2).GetLog(1, new(raft.Log)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *faultRun) name() string {
	kind := map[waltest.OpKind]string{
		waltest.OpOpen: "open", waltest.OpWrite: "write", waltest.OpSync: "sync", waltest.OpRead: "read", waltest.OpRename: "rename",
		waltest.OpRemove: "remove", waltest.OpSyncDir: "syncdir", waltest.OpAllocate: "allocate",
	}[r.failed.Kind]
	ext := strings.TrimPrefix(filepath.Ext(r.failed.Name), ".")
	if r.failed.Kind == waltest.OpRename && ext == "wal" {
		ext = "tmp to wal"
	}
	return fmt.Sprintf("%s %s %v", kind, ext, r.err)
}

// checkState opens what is left, on a disk that works again.
func (r *faultRun) checkState(w *worker) {
	l := open(r.t, crashConfig(r.fs))
	defer closeLog(r.t, l)
	want(r.t, l.Group(2), entries(2, 1, 3, 0, 300))
	x := &round{t: r.t, workers: [groups]*worker{w}}
	f := fork{fs: r.fs}
	f.acked[0], f.tried[0] = w.h.bounds()
	if at, s := x.find(f, 0, l.Group(1)); at < 0 {
		r.t.Errorf("group 1 holds %s, acknowledged was %s", s, w.h.between(f.acked[0], f.tried[0])[0])
	}
}

// TestStallWhilePreparing hangs the housekeeper: it warns after a second and ends the log after three, in virtual time.
func TestStallWhilePreparing(t *testing.T) {
	for _, kind := range []waltest.OpKind{waltest.OpWrite, waltest.OpSync, waltest.OpRename, waltest.OpSyncDir} {
		synctest.Test(t, func(t *testing.T) {
			fs := waltest.NewFS()
			cfg := small(fs)
			fatal := make(chan error, 1)
			cfg.OnFatal = func(err error) { fatal <- err }
			l := open(t, cfg)
			synctest.Wait()
			var mu sync.Mutex // guards hung and after
			hung, after := "", 0
			fs.SetHook(func(op waltest.Op) error {
				mu.Lock()
				if hung != "" && (op.Name == hung || op.Kind == waltest.OpSyncDir) && (op.Kind == waltest.OpSync || op.Kind == waltest.OpSyncDir) {
					after++
				}
				hang := op.Kind == kind && hung == "" && (kind == waltest.OpSyncDir || strings.Contains(op.Name, "3.wal"))
				if hang {
					hung = op.Name
				}
				mu.Unlock()
				if hang {
					<-time.After(time.Minute)
				}
				return nil
			})
			start := time.Now()
			for i := uint64(1); i < 40; i++ {
				if err := l.Group(1).StoreLog(entry(1, i, 0, 500)); err != nil {
					break
				}
			}
			if err := <-fatal; !errors.Is(err, wal.ErrStalled) || time.Since(start) != 3*time.Second {
				t.Errorf("kind %d: %v after %v", kind, err, time.Since(start))
			}
			if err := l.Close(); !errors.Is(err, wal.ErrStalled) || after > 0 {
				t.Errorf("Close: %v; %d fsyncs after the failure", err, after)
			}
		})
	}
}

// TestProgress reads a log from a disk that takes its time, in virtual time.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := waltest.NewFS()
		l := open(t, small(fs))
		must(t, l.Group(1).StoreLogs(entries(1, 1, 120, 0, 500)))
		closeLog(t, l)
		segments := len(segmentsOf(fs))
		fs.SetHook(func(op waltest.Op) error {
			if op.Kind == waltest.OpRead {
				<-time.After(400 * time.Millisecond)
			}
			return nil
		})
		var told []wal.Progress
		cfg := small(fs)
		seen := new(recorder)
		cfg.Observer = seen
		cfg.OnProgress = func(p wal.Progress) { told = append(told, p) }
		l = open(t, cfg)
		defer closeLog(t, l)
		if len(told) != segments/3 || told[0].Segments != 3 || told[0].OfSegments != segments || told[0].Elapsed != 1200*time.Millisecond || told[0].Bytes != 3*16<<10 {
			t.Errorf("%d segments: %+v", segments, told)
		}
		if p := seen.recovery; p.Segments != segments || p.Elapsed != time.Duration(segments)*400*time.Millisecond {
			t.Errorf("recovery %+v", p)
		}
		fs.SetHook(nil)
	})
}
