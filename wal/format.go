package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// The format of a segment's header; FORMAT.md draws it.
//
//	 0        8     12    16            32       40       48     56     60    64                end of a page
//	+--------+-----+-----+-------------+--------+--------+------+------+-----+-----------+-----+
//	| magic  | ver |  0  | cluster id  | seq    | bytes  | salt | sums | crc | page sums |  0  |
//	+--------+-----+-----+-------------+--------+--------+------+------+-----+-----------+-----+
const (
	formatVersion = 2
	headerBytes   = pageBytes // of version 1, and the least of any
	headerUsed    = 64        // without the page sums
	headerSums    = 56
	headerCRC     = 60
	segmentSuffix = ".wal"
	tmpSuffix     = ".tmp"
	lockName      = "LOCK"
)

var (
	magic      = [8]byte{'H', 'O', 'L', 'D', 'F', 'W', 'A', 'L'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// headerLength is the length of a segment's header, whole pages: so no append rewrites any of it. The pages' sums follow
// the fields, 4 bytes for each page of the file; version 1 has none.
func headerLength(version uint32, size int64) int {
	if version < 2 {
		return headerBytes
	}
	return int(pageEnd(headerUsed + size/pageBytes*4))
}

// segmentHeader is what stands in front of a segment's batches.
type segmentHeader struct {
	version uint32
	cluster [16]byte
	seq     uint64
	bytes   int64  // length of the file, of which nothing may be missing
	salt    uint64 // random for each use of a file, so that bytes of an earlier use never look valid
	sums    uint32 // CRC of the page sums and the zeros behind them; 0 in version 1
	seed    uint32 // the header's CRC: every frame's CRC in this segment starts from it
}

// start is the offset of the first batch.
func (h *segmentHeader) start() int { return headerLength(h.version, h.bytes) }

// encode fills in the fields in front of the page sums, which are there already.
func (h *segmentHeader) encode(page []byte) {
	clear(page[:headerUsed])
	if h.version > 1 {
		h.sums = crc32.Checksum(page[headerUsed:h.start()], castagnoli)
	}
	copy(page, magic[:])
	le.PutUint32(page[8:], h.version)
	copy(page[16:32], h.cluster[:])
	le.PutUint64(page[32:], h.seq)
	le.PutUint64(page[40:], uint64(h.bytes))
	le.PutUint64(page[48:], h.salt)
	le.PutUint32(page[headerSums:], h.sums)
	h.seed = crc32.Checksum(page[:headerCRC], castagnoli)
	le.PutUint32(page[headerCRC:], h.seed)
}

// decodeHeader reads the header of the segment of that name and sequence, whose file holds size bytes; page is all of it,
// or as much of it as the header takes.
// Magic, version and CRC stand in the same place in every version, so a flipped bit never looks like a newer format.
func decodeHeader(page []byte, name string, seq uint64, size int64) (segmentHeader, error) {
	corrupt := func(offset int, format string, args ...any) (segmentHeader, error) {
		return segmentHeader{}, &CorruptionError{Segment: name, Offset: int64(offset), Reason: fmt.Sprintf(format, args...)}
	}
	if len(page) < headerBytes {
		return corrupt(len(page), "the file ends inside its header")
	}
	if !bytes.Equal(page[:8], magic[:]) {
		return corrupt(0, "this is not a segment: the magic is wrong")
	}
	h := segmentHeader{
		version: le.Uint32(page[8:]),
		seq:     le.Uint64(page[32:]),
		bytes:   int64(le.Uint64(page[40:])),
		salt:    le.Uint64(page[48:]),
		sums:    le.Uint32(page[headerSums:]),
		seed:    crc32.Checksum(page[:headerCRC], castagnoli),
	}
	copy(h.cluster[:], page[16:32])
	if le.Uint32(page[headerCRC:]) != h.seed {
		return corrupt(0, "the header's checksum does not match")
	}
	if h.version > formatVersion {
		return h, fmt.Errorf("%w: segment %s has version %d, this program knows up to %d", ErrNewerFormat, name, h.version, formatVersion)
	}
	if h.version == 0 || le.Uint32(page[12:]) != 0 || h.version == 1 && h.sums != 0 {
		return corrupt(8, "version or reserved fields of the header are not of this format")
	}
	if at := firstNonzero(page[headerUsed:headerBytes]); h.version == 1 && at >= 0 {
		return corrupt(headerUsed+at, "the header is followed by bytes that should be zero")
	}
	if h.seq != seq {
		return corrupt(32, "the header says segment %d, the name says %d", h.seq, seq)
	}
	if h.bytes != size {
		return corrupt(int(min(size, h.bytes)), "the file has %d bytes, its header says %d", size, h.bytes)
	}
	if h.version == 1 {
		return h, nil
	}
	if h.bytes%pageBytes != 0 || h.start() > len(page) {
		return corrupt(40, "a segment of %d bytes has no whole pages, or no room for its header", h.bytes)
	}
	if crc32.Checksum(page[headerUsed:h.start()], castagnoli) != h.sums {
		return corrupt(headerUsed, "the checksum of the header's page sums does not match")
	}
	return h, nil
}

// imageOf is the content of a segment whose header is h.
func (h *segmentHeader) imageOf(buf []byte) image {
	m := image{buf: buf, seed: h.seed, start: h.start()}
	if h.version > 1 {
		m.sums = pageSums(buf[headerUsed : headerUsed+h.bytes/pageBytes*4])
	}
	return m
}

func segmentName(seq uint64) string { return fmt.Sprintf("%016x%s", seq, segmentSuffix) }

// segmentSeq is the inverse of segmentName.
func segmentSeq(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	seq, err := strconv.ParseUint(hex, 16, 64)
	if err != nil || seq == 0 || segmentName(seq) != name {
		return 0, false
	}
	return seq, true
}

var zeros [64 << 10]byte

// firstNonzero returns the offset of the first byte that is not zero, or -1.
func firstNonzero(b []byte) int {
	for at := 0; at < len(b); {
		n := min(len(b)-at, len(zeros))
		if bytes.Equal(b[at:at+n], zeros[:n]) {
			at += n
			continue
		}
		for b[at] == 0 {
			at++
		}
		return at
	}
	return -1
}

// lastNonzero returns the offset after the last byte that is not zero, or 0.
func lastNonzero(b []byte) int {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[len(b)-n:], zeros[:n]) {
			break
		}
		b = b[:len(b)-n]
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return len(b)
}
