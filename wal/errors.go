package wal

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("wal: closed")
	// ErrFailed is returned, wrapping the cause, by every call that waits or comes after a failed write, fsync or read.
	// The log never works again in this process; only the recovery of the next start can say what is on disk.
	ErrFailed = errors.New("wal: failed")
	// ErrStalled is the cause when one write or fsync took longer than Config.StallExit.
	ErrStalled = errors.New("wal: disk stalled")
	// ErrHardBound is the cause when the log would grow past Config.HardBytes.
	ErrHardBound = errors.New("wal: hard bound of the disk reached")
	// ErrCorrupt is what every *CorruptionError is, in the sense of errors.Is.
	ErrCorrupt = errors.New("wal: corrupt")
	// ErrLocked is returned by Open when another process, or another Log of this one, has the directory open.
	ErrLocked = errors.New("wal: directory is in use")
	// ErrOtherCluster is returned by Open when the segments belong to a cluster other than Config.ClusterID.
	ErrOtherCluster = errors.New("wal: log of another cluster")
	// ErrNewerFormat is returned when a segment was written in a format version this program does not know.
	ErrNewerFormat = errors.New("wal: newer format")
	// ErrTooLarge is returned, before anything is written, for an entry, key or value above the limits of the log.
	ErrTooLarge = errors.New("wal: too large")
	// ErrOutOfOrder is returned, before anything is written, when entries do not follow the last one of their group.
	ErrOutOfOrder = errors.New("wal: entry out of order")
	// ErrMiddle is returned by DeleteRange for a range that would leave a gap.
	ErrMiddle = errors.New("wal: range is in the middle of the log")
	// ErrConfig is returned by Open for a Config that cannot work.
	ErrConfig = errors.New("wal: bad configuration")
)

// errNotFound is what raft compares, by its text, when a stable key is missing.
var errNotFound = errors.New("not found")

// CorruptionError says where the log is damaged in a way that a crash cannot explain.
// It is ErrCorrupt in the sense of errors.Is.
type CorruptionError struct {
	Segment string // base name of the segment's file
	Offset  int64  // byte offset in that file of the first frame that is not as it should be
	Reason  string // one sentence
	// Loss is what stands at the damage or behind it, as far as it can still be read, by group: what cutting the log
	// there would take.
	Loss []Loss

	flipped int // bit in the segment, counted from 1, whose flipping repairs it
}

// Error names segment, offset, reason and what is at stake.
func (e *CorruptionError) Error() string {
	s := fmt.Sprintf("wal: corrupt: segment %s, offset %d: %s", e.Segment, e.Offset, e.Reason)
	if len(e.Loss) > 0 {
		s += "; there or behind it: " + describe(e.Loss)
	}
	return s
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }

// assert panics when an invariant of the log is broken: a bug, never a fault of the disk.
// It takes no arguments to format: they would be garbage for each entry.
func assert(ok bool, broken string) {
	if !ok {
		panic("wal: broken invariant: " + broken)
	}
}
