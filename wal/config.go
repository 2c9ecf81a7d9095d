package wal

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"
)

const (
	defaultSegmentBytes = 64 << 20
	defaultCacheBytes   = 32 << 20
	defaultStallWarn    = time.Second
	defaultStallExit    = 3 * time.Second
	defaultDeadSegments = 4 // of DeadBytes
	progressEvery       = time.Second

	minSegmentBytes = 16 << 10
	maxSegmentBytes = 1 << 30
	maxBatchBytes   = 8 << 20

	maxKeyBytes   = 255
	maxValueBytes = 4096
)

// Config says where the log is and within which bounds it works. The zero value of a field means its default.
type Config struct {
	// Dir holds the log and nothing else; it is created when missing.
	Dir string
	// FS is the file system; nil is OS.
	FS FS
	// ClusterID is written into every segment. A log of another cluster is refused.
	ClusterID [16]byte
	// SegmentBytes is the length of a segment: a multiple of 4096, from 16 KiB to 1 GiB, 64 MiB by default.
	// A batch holds at most 8 MiB, or a little over half a segment when that is less; no entry may be longer.
	// A quarter of a segment is kept for the checkpoint of all groups.
	SegmentBytes int64
	// CacheBytes is the length of the newest entries kept in memory, 32 MiB by default; below zero is none.
	CacheBytes int64
	// SoftBytes is the length of the log above which OverSoftBound becomes true; 0 is no bound.
	SoftBytes int64
	// HardBytes is the length the log never exceeds; an append that would need more ends it with ErrHardBound. The last
	// segment below it is kept for terms, votes and truncations. At least three segments; 0 is no bound.
	HardBytes int64
	// DeadBytes is how much of the sealed segments may be dead while an entry that still lives keeps the oldest one: four
	// segments by default. Above it, and above the length of what lives, live entries of the oldest segments are
	// rewritten forward (rewrite.go). From three quarters of the way to SoftBytes or HardBytes on, less will do.
	DeadBytes int64
	// StallWarn and StallExit are how long one write or fsync may take before it is logged, 1 s by default, and before
	// the log fails with ErrStalled, 3 s by default.
	StallWarn, StallExit time.Duration
	// OnFatal is called once, with an error that is ErrFailed and its cause, when the log can no longer be trusted: the
	// process must end. No call returns that error before OnFatal has returned; it may also end the process itself. It is
	// called on a goroutine of the log or of a reader and must not call the log.
	OnFatal func(error)
	// Logger takes warnings; nil is slog's default.
	Logger *slog.Logger
	// Observer is told of batches, segments and space; nil is nobody.
	Observer Observer
	// OnProgress is called about once a second while Open reads a long log; the Logger is told the same. nil is nobody.
	OnProgress func(Progress)

	salt func() uint64 // random numbers for segment headers; tests of the format fix them
}

func (c Config) withDefaults() (Config, error) {
	c.SegmentBytes = cmp.Or(c.SegmentBytes, defaultSegmentBytes)
	c.DeadBytes = cmp.Or(c.DeadBytes, defaultDeadSegments*c.SegmentBytes)
	c.CacheBytes = max(0, cmp.Or(c.CacheBytes, defaultCacheBytes))
	c.StallWarn = cmp.Or(c.StallWarn, defaultStallWarn)
	c.StallExit = cmp.Or(c.StallExit, defaultStallExit)
	if c.FS == nil {
		c.FS = OS{}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.OnFatal == nil {
		c.OnFatal = func(error) {}
	}
	if c.OnProgress == nil {
		c.OnProgress = func(Progress) {}
	}
	if c.salt == nil {
		c.salt = randomSalt
	}
	switch {
	case c.Dir == "":
		return c, fmt.Errorf("%w: no directory", ErrConfig)
	case c.SegmentBytes < minSegmentBytes || c.SegmentBytes > maxSegmentBytes || c.SegmentBytes%pageBytes != 0:
		return c, fmt.Errorf("%w: segments of %d bytes: want a multiple of %d from %d to %d", ErrConfig, c.SegmentBytes, pageBytes, minSegmentBytes, maxSegmentBytes)
	case c.DeadBytes < 0:
		return c, fmt.Errorf("%w: %d dead bytes allowed: want none or more", ErrConfig, c.DeadBytes)
	case c.HardBytes != 0 && c.HardBytes < 3*c.SegmentBytes:
		return c, fmt.Errorf("%w: hard bound of %d bytes: want at least three segments of %d", ErrConfig, c.HardBytes, c.SegmentBytes)
	case c.HardBytes != 0 && c.SoftBytes > c.HardBytes:
		return c, fmt.Errorf("%w: soft bound of %d bytes above the hard bound of %d", ErrConfig, c.SoftBytes, c.HardBytes)
	}
	return c, nil
}

// maxCheckpoint bounds the frames of a segment's first batch, maxBatch those of any other: together with the marks they
// fit a segment.
func (c Config) maxCheckpoint() int { return int(c.SegmentBytes/4) - endFrameBytes }

func (c Config) maxBatch() int {
	return int(min(maxBatchBytes, c.SegmentBytes-c.SegmentBytes/4-int64(headerLength(formatVersion, c.SegmentBytes))-2*endFrameBytes))
}
