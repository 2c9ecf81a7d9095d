package wal

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

// FuzzHeader decodes arbitrary bytes as a segment's header: either it is one that encodes to the same bytes, or the error
// is of a known kind.
func FuzzHeader(f *testing.F) {
	page := make([]byte, headerBytes)
	(&segmentHeader{version: 1, seq: 9, bytes: 16384, salt: 5}).encode(page)
	f.Add(bytes.Clone(page), uint64(9), int64(16384))
	pageSums(page[headerUsed:][:16]).fill()
	(&segmentHeader{version: 2, seq: 9, bytes: 16384, salt: 5}).encode(page)
	f.Add(bytes.Clone(page), uint64(9), int64(16384))
	f.Add(page[:100], uint64(9), int64(16384))
	f.Add([]byte("HOLDFWAL"), uint64(1), int64(8))
	f.Fuzz(func(t *testing.T, page []byte, seq uint64, size int64) {
		h, err := decodeHeader(page, "x", seq, size)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) {
				t.Errorf("an error of no known kind: %v", err)
			}
			return
		}
		again := make([]byte, h.start())
		copy(again[headerUsed:], page[headerUsed:])
		h.encode(again)
		if string(again) != string(page[:h.start()]) || h.seq != seq || h.bytes != size {
			t.Errorf("%+v does not encode to what it was decoded from", h)
		}
	})
}

// FuzzDecode reads arbitrary bytes as frames, as a batch, and as each kind of payload: no panic, nothing outside the bytes,
// and no more memory than they are long.
func FuzzDecode(f *testing.F) {
	if content, err := os.ReadFile("testdata/v1.wal"); err == nil {
		f.Add(content[headerBytes:headerBytes+1500], uint32(0), 0)
		f.Add(content[headerBytes:headerBytes+1500], le.Uint32(content[headerCRC:]), 328)
	}
	f.Add(finishBatch(addRange(nil, 1, rangePrefix, 3, 9), 5, 7, roleAppend), uint32(7), 0)
	f.Fuzz(func(t *testing.T, buf []byte, seed uint32, at int) {
		if fr, ok := frameAt(buf, at); ok {
			if at < 0 || fr.bytes < frameHeaderBytes || at+fr.bytes > len(buf) || len(fr.payload) > fr.bytes {
				t.Fatalf("a frame of %d bytes at %d of %d", fr.bytes, at, len(buf))
			}
			_ = newGroupState().apply(fr, extent{seg: &segment{}, bytes: uint32(fr.bytes)}) // any error will do
		}
		if s, err := decodeCheckpoint(buf); err == nil && s.checkpointBytes() > len(buf)+len(s.keys)*16+64 {
			t.Errorf("%d bytes of keys out of %d", s.checkpointBytes(), len(buf))
		}
		if at < 0 || at > len(buf) {
			return
		}
		if b, bad := readBatch(buf, at, seed, 0); bad == nil && b.end > len(buf) {
			t.Errorf("a batch to %d of %d", b.end, len(buf))
		}
		s := newLosses(0, ^uint64(0))
		s.look(buf, at, seed)
	})
}
