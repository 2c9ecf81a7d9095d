package wal_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

// onDisk opens a log on the real disk.
func onDisk(b *testing.B) *wal.Log {
	b.Helper()
	return open(b, wal.Config{Dir: b.TempDir(), ClusterID: cluster, Logger: quiet})
}

// BenchmarkAppend stores entries one at a time in each of some groups at once and waits for each. One operation is one
// entry in one group. Old entries are removed now and then, so that the disk stays small.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{256, 4 << 10, 64 << 10} {
		for _, groups := range []int{1, 4, 8, 32} {
			name := fmt.Sprintf("size=%dB/groups=%d", size, groups)
			if size >= 1<<10 {
				name = fmt.Sprintf("size=%dKiB/groups=%d", size>>10, groups)
			}
			b.Run(name, func(b *testing.B) { benchmarkAppend(b, size, groups) })
		}
	}
}

func benchmarkAppend(b *testing.B, size, groups int) {
	l := onDisk(b)
	defer closeLog(b, l)
	var all sync.WaitGroup
	next := make(chan struct{}) // one for each operation
	waits := make([]latencies, groups)
	for id := range uint32(groups) {
		all.Go(func() {
			g, e := l.Group(id), &raft.Log{Data: make([]byte, size), AppendedAt: time.Unix(1, 0)}
			one := []*raft.Log{e}
			for range next {
				e.Index++
				start := time.Now()
				if err := g.StoreLogs(one); err != nil {
					b.Error(err)
				}
				waits[id].add(time.Since(start))
				if e.Index%4096 == 0 {
					if err := g.DeleteRange(1, e.Index-64); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		next <- struct{}{}
	}
	close(next)
	all.Wait()
	for _, w := range waits[1:] {
		waits[0].merge(&w)
	}
	b.ReportMetric(waits[0].percentile(0.5), "p50-µs")
	b.ReportMetric(waits[0].percentile(0.99), "p99-µs")
}

// latencies counts durations by the microsecond, without garbage; those of 20 ms and more stand together.
type latencies [20_000]uint32

func (l *latencies) add(d time.Duration) { l[min(d/time.Microsecond, time.Duration(len(l)-1))]++ }

func (l *latencies) merge(o *latencies) {
	for i, n := range o {
		l[i] += n
	}
}

// percentile returns the microseconds that a share of the durations stays below.
func (l *latencies) percentile(share float64) float64 {
	total, seen := uint64(0), uint64(0)
	for _, n := range l {
		total += uint64(n)
	}
	for i, n := range l {
		if seen += uint64(n); float64(seen) >= share*float64(total) {
			return float64(i + 1)
		}
	}
	return float64(len(l))
}

// BenchmarkStoreLogs stores 64 entries in one call.
func BenchmarkStoreLogs(b *testing.B) {
	for _, size := range []int{256, 4 << 10} {
		b.Run(fmt.Sprintf("size=%dB/batch=64", size), func(b *testing.B) {
			l := onDisk(b)
			defer closeLog(b, l)
			g, logs := l.Group(1), make([]*raft.Log, 64)
			for i := range logs {
				logs[i] = &raft.Log{Index: uint64(i + 1), Data: make([]byte, size)}
			}
			b.SetBytes(64 * int64(size))
			b.ReportAllocs()
			for b.Loop() {
				must(b, g.StoreLogs(logs))
				for _, e := range logs {
					e.Index += 64
				}
				if logs[0].Index%(64*1024) == 1 {
					must(b, g.DeleteRange(1, logs[0].Index-2))
				}
			}
		})
	}
}

// BenchmarkGetLog reads one entry of 4 KiB: from the cache, or by a read of the file.
func BenchmarkGetLog(b *testing.B) {
	for name, cache := range map[string]int64{"from=cache": 32 << 20, "from=file": -1} {
		b.Run(name, func(b *testing.B) {
			l := open(b, wal.Config{Dir: b.TempDir(), ClusterID: cluster, Logger: quiet, CacheBytes: cache})
			defer closeLog(b, l)
			must(b, l.Group(1).StoreLogs(entries(1, 1, 1000, 0, 4<<10)))
			b.SetBytes(4 << 10)
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				must(b, l.Group(1).GetLog(1+i%1000, new(raft.Log)))
				i++
			}
		})
	}
}

// BenchmarkRecovery opens a log of 256 MiB in four segments, from the page cache.
func BenchmarkRecovery(b *testing.B) {
	cfg := wal.Config{Dir: b.TempDir(), ClusterID: cluster, Logger: quiet}
	l := open(b, cfg)
	const size = 64 << 10
	for i := uint64(1); i <= 240<<20/size; i += 16 {
		must(b, l.Group(uint32(i/16%4)).StoreLogs(entries(1, 1+(i-1)/64*16, (i-1)/64*16+16, 0, size)))
	}
	disk := l.DiskBytes()
	closeLog(b, l)
	b.SetBytes(disk)
	for b.Loop() {
		closeLog(b, open(b, cfg))
	}
}
