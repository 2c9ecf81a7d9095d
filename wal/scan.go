package wal

import "fmt"

// segmentScan is what one segment's bytes hold.
type segmentScan struct {
	batches, frames int
	firstBatch      uint64 // 0: none
	lastBatch       uint64
	last            int  // offset of the last whole batch
	end             int  // offset after it
	sealed          bool // the last batch is a seal
	dirty           int  // end of the bytes of a torn tail; 0: none, the pages behind end are as they were
	torn            []Loss
}

const writtenBehind = "the segment is written to behind its end"

// visitor is told of each frame of each whole batch, in order, end frames included.
type visitor func(role uint8, f frame) error

// scanSegment reads the batches of a segment. due is the sequence the first batch must have, 0 for any.
// The error is a *CorruptionError.
func scanSegment(name string, m image, due uint64, visit visitor) (segmentScan, error) {
	s := segmentScan{end: m.start}
	corrupt := func(offset int, format string, args ...any) (segmentScan, error) {
		return s, &CorruptionError{Segment: name, Offset: int64(offset), Reason: fmt.Sprintf(format, args...)}
	}
	for used := m.used(); ; {
		if s.sealed && s.end < used && !m.unpadded(s.last, s.end, used) {
			return corrupt(s.end, writtenBehind)
		} else if s.sealed {
			if s.end < used {
				s.dirty = used
			}
			return s, nil
		}
		b, bad := readBatch(m.buf, s.end, m.seed, due)
		if bad != nil && s.end >= used {
			return s, nil // nobody has written there; a batch counts even if its pages happen to have the sums of what was there
		}
		if bad != nil {
			if due == 0 {
				return corrupt(bad.frame, "the first batch of the oldest segment is damaged (%s)", bad.reason)
			}
			if reason, flipped := m.blame(bad, due); reason != "" {
				return s, &CorruptionError{Segment: name, Offset: int64(bad.frame), Reason: reason, flipped: flipped}
			}
			s.tear(m, used, due)
			return s, nil
		}
		if (b.role == roleCheckpoint) != (s.batches == 0) || b.role > roleSeal {
			return corrupt(b.start, "batch %d has role %d, which has no place here", b.seq, b.role)
		}
		if err := visitBatch(m.buf, b, visit); err != nil {
			at := err.(*visitError)
			return corrupt(at.offset, "batch %d: %v", b.seq, at.cause)
		}
		s.took(b)
		due = b.seq + 1
	}
}

// tear notes a torn tail: what stands from s.end to used.
func (s *segmentScan) tear(m image, used int, due uint64) {
	s.dirty = used
	cut := newLosses(due, due)
	cut.look(m.buf, s.end, m.seed)
	s.torn = cut.sorted()
}

func (s *segmentScan) took(b batchSpan) {
	if s.batches == 0 {
		s.firstBatch = b.seq
	}
	s.batches++
	s.frames += b.frames + 1
	s.lastBatch, s.last, s.end, s.sealed = b.seq, b.start, b.end, b.role == roleSeal
}

// visitError says at which frame a visitor found something that cannot be.
type visitError struct {
	offset int
	cause  error
}

func (e *visitError) Error() string { return e.cause.Error() }

func visitBatch(buf []byte, b batchSpan, visit visitor) error {
	for at := b.start; at < b.end; {
		f, ok := frameAt(buf, at)
		assert(ok, "a frame of a checked batch cannot be read")
		if err := visit(b.role, f); err != nil {
			return &visitError{offset: at, cause: err}
		}
		at += f.bytes
	}
	return nil
}
