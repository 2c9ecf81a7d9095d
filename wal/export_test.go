package wal

import "hash/crc32"

// WithSalt fixes the random number in the headers of segments, for tests of the format.
func WithSalt(c Config, salt uint64) Config {
	c.salt = func() uint64 { return salt }
	return c
}

// SetVersion makes a segment's header one of that format version, with the right checksum.
func SetVersion(page []byte, version uint32) {
	le.PutUint32(page[8:], version)
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
