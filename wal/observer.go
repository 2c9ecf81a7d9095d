package wal

import "time"

// Observer is told what the log does, from the goroutines that do it: it must return at once.
type Observer interface {
	// ObserveBatch is called after each durable batch.
	ObserveBatch(BatchStats)
	// ObserveSegments is called when the number of segment files changed, with it and their length together.
	ObserveSegments(count int, bytes int64)
}

// BatchStats describes one durable batch.
type BatchStats struct {
	Bytes  int           // written, frames with their headers
	Frames int           // without the commit mark
	Groups int           // that waited for it
	Write  time.Duration // the one write
	Sync   time.Duration // the one fsync
}

type noObserver struct{}

func (noObserver) ObserveBatch(BatchStats)    {}
func (noObserver) ObserveSegments(int, int64) {}
