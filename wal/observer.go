package wal

import "time"

// Observer is told what the log does, from the goroutines that do it: it must return at once. Metrics is one.
type Observer interface {
	// ObserveBatch is called after each durable batch.
	ObserveBatch(BatchStats)
	// ObserveSegments is called when the number of segment files changed, with it and their length together.
	ObserveSegments(count int, bytes int64)
	// ObserveSegment is called when something was done to one segment file.
	ObserveSegment(SegmentEvent)
	// ObserveSpace is called when what the segments hold has changed, after each batch at the latest.
	ObserveSpace(Space)
	// ObserveRecovery is called once, when Open has read the log.
	ObserveRecovery(Progress)
}

// BatchStats describes one durable batch.
type BatchStats struct {
	Bytes  int           // written, frames with their headers
	Frames int           // without the commit mark
	Moved  int           // bytes of entries rewritten forward among them
	Groups int           // that waited for it
	Write  time.Duration // the one write
	Sync   time.Duration // the one fsync
	live   int           // bytes of new entries among them
}

// SegmentEvent is something done to a segment file.
type SegmentEvent int

// What is done to segment files.
const (
	SegmentPrepared SegmentEvent = iota // a new file was made
	SegmentRecycled                     // an old file was given a new header to be used again
	SegmentRemoved                      // an old file was deleted
)

// Space says what the segments in use hold.
type Space struct {
	Segments    int   // in use, the active one included
	Prepared    int   // segments ready for use
	UsedBytes   int64 // length of those in use
	LiveBytes   int64 // frames of entries that a group still has
	DeadBytes   int64 // all else in the sealed segments
	Reclaimable int64 // the dead bytes that rewriting live entries would give back: those behind the oldest live entry
	Appended    int64 // bytes of all batches since Open, rewritten ones included
	Rewritten   int64 // bytes of entries rewritten forward since Open
}

// Progress says how far Open has read, and at the end what it read.
type Progress struct {
	Segments, OfSegments int
	Bytes                int64 // read so far
	Elapsed              time.Duration
}

type noObserver struct{}

func (noObserver) ObserveBatch(BatchStats)     {}
func (noObserver) ObserveSegments(int, int64)  {}
func (noObserver) ObserveSegment(SegmentEvent) {}
func (noObserver) ObserveSpace(Space)          {}
func (noObserver) ObserveRecovery(Progress)    {}
