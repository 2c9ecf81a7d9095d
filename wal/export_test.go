package wal

import (
	"bytes"
	"hash/crc32"
)

// WithSalt fixes the random number in the headers of segments, for tests of the format.
func WithSalt(c Config, salt uint64) Config {
	c.salt = func() uint64 { return salt }
	return c
}

// SetVersion makes a segment's header one of that format version, with the right checksums.
func SetVersion(page []byte, version uint32) {
	le.PutUint32(page[8:], version)
	if n := headerLength(version, int64(len(page))); version > 1 && n <= len(page) {
		le.PutUint32(page[headerSums:], crc32.Checksum(page[headerUsed:n], castagnoli))
	}
	le.PutUint32(page[headerCRC:], crc32.Checksum(page[:headerCRC], castagnoli))
}

// AddBatch appends to a segment's bytes a batch of one frame, sound as a batch whatever the frame says.
func AddBatch(content []byte, kind, role uint8, group uint32, payload []byte) {
	seed := crc32.Checksum(content[:headerCRC], castagnoli)
	end, seq := headerBytes, uint64(1)
	for {
		b, bad := readBatch(content, end, seed, seq)
		if bad != nil {
			break
		}
		end, seq = b.end, seq+1
	}
	buf, p := addFrame(nil, kind, 0, group, len(payload))
	copy(p, payload)
	copy(content[end:], finishBatch(buf, seq, seed, role))
}

// PageEnd rounds up to whole pages.
var PageEnd = pageEnd

// ToVersion1 makes of a segment whose file was used for the first time what the first format version would have written.
func ToVersion1(content []byte) []byte {
	old := bytes.Clone(content)
	h, err := decodeHeader(old, "", le.Uint64(old[32:]), int64(len(old)))
	if err != nil || h.start() != headerBytes {
		panic("not a segment that version 1 could have written")
	}
	clear(old[headerUsed:headerBytes])
	seed := h.seed
	h.version, h.sums = 1, 0
	h.encode(old)
	for at := headerBytes; ; {
		f, ok := frameAt(old, at)
		if !ok || !f.sound(old, seed) {
			return old
		}
		at += finishFrame(old[at:], f.batch, h.seed)
	}
}
