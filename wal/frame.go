package wal

import (
	"fmt"
	"hash/crc32"
	"slices"
)

// A frame, all numbers little endian, the payload followed by zeros up to a multiple of 8:
//
//	 0     4        8        16      20     21    22       24
//	+-----+--------+--------+-------+------+-----+--------+-----------+------+
//	| crc | length | batch  | group | kind | sub |   0    | payload   | 0..7 |
//	+-----+--------+--------+-------+------+-----+--------+-----------+------+
//
// crc is CRC32C of everything after it, starting from the segment's seed; length is that of the payload alone.
// A batch is its frames, all with the batch's sequence, and an end frame that counts them.
const (
	frameHeaderBytes = 24
	frameAlign       = 8
	endPayloadBytes  = 16 // number of frames 4, their length 4, endMark 8
	endFrameBytes    = frameHeaderBytes + endPayloadBytes
)

// endMark ends every batch. Each of its bytes has several bits set: when the end of a write is lost, never mind how
// little of it, more than one bit is missing, and the tail is not mistaken for a flipped bit.
const endMark = "|COMMIT|"

// Kinds of frames.
const (
	kindEntry      = 1 // an entry after the last one of its group; sub is raft's type
	kindMoved      = 2 // an entry written once more, further on, so that an old segment can go
	kindRange      = 3 // the group's live entries are now first..last; sub says why
	kindKey        = 4 // a key of the stable store and its value
	kindCheckpoint = 5 // everything but the entries of one group
	kindEnd        = 6 // commit mark; sub is the role of the batch
)

// Why a range frame was written. Recovery treats them alike; inspection shows them.
const (
	rangePrefix = 1
	rangeSuffix = 2
	rangeDrop   = 3
)

// Roles of a batch.
const (
	roleAppend     = 0
	roleCheckpoint = 1 // first batch of a segment
	roleSeal       = 2 // last batch of a segment: the next segment exists and goes on
)

// frame is one decoded frame; payload aliases the buffer it was read from.
type frame struct {
	offset  int
	bytes   int // with header and padding
	kind    uint8
	sub     uint8
	group   uint32
	batch   uint64
	payload []byte
}

// frameBytes is the length on disk of a frame with that payload.
func frameBytes(payload int) int {
	return (frameHeaderBytes + payload + frameAlign - 1) &^ (frameAlign - 1)
}

// addFrame grows buf by one frame and returns it with the payload to fill in. Batch and crc are set by finishBatch.
func addFrame(buf []byte, kind, sub uint8, group uint32, length int) (grown, payload []byte) {
	start, total := len(buf), frameBytes(length)
	buf = slices.Grow(buf, total)[:start+total]
	f := buf[start:]
	clear(f[:frameHeaderBytes])
	clear(f[frameHeaderBytes+length:])
	le.PutUint32(f[4:], uint32(length))
	le.PutUint32(f[16:], group)
	f[20], f[21] = kind, sub
	return buf, f[frameHeaderBytes : frameHeaderBytes+length]
}

// finishBatch gives all frames of buf their sequence and checksum and appends the end frame.
func finishBatch(buf []byte, seq uint64, seed uint32, role uint8) []byte {
	frames, size := 0, len(buf)
	for at := 0; at < size; frames++ {
		at += finishFrame(buf[at:], seq, seed)
	}
	buf, p := addFrame(buf, kindEnd, role, 0, endPayloadBytes)
	le.PutUint32(p, uint32(frames))
	le.PutUint32(p[4:], uint32(size))
	copy(p[8:], endMark)
	finishFrame(buf[size:], seq, seed)
	return buf
}

func finishFrame(f []byte, seq uint64, seed uint32) int {
	total := frameBytes(int(le.Uint32(f[4:])))
	le.PutUint64(f[8:], seq)
	le.PutUint32(f, crc32.Update(seed, castagnoli, f[4:total]))
	return total
}

// frameAt reads the frame at offset without looking at its checksum. ok is false when no frame can be there.
func frameAt(buf []byte, offset int) (f frame, ok bool) {
	if offset < 0 || len(buf)-offset < frameHeaderBytes {
		return frame{}, false
	}
	h := buf[offset : offset+frameHeaderBytes]
	length := int(le.Uint32(h[4:]))
	f = frame{offset: offset, bytes: frameBytes(length), kind: h[20], sub: h[21], group: le.Uint32(h[16:]), batch: le.Uint64(h[8:])}
	if f.bytes > len(buf)-offset || f.kind < kindEntry || f.kind > kindEnd || h[22] != 0 || h[23] != 0 {
		return f, false
	}
	f.payload = buf[offset+frameHeaderBytes : offset+frameHeaderBytes+length]
	return f, true
}

// sound reports whether the frame's checksum matches.
func (f frame) sound(buf []byte, seed uint32) bool {
	return crc32.Update(seed, castagnoli, buf[f.offset+4:f.offset+f.bytes]) == le.Uint32(buf[f.offset:])
}

// batchSpan is one whole batch that was read and checked.
type batchSpan struct {
	start, end int
	seq        uint64
	frames     int // without the end frame
	role       uint8
}

// badBatch says which frame of a batch is not as it should be.
type badBatch struct {
	start  int // of the batch
	frame  int // offset of the bad frame
	reason string
}

// readBatch checks the batch that starts at start and must have sequence seq, or any when seq is 0.
func readBatch(buf []byte, start int, seed uint32, seq uint64) (batchSpan, *badBatch) {
	b := batchSpan{start: start, seq: seq}
	for at := start; ; b.frames++ {
		bad := func(format string, args ...any) (batchSpan, *badBatch) {
			return b, &badBatch{start: start, frame: at, reason: fmt.Sprintf(format, args...)}
		}
		f, ok := frameAt(buf, at)
		if !ok {
			return bad("no frame can be read")
		}
		if !f.sound(buf, seed) {
			return bad("the frame's checksum does not match")
		}
		if b.seq == 0 {
			b.seq = f.batch
		}
		if f.batch != b.seq {
			return bad("a frame of batch %d stands where batch %d is due", f.batch, b.seq)
		}
		if f.kind != kindEnd {
			at += f.bytes
			continue
		}
		p := f.payload
		if len(p) != endPayloadBytes || int(le.Uint32(p)) != b.frames || int64(le.Uint32(p[4:])) != int64(at-start) || string(p[8:]) != endMark {
			return bad("the batch's end frame does not count what is there")
		}
		b.role, b.end = f.sub, at+f.bytes
		return b, nil
	}
}
