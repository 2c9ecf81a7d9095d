package wal_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc64"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

var (
	seeds = flag.Int("seeds", 6, "number of seeds of the random crash test")
	seed  = flag.Uint64("seed", 0, "run only this seed of the random crash test")
)

// model is what one group must hold: the naive way.
type model struct {
	first uint64
	logs  []uint64 // digests of the entries
	keys  map[string]string
}

// crashConfig makes everything happen soon: rewriting too. Nobody may find the disk slow while forks are checked.
func crashConfig(fs wal.FS) wal.Config {
	c := small(fs)
	c.DeadBytes, c.StallWarn, c.StallExit = 8<<10, time.Hour, time.Hour
	return c
}

func newModel() *model { return &model{keys: make(map[string]string)} }

func (m *model) clone() *model {
	return &model{m.first, slices.Clone(m.logs), maps.Clone(m.keys)}
}

func (m *model) last() uint64 { return m.first + uint64(len(m.logs)) - 1 }

// digest stands for every field of an entry.
func digest(l *raft.Log) uint64 {
	h := crc64.New(crc64.MakeTable(crc64.ECMA))
	_ = binary.Write(h, binary.LittleEndian, []uint64{l.Index, l.Term, uint64(l.Type), uint64(l.AppendedAt.UnixNano()), uint64(len(l.Data))})
	_, _ = h.Write(l.Data)
	_, _ = h.Write(l.Extensions)
	return h.Sum64()
}

// String is the state in full: two states are the same when their strings are.
func (m *model) String() string {
	var b strings.Builder
	if len(m.logs) > 0 {
		fmt.Fprintf(&b, "from %d:", m.first)
	}
	for _, l := range m.logs {
		fmt.Fprintf(&b, " %x", l)
	}
	for _, k := range slices.Sorted(maps.Keys(m.keys)) {
		fmt.Fprintf(&b, " %s=%s", k, m.keys[k])
	}
	return b.String()
}

// modelOf reads a group of a log.
func modelOf(g *wal.Group) (*model, error) {
	m := newModel()
	var err error
	if m.first, err = g.FirstIndex(); err != nil {
		return nil, err
	}
	last, err := g.LastIndex()
	if err != nil {
		return nil, err
	}
	for i := m.first; i != 0 && i <= last; i++ {
		var l raft.Log
		if err := g.GetLog(i, &l); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		m.logs = append(m.logs, digest(&l))
	}
	for _, k := range keyNames {
		if v, err := g.Get([]byte(k)); err == nil {
			m.keys[k] = string(v)
		}
	}
	return m, nil
}

const firstSegment = dir + "/0000000000000001.wal"

var keyNames = []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"}

// history is every state a group may be found in, in order, and how far that has been acknowledged.
type history struct {
	mu     sync.Mutex
	states []string
	acked  int // position of the state that was acknowledged last
}

func (h *history) try(s ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, s...)
}

func (h *history) ack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked = len(h.states) - 1
}

// between are the states from one that was acknowledged to before the last one tried.
func (h *history) between(acked, tried int) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[acked:tried:tried]
}

func (h *history) bounds() (acked, tried int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked, len(h.states)
}

// worker drives one group, which nobody else does.
type worker struct {
	id      uint32
	g       *wal.Group
	m       *model
	h       *history
	r       *rand.Rand
	version int
}

// step does one random operation and notes it before and after.
func (w *worker) step() error {
	next := w.m.clone()
	var states []string
	var call func() error
	switch n := w.r.IntN(20); {
	case n < 12:
		var logs []*raft.Log
		if len(next.logs) == 0 && w.r.IntN(2) == 0 {
			next.first = 1 + w.r.Uint64N(1000)
		}
		for range 1 + w.r.IntN(6) {
			w.version++
			l := entry(w.id, max(next.first, 1)+uint64(len(next.logs)), w.version, w.r.IntN(900))
			next.first = max(next.first, 1)
			next.logs = append(next.logs, digest(l))
			logs = append(logs, l)
			states = append(states, next.String())
		}
		call = func() error { return w.g.StoreLogs(logs) }
	case n < 14 && len(next.logs) > 0:
		cut := 1 + w.r.IntN(len(next.logs))
		low, high := next.first, next.first+uint64(cut)-1
		next.first, next.logs = high+1, next.logs[cut:]
		call = func() error { return w.g.DeleteRange(low, high) }
	case n < 16 && len(next.logs) > 0:
		cut := w.r.IntN(len(next.logs))
		low, high := next.first+uint64(cut), next.last()
		next.logs = next.logs[:cut]
		call = func() error { return w.g.DeleteRange(low, high) }
	case n == 16 && w.r.IntN(5) == 0:
		next.logs = nil
		call = w.g.Drop
	default:
		w.version++
		k, v := keyNames[w.r.IntN(len(keyNames))], fmt.Sprint(w.version)
		next.keys[k] = v
		call = func() error { return w.g.Set([]byte(k), []byte(v)) }
	}
	if states == nil {
		states = []string{next.String()}
	}
	w.h.try(states...)
	if err := call(); err != nil {
		return err
	}
	w.h.ack()
	w.m = next
	return nil
}

// fork is what a crash left, with what it must hold.
type fork struct {
	fs           *waltest.FS
	acked, tried [groups]int
	at           string
}

const (
	groups      = 4
	generations = 3
	steps       = 60
)

// round is one seed of the crash test.
type round struct {
	t       *testing.T
	r       *rand.Rand
	workers [groups]*worker
	forks   int
	torn    int
	shown   int         // forks that crashed again right after Open
	changed map[int]int // forks found in the acknowledged state (0) or so many states beyond it
}

// TestCrash plays a random workload on several groups and cuts the power at random operations of the file system, with
// random loss. Each time everything acknowledged must be there and nothing that was not tried. Then it goes on from one
// of the crashed disks, several times.
func TestCrash(t *testing.T) {
	total, torn, beyond := 0, 0, 0
	for s := range uint64(*seeds) {
		if *seed != 0 && s != *seed {
			continue
		}
		x := &round{t: t, r: rand.New(rand.NewPCG(s, 1)), changed: make(map[int]int)}
		for i := range x.workers {
			x.workers[i] = &worker{id: uint32(i + 1), m: newModel(), h: new(history), r: rand.New(rand.NewPCG(s, uint64(10+i)))}
			x.workers[i].h.try(x.workers[i].m.String())
		}
		fs := waltest.NewFS()
		for range generations {
			if fs = x.generation(fs); t.Failed() {
				t.Fatalf("seed %d; run it again with -seed", s)
			}
		}
		total, torn = total+x.forks, torn+x.torn
		for n, count := range x.changed {
			if n > 0 {
				beyond += count
			}
		}
	}
	t.Logf("%d crashes, %d of them with a torn tail; %d groups were found beyond what was acknowledged", total, torn, beyond)
	if *seed == 0 && (torn == 0 || beyond == 0 || total < 100) {
		t.Error("vacuous: too few crashes, no torn tail, or never more than what was acknowledged")
	}
}

// generation runs the workload on fs, checks all forks taken meanwhile, and returns one of them to go on with.
func (x *round) generation(fs *waltest.FS) *waltest.FS {
	var forks []fork
	var mu sync.Mutex // guards forks and x.r: the hook runs on the committer and the housekeeper
	off := false
	fs.SetHook(func(op waltest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if off {
			return nil
		}
		if op.Changes() && x.r.IntN(10) == 0 {
			forks = append(forks, x.fork(fs, op))
		}
		return nil
	})
	l := open(x.t, crashConfig(fs))
	var all sync.WaitGroup
	for _, w := range x.workers {
		x.adopt(w, l)
		all.Go(func() {
			for range steps {
				if err := w.step(); err != nil {
					x.t.Errorf("group %d: %v", w.id, err)
					return
				}
			}
		})
	}
	all.Wait()
	mu.Lock()
	off = true
	mu.Unlock()
	closeLog(x.t, l)
	for i := range forks {
		x.check(&forks[i])
	}
	x.forks += len(forks)
	if len(forks) == 0 {
		x.t.Fatal("no crash in a whole generation")
	}
	last := forks[len(forks)-1-x.r.IntN((len(forks)+1)/2)]
	x.rewind(last)
	return last.fs
}

func (x *round) fork(fs *waltest.FS, op waltest.Op) fork {
	f := fork{at: fmt.Sprintf("%+v", op)}
	for i, w := range x.workers {
		f.acked[i], _ = w.h.bounds()
	}
	if x.r.IntN(5) == 0 {
		f.fs = fs.Kill()
	} else {
		f.fs = fs.Crash(x.r)
	}
	for i, w := range x.workers {
		_, f.tried[i] = w.h.bounds()
	}
	return f
}

// check recovers a copy of what the crash left.
func (x *round) check(f *fork) {
	copied := f.fs.Kill()
	r, err := wal.Verify(copied, dir)
	if err != nil {
		x.t.Errorf("crash before %s: Verify: %v", f.at, err)
		return
	}
	if r.TornTail != nil {
		x.torn++
	}
	l, err := wal.Open(crashConfig(copied))
	if err != nil {
		x.t.Errorf("crash before %s: %v", f.at, err)
		return
	}
	defer closeLog(x.t, l)
	found := make(map[uint32]string)
	for i, w := range x.workers {
		at, s := x.find(*f, i, l.Group(w.id))
		if at < 0 {
			x.t.Errorf("crash before %s: group %d holds %s, acknowledged was %s", f.at, w.id, s, w.h.between(f.acked[i], f.tried[i])[0])
			continue
		}
		x.changed[at-f.acked[i]]++
		found[w.id] = s
	}
	if x.r.IntN(4) == 0 {
		x.checkShown(f, copied.Crash(x.r), found)
	}
}

// checkShown cuts the power once more right after Open: what it showed to raft must not vanish, acknowledged or not.
func (x *round) checkShown(f *fork, again *waltest.FS, found map[uint32]string) {
	x.shown++
	l, err := wal.Open(crashConfig(again))
	if err != nil {
		x.t.Errorf("crash before %s, and right after Open: %v", f.at, err)
		return
	}
	defer closeLog(x.t, l)
	for id, was := range found {
		if m, err := modelOf(l.Group(id)); err != nil || m.String() != was {
			x.t.Errorf("crash before %s: Open showed group %d with %s, after another crash it has %v, %v", f.at, id, was, m, err)
		}
	}
}

// find returns which of the states group i may be in it is in, or -1.
func (x *round) find(f fork, i int, g *wal.Group) (int, string) {
	m, err := modelOf(g)
	if err != nil {
		return -1, err.Error()
	}
	s := m.String()
	h := x.workers[i].h
	at := slices.Index(h.between(f.acked[i], f.tried[i]), s)
	if at < 0 {
		return -1, s
	}
	return at + f.acked[i], s
}

// rewind makes what a group may be found in after the crash what it may be found in while the log is opened again: a
// second crash before Open returned may still take what the first one left.
func (x *round) rewind(f fork) {
	for i, w := range x.workers {
		w.h = &history{states: w.h.between(f.acked[i], f.tried[i])}
	}
}

// adopt goes on from what Open found, as raft does: it counts as acknowledged from now on.
func (x *round) adopt(w *worker, l *wal.Log) {
	w.g = l.Group(w.id)
	m, err := modelOf(w.g)
	if err != nil {
		x.t.Fatal(err)
	}
	w.m = m
	w.h.try(m.String())
	w.h.ack()
}

// TestCrashCheckerFindsLoss takes away what was acknowledged and expects the checker to see it.
func TestCrashCheckerFindsLoss(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	h := new(history)
	w := &worker{id: 1, g: l.Group(1), m: newModel(), h: h, r: rand.New(rand.NewPCG(1, 2))}
	h.try(w.m.String())
	for range 20 {
		must(t, w.step())
	}
	closeLog(t, l)
	x := &round{t: t, workers: [groups]*worker{w}}
	f := fork{fs: fs}
	f.acked[0], f.tried[0] = h.bounds()

	l = open(t, small(fs))
	if at, s := x.find(f, 0, l.Group(1)); at != f.acked[0] {
		t.Errorf("the acknowledged state is not found: %d, %s", at, s)
	}
	must(t, l.Group(1).StoreLog(entry(1, w.m.first+uint64(len(w.m.logs)), 99, 10)))
	if at, _ := x.find(f, 0, l.Group(1)); at >= 0 {
		t.Error("an entry nobody tried to write is not found")
	}
	must(t, l.Group(1).Drop())
	if at, _ := x.find(f, 0, l.Group(1)); at >= 0 {
		t.Error("the loss of everything is not found")
	}
	closeLog(t, l)
}

// TestKillThenPowerCut is scenario 13 of the design: a killed process leaves a batch in the page cache, the next one
// accepts it and appends, then the power is cut. What the first had in the cache must not vanish from the middle.
func TestKillThenPowerCut(t *testing.T) {
	for s := range uint64(50) {
		r := rand.New(rand.NewPCG(s, 3))
		fs := waltest.NewFS()
		l := open(t, small(fs))
		must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 700)))
		var killed *waltest.FS
		fs.SetHook(func(op waltest.Op) error {
			if op.Kind == waltest.OpSync && op.Name == firstSegment && killed == nil {
				killed = fs.Kill() // written, not yet synced
			}
			return nil
		})
		must(t, l.Group(1).StoreLogs(entries(1, 4, 6, 0, 700)))
		fs.SetHook(nil)
		closeLog(t, l)

		l = open(t, small(killed))
		want(t, l.Group(1), entries(1, 1, 6, 0, 700))
		shown := killed.Crash(r) // before anything else is written: raft has already seen the entries
		must(t, l.Group(1).StoreLogs(entries(1, 7, 7, 0, 700)))
		cut := killed.Crash(r)
		closeLog(t, l)
		l = open(t, small(shown))
		want(t, l.Group(1), entries(1, 1, 6, 0, 700))
		closeLog(t, l)
		l = open(t, small(cut))
		want(t, l.Group(1), entries(1, 1, 7, 0, 700))
		closeLog(t, l)
	}
}

// TestCrashWhileRecovering cuts the power again and again while a torn tail is being cut.
func TestCrashWhileRecovering(t *testing.T) {
	for s := range uint64(100) {
		r := rand.New(rand.NewPCG(s, 4))
		fs := waltest.NewFS()
		l := open(t, small(fs))
		must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
		var cut *waltest.FS
		fs.SetHook(func(op waltest.Op) error {
			if op.Kind == waltest.OpSync && op.Name == firstSegment && cut == nil {
				cut = fs.Crash(r)
			}
			return nil
		})
		must(t, l.Group(1).StoreLogs(entries(1, 4, 9, 0, 900)))
		closeLog(t, l)
		for range 5 {
			l, err := wal.Open(small(crashAt(cut, r, r.IntN(8))))
			must(t, err)
			var got raft.Log
			for i := uint64(1); i <= 3; i++ {
				must(t, l.Group(1).GetLog(i, &got))
			}
			closeLog(t, l)
		}
	}
}

// crashAt opens fs and crashes it at the nth change; fs itself stays as it is.
func crashAt(fs *waltest.FS, r *rand.Rand, n int) *waltest.FS {
	fs = fs.Kill()
	power := errors.New("no power")
	var cut *waltest.FS
	fs.SetHook(func(op waltest.Op) error {
		if cut != nil {
			return power
		}
		if n--; op.Changes() && n < 0 {
			cut = fs.Crash(r)
			return power
		}
		return nil
	})
	l, err := wal.Open(small(fs))
	if err == nil {
		_ = l.Close() // the power may go at any time
	}
	if cut == nil {
		cut = fs.Crash(r)
	}
	return cut
}
