package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	blockBytes = 4096
	fileBlocks = 1024
	maxSamples = 2000
)

// DefaultTime is how long a disk is probed.
const DefaultTime = 500 * time.Millisecond

// Fsync is how long writes of 4 KiB took to be durable.
type Fsync struct {
	Count         int
	P50, P99, Max time.Duration
}

// Disk probes the disk of a directory for at most so long, and at least one write. What it writes is removed.
func Disk(ctx context.Context, dir string, atMost time.Duration) (Fsync, error) {
	took, err := probeDisk(ctx, dir, atMost)
	if err != nil {
		return Fsync{}, fmt.Errorf("probe: fsync in %s: %w", dir, err)
	}
	slices.Sort(took)
	n := len(took)
	return Fsync{Count: n, P50: took[n/2], P99: took[n*99/100], Max: took[n-1]}, nil
}

func probeDisk(ctx context.Context, dir string, atMost time.Duration) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".holdfast-probe-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, fileBlocks*blockBytes)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	block := make([]byte, blockBytes)
	for begin := time.Now(); len(took) == 0 || len(took) < maxSamples && time.Since(begin) < atMost; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		block[0]++ // so that nothing can find that the block is there already
		start := time.Now()
		if _, err := f.WriteAt(block, int64(len(took)%fileBlocks)*blockBytes); err != nil {
			return nil, err
		}
		if err := flush(f); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}
