package wal

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Log is the one write-ahead log of a node, shared by all its Raft groups.
//
// Three goroutines work for it, all started by Open and waited for by Close: the committer (commit.go) writes batches,
// the housekeeper (housekeep.go) prepares segments and removes dead ones, the rewriter (rewrite.go) reads the live
// entries of the oldest segment when they pin too much.
//
// Locks, in this order: mu; then wait or a group's mu; then a segment's mu or the cache's.
type Log struct {
	cfg  Config
	lock io.Closer
	work sync.WaitGroup // committer, housekeeper and rewriter

	// mu guards everything down to the next blank line, and of each group what it says there.
	mu       sync.Mutex
	groups   map[uint32]*Group
	batches  [2]batch
	fill     *batch     // takes frames while the other one is written
	spare    *batch     // nil while it is written
	closing  bool       // Close was called: what waits is still written
	drained  bool       // the committer is gone
	starved  bool       // the committer waits for a segment
	blocked  bool       // the offer needs a segment that the hard bound does not allow
	victim   *segment   // the oldest segment while its live entries are rewritten forward
	offer    *offer     // entries of the victim for the next batch
	pace     int        // length of the last batch without rewritten entries
	space    Space      // as of the last durable batch
	segments []*segment // in use, by sequence; the last one is the active one
	unused   []*segment // prepared, following them
	dead     []*segment // to be removed, preceding them
	used     int64      // length of segments together
	over     bool       // what OverSoftBound said last
	peak     int        // most segments in use at once, not long ago
	reserved int        // length of the frames of a checkpoint of all groups, with what is waiting

	// wait is held shared by all who wait for a batch, and for a moment alone when one is durable or the log ends.
	wait    sync.RWMutex
	durable atomic.Uint64 // ticket of the last durable batch

	filled  sync.Cond // on mu: fill has frames, or the log ends
	room    sync.Cond // on mu: fill is empty again, or the log ends
	chores  sync.Cond // on mu: there is something to prepare or remove, or the log ends
	renewed sync.Cond // on mu: unused has a segment, or the log ends
	moving  sync.Cond // on mu: there is a victim, its chunk was taken or it is gone, or the log ends

	failing atomic.Bool               // the log has failed, and OnFatal is told so
	failed  chan struct{}             // closed when OnFatal has been told
	stopped atomic.Pointer[stopCause] // why nothing works any more; nil while it does
	disk    atomic.Int64              // length of all segment files
	files   atomic.Int64              // their number

	// The committer's own.
	active    *segment
	nextBatch uint64
	cache     *cache
	pass      pass   // of rewriting, over the log
	scratch   []byte // checkpoints and seals
	relief    []byte // batches of rewritten entries alone
	watch     *watchdog

	white       []byte    // the housekeeper's: zeros to write, nil until they are needed
	watchChores *watchdog // the housekeeper's
	watchReads  *watchdog // the rewriter's
	watchGets   watchdogs // the callers' of GetLog
}

// stopCause is why calls are refused.
type stopCause struct{ err error }

// Open recovers the log in cfg.Dir, creating it when there is none, and starts its goroutines.
// Its errors are ErrConfig, ErrLocked, ErrOtherCluster, ErrNewerFormat, a *CorruptionError, or the file system's.
func Open(cfg Config) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	l := newLog(cfg)
	if err := l.recover(); err != nil {
		return nil, err
	}
	l.work.Go(l.commitLoop)
	l.work.Go(l.housekeepLoop)
	l.work.Go(l.rewriteLoop)
	return l, nil
}

func newLog(cfg Config) *Log {
	l := &Log{cfg: cfg, groups: make(map[uint32]*Group), cache: newCache(cfg.CacheBytes), failed: make(chan struct{})}
	l.fill, l.spare = &l.batches[0], &l.batches[1]
	l.fill.ticket = 1
	for _, c := range l.conds() {
		c.L = &l.mu
	}
	for i := range l.batches {
		l.batches[i].written.L = l.wait.RLocker()
	}
	warn := func(op string, d time.Duration) {
		l.cfg.Logger.Warn("the log's disk is slow", "dir", l.cfg.Dir, "operation", op, "over", d)
	}
	exit := func(op string, d time.Duration) {
		l.fail(fmt.Errorf("%w: %s takes over %v", ErrStalled, op, d))
	}
	l.watch = newWatchdog(cfg.StallWarn, cfg.StallExit, warn, exit)
	l.watchChores = newWatchdog(cfg.StallWarn, cfg.StallExit, warn, exit)
	l.watchReads = newWatchdog(cfg.StallWarn, cfg.StallExit, warn, exit)
	l.watchGets.one = func() *watchdog { return newWatchdog(cfg.StallWarn, cfg.StallExit, warn, exit) }
	return l
}

// Group returns the log of one Raft group, the same pointer each time.
func (l *Log) Group(id uint32) *Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groupLocked(id, nil)
}

func (l *Log) groupLocked(id uint32, s *groupState) *Group {
	g := l.groups[id]
	if g == nil {
		g = newGroup(l, id, s)
		l.groups[id] = g
	}
	return g
}

// Groups returns, in order, the groups of which the log holds an entry or a stable key.
func (l *Log) Groups() []uint32 {
	var ids []uint32
	for _, g := range l.sorted() {
		g.mu.RLock()
		if !g.state.bare() {
			ids = append(ids, g.id)
		}
		g.mu.RUnlock()
	}
	return ids
}

func (l *Log) sorted() []*Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Group, 0, len(l.groups))
	for _, g := range l.groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *Group) int { return cmp.Compare(a.id, b.id) })
	return all
}

// DiskBytes is the length of all segment files, those prepared in advance included.
func (l *Log) DiskBytes() int64 { return l.disk.Load() }

// OverSoftBound reports whether the segments in use are longer than Config.SoftBytes: leaders then admit nothing new,
// and snapshots are due, after which old segments go. It stays true until an eighth of SoftBytes is free again, so that
// leaders do not open and close with each segment.
func (l *Log) OverSoftBound() bool {
	if l.cfg.SoftBytes == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.used > l.cfg.SoftBytes:
		l.over = true
	case l.used <= max(l.cfg.SegmentBytes, l.cfg.SoftBytes-l.cfg.SoftBytes/8):
		l.over = false
	}
	return l.over
}

// Close writes what is waiting, stops the goroutines, closes the files and gives up the lock. Later calls get
// ErrClosed. It returns the failure when the log has failed; after ErrStalled it waits until the disk answers.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closing = true
	l.wakeLocked()
	l.mu.Unlock()

	l.work.Wait()
	l.watch.wait()
	l.watchChores.wait()
	l.watchReads.wait()
	l.watchGets.wait()
	failure := l.err()
	l.stopped.CompareAndSwap(nil, &stopCause{ErrClosed})
	closed := l.closeFiles()
	if failure != nil {
		return failure // what closing a log that failed says adds nothing
	}
	return closed
}

// fail ends the log for good. Only the first cause counts. OnFatal is told before anyone can see the failure: raft panics
// over some errors of a log, and the process must get to end with a reason before that. Until then calls go on to wait.
func (l *Log) fail(cause error) {
	if !l.failing.CompareAndSwap(false, true) {
		<-l.failed
		return
	}
	defer close(l.failed)
	if l.err() != nil {
		return // closed
	}
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	l.cfg.Logger.Error("the log has failed: the process must end", "dir", l.cfg.Dir, "error", err)
	l.cfg.OnFatal(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped.CompareAndSwap(nil, &stopCause{err})
	l.wakeLocked()
}

// err is why calls are refused, or nil.
func (l *Log) err() error {
	if s := l.stopped.Load(); s != nil {
		return s.err
	}
	return nil
}

// wakeLocked lets everyone who waits look again whether the log ends.
func (l *Log) wakeLocked() {
	l.wait.Lock() // who has seen that nothing ends yet waits by now
	defer l.wait.Unlock()
	for _, c := range l.conds() {
		c.Broadcast()
	}
}

func (l *Log) conds() [7]*sync.Cond {
	return [...]*sync.Cond{&l.filled, &l.room, &l.chores, &l.renewed, &l.moving, &l.batches[0].written, &l.batches[1].written}
}

func randomSalt() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return le.Uint64(b[:])
}
