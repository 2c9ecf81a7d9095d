package doctor

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"holdfast/node"
)

const (
	// blockBytes is written and made durable each time; sampleBlocks fit into the file, which has its full length first, as a segment of the log has.
	blockBytes   = 4096
	sampleBlocks = 512
	// maxSamples are enough for a 99th percentile that means something; a disk that is too slow for them in the time is slow anyway.
	maxSamples = 2000
	// slowFsync is what a disk of a server needs far less than; suspiciousFsync is less than a write to flash takes.
	slowFsync       = 10 * time.Millisecond
	suspiciousFsync = 20 * time.Microsecond
)

// measureFsync writes into a file without a name in dir. The second error is why nothing can be written there.
func measureFsync(ctx context.Context, dir string, atMost time.Duration) (m fsync, refused error) {
	f, err := nameless(dir)
	if err != nil {
		return m, err
	}
	defer func() {
		if err := f.Close(); err != nil && m.err == nil {
			m.err = err
		}
	}()
	if _, err := f.Write(make([]byte, sampleBlocks*blockBytes)); err != nil {
		return m, err
	}
	if m.err = f.Sync(); m.err != nil {
		return m, nil
	}
	var took []time.Duration
	took, m.err = sample(ctx, f, atMost)
	m.count = len(took)
	if m.count > 0 {
		slices.Sort(took)
		m.p50, m.p99, m.max = took[m.count/2], took[m.count*99/100], took[m.count-1]
	}
	return m, nil
}

func sample(ctx context.Context, f *os.File, atMost time.Duration) (took []time.Duration, err error) {
	block := make([]byte, blockBytes)
	for begin := time.Now(); len(took) < maxSamples && time.Since(begin) < atMost && ctx.Err() == nil; {
		block[0]++
		start := time.Now()
		if _, err := f.WriteAt(block, int64(len(took)%sampleBlocks)*blockBytes); err != nil {
			return took, err
		}
		if err := syncContent(f); err != nil {
			return took, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

func judgeFsync(c *node.Config, f *facts) []Check {
	const name = "fsync"
	m := &f.fsync
	switch {
	case f.directory.write != nil:
		return nil // said already
	case m.err != nil:
		return []Check{fail(name, "dmesg | tail -50; then another disk: --data-dir", "the disk failed: %v", m.err)}
	case m.count == 0:
		return nil
	}
	const what = "p50 %v, p99 %v, max %v of %d times 4 KiB"
	measured := []any{rounded(m.p50), rounded(m.p99), rounded(m.max), m.count}
	switch {
	case m.max >= c.DiskStallExit/2:
		const fix = "another disk: --data-dir; or a longer --disk-stall-exit, during which nobody gets an answer"
		return []Check{fail(name, fix, what+": a node ends when one takes %v (--disk-stall-exit)", append(measured, c.DiskStallExit)...)}
	case m.p99 > slowFsync:
		const fix = "a disk with power-loss protection, not shared with others: --data-dir"
		return []Check{warn(name, fix, what+": "+meaning(m), measured...)}
	case m.p50 < suspiciousFsync && !forgetful[f.volume.kind]:
		const fix = "cat /sys/block/*/queue/write_cache; take a disk, or settings of the virtual machine, that honour a flush"
		return []Check{warn(name, fix, what+": faster than flash, so what is flushed may be volatile", measured...)}
	}
	return []Check{pass(name, what+": "+meaning(m), measured...)}
}

// meaning says what it is in orders. One group of shards waits for one flush after the other, and all orders that came meanwhile share the next.
func meaning(m *fsync) string {
	perSecond := int(time.Second / max(m.p50, time.Microsecond))
	return "about " + grouped(perSecond) + " orders/s with one shard and one buyer at a time, and as many times more as buyers wait at once"
}

func rounded(d time.Duration) time.Duration {
	if d > time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

// unnamed makes a file and takes its name away at once.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
