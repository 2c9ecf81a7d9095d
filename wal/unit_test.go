package wal

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestFlippedBitIsFoundByItsSyndrome(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		message := make([]byte, 1+r.IntN(300))
		for i := range message {
			message[i] = byte(r.Uint32())
		}
		seed := r.Uint32()
		was := crc32.Update(seed, castagnoli, message)
		bit := r.IntN(len(message) * 8)
		message[bit/8] ^= 1 << (bit % 8)
		got, ok := flippedBit(len(message), was^crc32.Update(seed, castagnoli, message))
		if !ok || got != bit {
			t.Fatalf("bit %d of %d bytes: found %d, %v", bit, len(message), got, ok)
		}
	}
	if bit, ok := flippedBit(100, 0xdeadbeef); ok {
		t.Errorf("any difference is one bit: %d", bit)
	}
}

func TestBlame(t *testing.T) {
	const seed = 77
	two := func() []byte {
		buf := finishBatch(addKey(addRange(nil, 1, rangePrefix, 3, 9), 2, "key", bytes.Repeat([]byte("value"), 300)), 5, seed, roleAppend)
		return append(buf, make([]byte, 4096)...)
	}
	end := len(two()) - 4096
	later := func(buf []byte, seq uint64) []byte {
		return append(buf[:end+64], finishBatch(nil, seq, seed, roleAppend)...)
	}
	tests := []struct {
		name    string
		change  func(buf []byte) []byte
		corrupt bool
	}{
		{"first sector lost", func(b []byte) []byte { clear(b[:512]); return b }, false},
		{"middle lost", func(b []byte) []byte { clear(b[512:1024]); return b }, false},
		{"end lost", func(b []byte) []byte { clear(b[1000:]); return b }, false},
		{"last byte lost", func(b []byte) []byte { b[end-1] = 0; return b }, false},
		{"one bit of a payload", func(b []byte) []byte { b[700] ^= 8; return b }, true},
		{"one bit of a length", func(b []byte) []byte { b[4] ^= 64; return b }, true},
		{"high bit of a length", func(b []byte) []byte { b[7] ^= 128; return b }, true},
		{"one bit of a checksum", func(b []byte) []byte { b[0] ^= 1; return b }, true},
		{"one bit of a sequence", func(b []byte) []byte { b[8] ^= 1; return b }, true},
		{"one bit of the commit mark", func(b []byte) []byte { b[end-4] ^= 2; return b }, true},
		{"two bits", func(b []byte) []byte { b[700] ^= 8; b[900] ^= 1; return b }, false},
		{"one bit, and the end lost", func(b []byte) []byte { b[700] ^= 8; clear(b[1200:]); return b }, false},
		{"a later batch follows", func(b []byte) []byte { clear(b[:512]); return later(b, 6) }, true},
		{"a much later batch follows", func(b []byte) []byte { clear(b[:512]); return later(b, 40) }, true},
		{"an earlier batch follows", func(b []byte) []byte { clear(b[:512]); return later(b, 4) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			buf := tt.change(two())
			was := bytes.Clone(buf)
			_, bad := readBatch(buf, 0, seed, 5)
			if bad == nil {
				t.Fatal("the batch is whole")
			}
			if reason, _ := (image{buf: buf, seed: seed}).blame(bad, 5); (reason != "") != tt.corrupt {
				t.Errorf("blamed: %q", reason)
			}
			if !bytes.Equal(was, buf) {
				t.Error("the bytes were changed")
			}
		})
	}
}

// TestBlameGivesUp is a torn batch with a payload in which a frame seems to begin every eight bytes, each as long as the rest.
func TestBlameGivesUp(t *testing.T) {
	const seed, size = 77, 4 << 20
	buf := make([]byte, size)
	for at := 4096; at < size; at += 8 {
		le.PutUint64(buf[at:], 6|6<<32|1<<63) // as length, as batch, and as kind, wherever it is read
	}
	for at := 4096; at+24 < size; at += 24 {
		le.PutUint32(buf[at+4:], uint32(size-at-64)&^7)
		le.PutUint64(buf[at+8:], 6)
		le.PutUint64(buf[at+16:], 1|kindEntry<<32)
	}
	m := image{buf: buf, seed: seed}
	if reason, _ := m.blame(&badBatch{start: 0, frame: 0, reason: "test"}, 5); !bytes.Contains([]byte(reason), []byte("more things")) {
		t.Errorf("blamed: %q", reason)
	}
}

// TestALongIndexShrinks removes nearly all of a long log: the memory of its index goes.
func TestALongIndexShrinks(t *testing.T) {
	seg := &segment{name: "a"}
	for _, drop := range []bool{false, true} {
		var x index
		for i := uint64(1); i <= 4*keptExtents; i++ {
			if err := x.add(i, extent{seg: seg, bytes: 8}); err != nil {
				t.Fatal(err)
			}
		}
		first, last := uint64(4*keptExtents-9), uint64(4*keptExtents)
		if drop {
			first, last = 0, 0
		}
		if err := x.keep(first, last); err != nil || cap(x.extents) > 100 {
			t.Errorf("%v; room for %d entries is kept", err, cap(x.extents))
		}
		if e, ok := x.at(last); ok == drop || !drop && e.seg != seg {
			t.Errorf("entry %d: %+v, %v", last, e, ok)
		}
	}
}

func TestStaleBytesNeverLookValid(t *testing.T) {
	buf := finishBatch(addRange(nil, 1, rangePrefix, 3, 9), 5, 1000, roleAppend)
	for seed := range uint32(1000) {
		if _, bad := readBatch(buf, 0, seed, 0); bad == nil {
			t.Fatalf("a batch of another use of the file is valid under seed %d", seed)
		}
	}
}

func TestHeader(t *testing.T) {
	page := make([]byte, headerBytes)
	for version := uint32(1); version <= formatVersion; version++ {
		testHeader(t, page, version)
	}
}

func testHeader(t *testing.T, page []byte, version uint32) {
	t.Helper()
	h := segmentHeader{version: version, cluster: [16]byte{1, 2, 3}, seq: 9, bytes: 16384, salt: 5}
	if version > 1 {
		pageSums(page[headerUsed:][:16]).fill()
	}
	h.encode(page)
	got, err := decodeHeader(page, "x", 9, 16384)
	if err != nil || got != h {
		t.Fatalf("%+v, %v", got, err)
	}
	for bit := range headerBytes * 8 {
		page[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeHeader(page, "x", 9, 16384); err == nil || !(&CorruptionError{}).Is(ErrCorrupt) {
			t.Fatalf("bit %d: %v", bit, err)
		} else if _, ok := err.(*CorruptionError); !ok {
			t.Fatalf("bit %d: %v", bit, err)
		}
		page[bit/8] ^= 1 << (bit % 8)
	}
	if _, err := decodeHeader(page, "x", 10, 16384); err == nil {
		t.Error("a segment under another's name is taken")
	}
}

func TestSegmentNames(t *testing.T) {
	for _, seq := range []uint64{1, 0xabc, ^uint64(0)} {
		if got, ok := segmentSeq(segmentName(seq)); !ok || got != seq {
			t.Errorf("%d became %d, %v", seq, got, ok)
		}
	}
	for _, name := range []string{"", "LOCK", "1.wal", "0000000000000000.wal", "000000000000000G.wal", "000000000000000A.wal", "0000000000000001.wal.tmp", "+000000000000001.wal"} {
		if _, ok := segmentSeq(name); ok {
			t.Errorf("%q is taken for a segment", name)
		}
	}
}

func TestEntryFieldsSurvive(t *testing.T) {
	for _, l := range []raft.Log{
		{Index: 1},
		{Index: 1<<64 - 2, Term: 1<<64 - 1, Type: 255, Data: []byte("d"), Extensions: []byte("e"), AppendedAt: time.Date(1900, 1, 2, 3, 4, 5, 6, time.UTC)},
		{Index: 5, Extensions: []byte("only")},
		{Index: 6, Data: make([]byte, 1000), AppendedAt: time.Date(9999, 1, 1, 0, 0, 0, 999_999_999, time.UTC)},
	} {
		buf := finishBatch(addEntry(nil, 3, &l), 1, 2, roleAppend)
		f, ok := frameAt(buf, 0)
		var got raft.Log
		if err := decodeEntry(f, &got); !ok || err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", l) {
			t.Errorf("%#v became %#v, %v", l, got, err)
		}
	}
}

func TestCache(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, size := range []int64{0, 1, 64, 1000} {
		c := newCache(size)
		type chunk struct {
			pos   uint64
			bytes []byte
		}
		var all []chunk
		for range 500 {
			b := make([]byte, 1+r.IntN(150))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			all = append(all, chunk{c.put(b), b})
			newer := int64(0)
			for i := len(all) - 1; i >= 0; i-- {
				newer += int64(len(all[i].bytes))
				p := make([]byte, len(all[i].bytes))
				ok := c.read(all[i].pos, p)
				if ok != (newer <= size) {
					t.Fatalf("cache of %d: chunk %d from the end, %d bytes back: found %v", size, len(all)-i, newer, ok)
				}
				if ok && !bytes.Equal(p, all[i].bytes) {
					t.Fatalf("cache of %d: other bytes", size)
				}
			}
			all = all[max(0, len(all)-20):]
		}
		if c.read(0, make([]byte, 1)) || c.read(c.end, make([]byte, 1)) {
			t.Error("positions that were never written are found")
		}
	}
}

// TestIndexAgainstAMap plays random appends, truncations and moves against a plain map.
func TestIndexAgainstAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		segs := []*segment{{name: "a"}, {name: "b"}, {name: "c"}}
		var x index
		model := map[uint64]extent{}
		for step := range 100 {
			e := extent{seg: segs[r.IntN(3)], offset: uint32(step), bytes: 64}
			switch n := r.IntN(10); {
			case n < 5:
				i := x.last + 1
				if x.empty() {
					i = 1 + r.Uint64N(50)
				}
				if err := x.add(i, e); err != nil {
					t.Fatal(err)
				}
				model[i] = e
			case n < 7 && !x.empty():
				i := x.first + r.Uint64N(x.last-x.first+1)
				if err := x.move(i, e); err != nil {
					t.Fatal(err)
				}
				model[i] = e
			case n < 9 && !x.empty():
				first := x.first + r.Uint64N(x.last-x.first+1)
				last := first + r.Uint64N(x.last-first+1)
				if err := x.keep(first, last); err != nil {
					t.Fatal(err)
				}
				for i := range model {
					if i < first || i > last {
						delete(model, i)
					}
				}
			case n == 9 && r.IntN(4) == 0:
				if err := x.keep(0, 0); err != nil {
					t.Fatal(err)
				}
				clear(model)
			}
			checkIndex(t, &x, model, segs)
		}
	}
}

func checkIndex(t *testing.T, x *index, model map[uint64]extent, segs []*segment) {
	t.Helper()
	live := map[*segment]int64{}
	for i, e := range model {
		live[e.seg] += int64(e.bytes)
		got, ok := x.at(i)
		if !ok || got.seg != e.seg || got.offset != e.offset {
			t.Fatalf("entry %d is at %+v, want %+v", i, got, e)
		}
		if n := x.bytesSince(i - 1); n != int64(x.last-i+1)*64 {
			t.Fatalf("%d bytes since %d", n, i-1)
		}
	}
	if x.empty() != (len(model) == 0) || !x.empty() && x.last-x.first+1 != uint64(len(model)) {
		t.Fatalf("%d to %d, want %d entries", x.first, x.last, len(model))
	}
	for _, s := range segs {
		if s.live != live[s] {
			t.Fatalf("segment %s has %d live bytes, want %d", s.name, s.live, live[s])
		}
	}
}

// TestReplayWithoutTheOldestSegments is a log whose first segments are gone, as after the reclaiming of moved entries:
// what they held is removed or was written once more further on; else it is refused.
func TestReplayWithoutTheOldestSegments(t *testing.T) {
	moved := func(i uint64) []byte {
		buf := addEntry(nil, 1, &raft.Log{Index: i})
		buf[20] = kindMoved
		return buf
	}
	entry := func(i uint64) []byte { return addEntry(nil, 1, &raft.Log{Index: i}) }
	tests := []struct {
		name        string
		frames      [][]byte
		first, last uint64
		ok          bool
	}{
		{"nothing follows", nil, 0, 0, false},
		{"all removed", [][]byte{addRange(nil, 1, rangeDrop, 0, 0)}, 0, 0, true},
		{"all moved", [][]byte{moved(5), entry(8), moved(6), moved(7)}, 5, 8, true},
		{"one not moved", [][]byte{moved(5), moved(7), entry(8)}, 0, 0, false},
		{"prefix removed, rest moved", [][]byte{moved(5), entry(8), addRange(nil, 1, rangePrefix, 7, 8), moved(7)}, 7, 8, true},
		{"all old ones removed", [][]byte{entry(8), entry(9), addRange(nil, 1, rangePrefix, 9, 9)}, 9, 9, true},
		{"suffix removed, written again, prefix removed", [][]byte{addRange(nil, 1, rangeSuffix, 5, 5), entry(6), entry(7), addRange(nil, 1, rangePrefix, 6, 7)}, 6, 7, true},
		{"suffix removed, rest moved, written again", [][]byte{moved(6), addRange(nil, 1, rangeSuffix, 5, 5), entry(6), moved(5)}, 5, 6, true},
		{"suffix removed, rest not moved", [][]byte{moved(6), moved(7), addRange(nil, 1, rangeSuffix, 5, 5), entry(6)}, 0, 0, false},
		{"moved, not live", [][]byte{moved(4)}, 0, 0, false},
		{"a gap", [][]byte{entry(9)}, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			buf := make([]byte, headerBytes, 1<<16)
			s := newGroupState()
			s.index.expect(5, 7)
			buf = append(buf, finishBatch(addCheckpoint(nil, 1, s), 40, 9, roleCheckpoint)...)
			var frames []byte
			for _, f := range tt.frames {
				frames = append(frames, f...)
			}
			buf = append(buf, finishBatch(frames, 41, 9, roleAppend)...)
			r := newReplay()
			_, err := scanSegment("x", image{buf: buf, seed: 9, start: headerBytes}, 0, r.visitor(&segment{name: "x"}))
			if err == nil {
				_, err = r.finish()
			}
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			x := &r.groups[1].index
			if x.first != tt.first || x.last != tt.last {
				t.Errorf("%d to %d", x.first, x.last)
			}
			for i := x.first; i != 0 && i <= x.last; i++ {
				e, ok := x.at(i)
				f, _ := frameAt(buf, int(e.offset))
				if got, err := entryIndex(f.payload); !ok || err != nil || got != i {
					t.Errorf("entry %d is found as %d, %v", i, got, err)
				}
			}
		})
	}
}
