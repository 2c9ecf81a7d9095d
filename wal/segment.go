package wal

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

// segment is one file of the log.
type segment struct {
	name string // base name
	seq  uint64
	size int64
	seed uint32
	file File
	// start is the length of the header.
	start int64

	// end is where the next batch goes, live the length of the frames of live entries. Both belong to recovery and then
	// to the committer.
	// Invariant: start <= end <= size.
	end  int64
	live int64

	// Up to white the file has been written to: it does not only have room. One chunk behind it may be under way, for which
	// the committer waits before it begins the segment. Both are guarded by the log's mu from when the segment is prepared.
	white     int64
	whitening bool

	// mu is held shared while an entry is read and exclusively to close the file. A reader takes it while it holds the
	// group's lock, under which it found the entry; so nobody waits for it after the entry is gone from the index.
	mu sync.RWMutex
}

// rotted is why an entry cannot be read back.
const rotted = "an entry that was sound when the log was opened or written is damaged"

// fits reports whether a batch of that length fits and leaves room to seal the segment.
func (s *segment) fits(batch int) bool { return s.end+int64(batch)+endFrameBytes <= s.size }

// readEntry reads the frame at e into raw, which becomes l's, and checks it. The caller holds s.mu shared.
func (s *segment) readEntry(e extent, raw []byte, l *raft.Log) error {
	if n, err := s.file.ReadAt(raw, int64(e.offset)); n < len(raw) {
		return fmt.Errorf("read segment %s at offset %d: %w", s.name, e.offset, noEOF(err))
	}
	f, ok := frameAt(raw, 0)
	if !ok || f.bytes != len(raw) || !f.sound(raw, s.seed) {
		return &CorruptionError{Segment: s.name, Offset: int64(e.offset), Reason: rotted}
	}
	return decodeEntry(f, l)
}

// writeFull writes all of b at offset, or returns why not.
func writeFull(f File, b []byte, offset int64) error {
	n, err := f.WriteAt(b, offset)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// close waits for readers and closes the file.
func (s *segment) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Close()
}

// noEOF makes the end of a file that must not end there an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
