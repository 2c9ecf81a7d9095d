package wal_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"holdfast/wal"
	"holdfast/wal/waltest"
)

// TestEveryCrashPoint cuts the power before every single operation that changes the file system, in several ways each,
// during a workload in which all that the log can do happens many times: segments begun, prepared, recycled and removed;
// prefixes, suffixes and everything truncated and written again; a group that stands still rewritten forward. Some of
// the crashed disks crash again while they are recovered.
func TestEveryCrashPoint(t *testing.T) {
	const ways = 4
	seen := new(recorder)
	x := &round{t: t, r: rand.New(rand.NewPCG(7, 7)), changed: make(map[int]int)}
	for i := range x.workers {
		x.workers[i] = &worker{id: uint32(i + 1), m: newModel(), h: new(history), r: rand.New(rand.NewPCG(7, uint64(10+i)))}
		x.workers[i].h.try(x.workers[i].m.String())
	}
	fs := waltest.NewFS()
	points, again, off := 0, 0, false
	kinds := map[waltest.OpKind]int{}
	var mu sync.Mutex // guards all above: the hook runs on all goroutines of the log
	fs.SetHook(func(op waltest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if off || !op.Changes() {
			return nil
		}
		points++
		kinds[op.Kind]++
		for way := range ways {
			f := x.fork(fs, op)
			if way == 0 {
				f.fs = crashAt(f.fs, x.r, x.r.IntN(6))
				again++
			}
			x.check(&f)
			x.forks++
		}
		return nil
	})
	cfg := crashConfig(fs)
	cfg.Observer = seen
	l := open(t, cfg)
	for _, w := range x.workers {
		x.adopt(w, l)
	}
	x.play(30 * *seeds)
	mu.Lock()
	off = true
	mu.Unlock()
	closeLog(t, l)
	s := l.Space()
	t.Logf("%d crash points (%v), %d crashes checked, %d of them twice; %d had a torn tail; "+
		"%d segments made, %d recycled, %d removed; %d of %d bytes rewritten", points, kinds, x.forks, again, x.torn,
		seen.events[wal.SegmentPrepared], seen.events[wal.SegmentRecycled], seen.events[wal.SegmentRemoved], s.Rewritten, s.Appended)
	if x.torn == 0 || seen.events[wal.SegmentRecycled] < 10 || s.Rewritten < 10_000 {
		t.Error("vacuous: no torn tail, or hardly anything recycled or rewritten")
	}
}

// play lets the workers do so many steps, mostly in turn and now and then at once. The last one stands still most of the
// time: what it has must be rewritten forward.
func (x *round) play(steps int) {
	for n := range steps {
		busy := x.workers[:groups-1]
		if n%50 == 0 {
			busy = x.workers[:]
		}
		var all sync.WaitGroup
		for i, w := range busy {
			if n%5 != 0 && n%len(busy) != i {
				continue
			}
			all.Go(func() {
				if err := w.step(); err != nil {
					x.t.Errorf("group %d: %v", w.id, err)
				}
			})
		}
		if all.Wait(); x.t.Failed() {
			return
		}
	}
}

// TestEveryTornPrefix loses the end of a batch's write from each single byte on: all of the batch is there or nothing of it.
func TestEveryTornPrefix(t *testing.T) {
	fs := waltest.NewFS()
	l := open(t, small(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 1, 3, 0, 100)))
	closeLog(t, l)
	before := fs.ReadFile(firstSegment)
	l = open(t, small(fs))
	must(t, l.Group(1).StoreLogs(entries(1, 4, 8, 0, 300)))
	closeLog(t, l)
	after := fs.ReadFile(firstSegment)
	end := len(after)
	for after[end-1] == before[end-1] {
		end--
	}
	start := 0
	for after[start] == before[start] {
		start++
	}
	old := entries(1, 1, 3, 0, 100)
	for n := start; n <= end; n++ {
		left := changed(fs, firstSegment, slices.Concat(after[:n], before[n:]))
		l := open(t, small(left))
		if n < end {
			want(t, l.Group(1), old)
		} else {
			want(t, l.Group(1), append(old, entries(1, 4, 8, 0, 300)...))
		}
		closeLog(t, l)
	}
	t.Logf("%d torn writes, each byte the last one kept", end-start+1)
}
