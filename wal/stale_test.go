package wal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"
)

// segmentBytes makes a segment in memory: its header, and batches of one entry each from sequence seq on.
func segmentBytes(seq, salt, batch uint64, entries int) []byte {
	buf := make([]byte, 64<<10)
	h := segmentHeader{version: 1, seq: seq, bytes: int64(len(buf)), salt: salt}
	h.encode(buf)
	at := headerBytes
	put := func(frames []byte, role uint8) {
		at += copy(buf[at:], finishBatch(frames, batch, h.seed, role))
		batch++
	}
	put(nil, roleCheckpoint)
	for i := range entries {
		put(addEntry(nil, 1, &raft.Log{Index: uint64(i + 1), Term: 1, Data: bytes.Repeat([]byte{byte(seq), 7}, 200)}), roleAppend)
	}
	return buf
}

// TestStaleFramesBehindATornTail plants the worst a recycled file could hold, were it not zeroed: valid frames of its
// earlier use exactly where the new batches end, or where a torn one does. None is ever taken for a batch, and none of
// the old use makes a torn tail look like corruption; a message is due each time.
func TestStaleFramesBehindATornTail(t *testing.T) {
	const oldEntries, newEntries = 100, 20
	older := segmentBytes(3, 111, 50, oldEntries)
	r := rand.New(rand.NewPCG(5, 5))
	tests := []struct {
		name string
		// forge changes the old frames into something worse; seed is the new one.
		forge func(old []byte, due uint64, seed uint32)
	}{
		{"as they were", func([]byte, uint64, uint32) {}},
		{"with the sequences that are due", func(old []byte, due uint64, _ uint32) { reseal(old, due, oldSeed(older)) }},
		{"with the seed of the new use, by chance", func(old []byte, _ uint64, seed uint32) { reseal(old, 51, seed) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			planted := 0
			for tear := 0; tear < 440; tear += 8 {
				newer := segmentBytes(9, 222, 1000, newEntries)
				seed := le.Uint32(newer[headerCRC:])
				clean, err := scanSegment("x", image{buf: newer, seed: seed, start: headerBytes}, 1000, func(uint8, frame) error { return nil })
				if err != nil {
					t.Fatal(err)
				}
				old := bytes.Clone(older[headerBytes+endFrameBytes : headerBytes+endFrameBytes+20*(464+endFrameBytes)])
				tt.forge(old, clean.lastBatch+1, seed)
				torn := finishBatch(addEntry(nil, 1, &raft.Log{Index: newEntries + 1, Data: make([]byte, 400)}), clean.lastBatch+1, seed, roleAppend)
				for i := range torn {
					torn[i] ^= byte(1 + r.IntN(3)) // a page that never came: what is kept of it is nonsense
				}
				copy(newer[clean.end:], torn[:tear])
				copy(newer[clean.end+tear:], old)
				planted++
				scan, err := scanSegment("x", image{buf: newer, seed: seed, start: headerBytes}, 1000, func(_ uint8, f frame) error {
					if f.kind == kindEntry && f.payload[entryFixedBytes] != 9 {
						t.Fatalf("torn after %d bytes: a stale frame at %d was taken", tear, f.offset)
					}
					return nil
				})
				if err != nil || scan.end != clean.end || scan.lastBatch != clean.lastBatch || scan.dirty == 0 {
					t.Fatalf("torn after %d bytes: %v; end %d, batch %d, tail to %d; want %d, %d", tear, err, scan.end, scan.lastBatch, scan.dirty, clean.end, clean.lastBatch)
				}
			}
			t.Logf("%d tails with stale frames, none taken", planted)
		})
	}
}

// TestABatchCountsWhateverItsPagesSums takes every page of a segment for untouched, as a chance of one in 2^32 may do with
// one: all batches are there all the same.
func TestABatchCountsWhateverItsPagesSums(t *testing.T) {
	buf := segmentBytes(9, 222, 1000, 20)
	sums := make(pageSums, len(buf)/pageBytes*4)
	sums.add(buf, 0)
	m := image{buf: buf, seed: oldSeed(buf), start: headerBytes, sums: sums}
	scan, err := scanSegment("x", m, 1000, func(uint8, frame) error { return nil })
	if m.used() != m.start || err != nil || scan.batches != 21 || scan.dirty != 0 {
		t.Errorf("%d batches, tail to %d, %v; used to %d", scan.batches, scan.dirty, err, m.used())
	}
}

func oldSeed(content []byte) uint32 { return le.Uint32(content[headerCRC:]) }

// reseal gives whole frames in buf the sequences from seq on, one more after each end frame.
func reseal(buf []byte, seq uint64, seed uint32) {
	for at := 0; ; {
		f, ok := frameAt(buf, at)
		if !ok {
			return
		}
		finishFrame(buf[at:], seq, seed)
		if at += f.bytes; f.kind == kindEnd {
			seq++
		}
	}
}
