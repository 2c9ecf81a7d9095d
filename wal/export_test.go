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
