package wal_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hashicorp/raft"
)

var recoveryMiB = flag.Int("recovery-mib", 16, "length of the log that BenchmarkRecovery opens, in MiB")

// job is one cell of the tables: what is done, by how many groups at once, with entries of what length, how many a call.
type job struct {
	bench         string
	groups        int
	entry, batch  int
	run           func(*testing.B, rival, job)
	withoutMemory bool // a store that keeps nothing has nothing to do
}

// name is as benchstat reads it, without the rival.
func (j job) name() string {
	return fmt.Sprintf("groups=%d/entry=%s/batch=%d", j.groups, bytesName(j.entry), j.batch)
}

func bytesName(n int) string {
	if n >= 1<<10 {
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}

// jobs are all cells, in the order of the tables.
func jobs() []job {
	var all []job
	for _, batch := range []int{1, 64} {
		for _, entry := range []int{256, 4 << 10, 64 << 10} {
			for _, groups := range []int{1, 4, 8, 32} {
				if !brief() || groups*entry*batch <= 8<<20 {
					all = append(all, job{bench: "Append", groups: groups, entry: entry, batch: batch, run: benchmarkAppend})
				}
			}
		}
	}
	for _, entry := range []int{256, 4 << 10, 64 << 10} {
		all = append(all, job{bench: "Tail", groups: 1, entry: entry, batch: 1, run: benchmarkTail},
			job{bench: "Middle", groups: 1, entry: entry, batch: 1, run: benchmarkMiddle})
	}
	for _, entry := range []int{4 << 10, 64 << 10} {
		all = append(all, job{bench: "Recovery", groups: 4, entry: entry, batch: 64, run: benchmarkRecovery, withoutMemory: true})
	}
	for _, batch := range []int{1, 64} {
		all = append(all, job{bench: "Reclaim", groups: 8, entry: 4 << 10, batch: batch, run: benchmarkReclaim})
	}
	return all
}

func (j job) rivals() []rival {
	switch {
	case j.withoutMemory:
		return rivals[:2]
	case j.bench == "Append":
		return append(rivals[:len(rivals):len(rivals)], floors...)
	}
	return rivals
}

func runJobs(b *testing.B, bench string) {
	for _, j := range jobs() {
		for _, r := range j.rivals() {
			if j.bench == bench {
				b.Run("rival="+r.name+"/"+j.name(), func(b *testing.B) { j.run(b, r, j) })
			}
		}
	}
}

// BenchmarkAppend stores entries in each of some groups at once and waits for each call. One operation is one call of the
// first group; appends/s and the times of a call are those of all.
func BenchmarkAppend(b *testing.B) { runJobs(b, "Append") }

// BenchmarkTail reads one of the last 64 entries.
func BenchmarkTail(b *testing.B) { runJobs(b, "Tail") }

// BenchmarkMiddle reads an entry from the older half of a log that is longer than the cache, in segments that are full.
func BenchmarkMiddle(b *testing.B) { runJobs(b, "Middle") }

// BenchmarkRecovery opens a log from the page cache. Ours reads all of it and checks every byte; raft-wal trusts its full
// segments and reads the last one.
func BenchmarkRecovery(b *testing.B) { runJobs(b, "Recovery") }

// BenchmarkReclaim is BenchmarkAppend while each group removes its prefix again and again, and one group that stands
// still has entries in the oldest segment.
func BenchmarkReclaim(b *testing.B) { runJobs(b, "Reclaim") }

// keptBytes is how much all groups together append before they remove their prefixes; few groups a part of it.
const keptBytes = 512 << 20

// appender is one group that appends.
type appender struct {
	store raft.LogStore
	logs  []*raft.Log
	times *hdrhistogram.Histogram // nanoseconds of each call
	calls int
	first uint64 // oldest entry
	keep  uint64 // entries that may be there before the prefix is removed, all but some
}

func newAppender(store raft.LogStore, j job) *appender {
	a := &appender{store: store, times: hdrhistogram.New(1, int64(time.Minute), 3), first: 1, keep: uint64(keptBytes / max(8, j.groups) / j.entry)}
	for i := range j.batch {
		a.logs = append(a.logs, &raft.Log{Index: uint64(i + 1), Term: 1, Data: payload(j.entry), AppendedAt: time.Unix(1, 0)})
	}
	return a
}

// payload is bytes that no two sectors have in common.
func payload(n int) []byte {
	r, b := rand.New(rand.NewPCG(1, uint64(n))), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (a *appender) call() error {
	start := time.Now()
	if err := a.store.StoreLogs(a.logs); err != nil {
		return err
	}
	if err := a.times.RecordValue(int64(time.Since(start))); err != nil {
		return err
	}
	a.calls++
	n := uint64(len(a.logs))
	for _, l := range a.logs {
		l.Index += n
	}
	if next := a.logs[0].Index; next-a.first > a.keep {
		low := a.first
		a.first = next - min(64, a.keep/2)
		return a.store.DeleteRange(low, a.first-1)
	}
	return nil
}

func benchmarkAppend(b *testing.B, r rival, j job) {
	if r.open == nil {
		benchmarkFloor(b, r, j)
		return
	}
	s := mustOpen(b, r, tuning{groups: j.groups})
	var all []*appender
	for _, store := range s.logs {
		all = append(all, newAppender(store, j))
	}
	appendAll(b, all, j)
}

func benchmarkReclaim(b *testing.B, r rival, j job) {
	s := mustOpen(b, r, tuning{groups: j.groups, segmentBytes: 4 << 20})
	still := newAppender(s.logs[j.groups-1], job{entry: j.entry, batch: 64})
	must(b, still.call())
	var all []*appender
	for _, store := range s.logs[:j.groups-1] {
		a := newAppender(store, j)
		a.keep = 256
		all = append(all, a)
	}
	appendAll(b, all, j)
	if s.log != nil {
		space := s.log.Space()
		b.ReportMetric(float64(space.Rewritten)/float64(max(1, space.Appended)), "rewritten/appended")
	}
}

// appendAll measures the appends of all groups. This goroutine is the first of them.
func appendAll(b *testing.B, all []*appender, j job) {
	for range warmUp(j) {
		for _, a := range all {
			must(b, a.call())
		}
	}
	for _, a := range all {
		a.times.Reset()
		a.calls = 0
	}
	var over atomic.Bool
	var others sync.WaitGroup
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, a := range all[1:] {
		others.Go(func() {
			for !over.Load() {
				if err := a.call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	start := time.Now()
	for b.Loop() {
		must(b, all[0].call())
	}
	over.Store(true)
	others.Wait()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	for _, a := range all[1:] {
		all[0].times.Merge(a.times)
		all[0].calls += a.calls
	}
	entries := float64(all[0].calls * j.batch)
	b.ReportMetric(entries/took.Seconds(), "appends/s")
	b.ReportMetric(entries*float64(j.entry)/took.Seconds()/1e6, "MB/s")
	reportTimes(b, all[0].times)
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/entries, "allocs/entry")
}

// warmUp is how many calls each group makes before it counts. Where the bandwidth of the disk is what counts, each log runs
// until prefixes have gone and what they took on the disk is free again.
func warmUp(j job) int {
	if brief() {
		return 0
	}
	round := j.groups * j.entry * j.batch
	if round < 512<<10 {
		return min(200, max(2, (8<<20)/round))
	}
	return max(2, keptBytes/max(8, j.groups)*3/2/(j.entry*j.batch))
}

func reportTimes(b *testing.B, h *hdrhistogram.Histogram) {
	b.ReportMetric(float64(h.ValueAtQuantile(50))/1e3, "p50-µs")
	b.ReportMetric(float64(h.ValueAtQuantile(99))/1e3, "p99-µs")
}

// fill appends so many bytes of entries to each group.
func fill(b *testing.B, s *stores, j job, bytes int) (entries uint64) {
	b.Helper()
	for _, store := range s.logs {
		a := newAppender(store, job{entry: j.entry, batch: min(1024, (1<<20)/j.entry)})
		a.keep = ^uint64(0)
		for a.logs[0].Index*uint64(j.entry) <= uint64(bytes) {
			must(b, a.call())
		}
		entries = a.logs[0].Index - 1
	}
	return entries
}

func benchmarkTail(b *testing.B, r rival, j job) {
	s := mustOpen(b, r, tuning{groups: 1})
	last := fill(b, s, j, 4<<20)
	readEntries(b, s.logs[0], j, func(r *rand.Rand) uint64 { return last - r.Uint64N(min(64, last)) })
}

func benchmarkMiddle(b *testing.B, r rival, j job) {
	s := mustOpen(b, r, tuning{groups: 1, segmentBytes: 2 << 20, cacheBytes: 1 << 20})
	last := fill(b, s, j, 8<<20)
	readEntries(b, s.logs[0], j, func(r *rand.Rand) uint64 { return 1 + r.Uint64N(last/2) })
}

func readEntries(b *testing.B, store raft.LogStore, j job, which func(*rand.Rand) uint64) {
	r, times := rand.New(rand.NewPCG(1, 1)), hdrhistogram.New(1, int64(time.Minute), 3)
	reads, begin := 0, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		var l raft.Log
		i, start := which(r), time.Now()
		must(b, store.GetLog(i, &l))
		must(b, times.RecordValue(max(1, int64(time.Since(start)))))
		if l.Index != i || len(l.Data) != j.entry {
			b.Fatalf("entry %d has %d bytes, not those of %d", l.Index, len(l.Data), i)
		}
		reads++
	}
	took := time.Since(begin).Seconds()
	b.ReportMetric(float64(reads)/took, "reads/s")
	b.ReportMetric(float64(reads*j.entry)/took/1e6, "MB/s")
	reportTimes(b, times)
}

func benchmarkRecovery(b *testing.B, r rival, j job) {
	dir, how := filepath.Join(b.TempDir(), "log"), tuning{groups: j.groups}
	s, err := r.open(dir, how)
	must(b, err)
	bytes := *recoveryMiB << 20
	fill(b, s, j, bytes/j.groups)
	must(b, s.close())
	opened, begin := 0, time.Now()
	for b.Loop() {
		s, err := r.open(dir, how)
		must(b, err)
		must(b, s.close())
		opened++
	}
	b.ReportMetric(float64(opened)*float64(bytes)/float64(1<<30)/time.Since(begin).Seconds(), "GiB/s")
}
