package backup

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// What nodes say to each other about a snapshot, under cluster.KindSnapshot. Numbers are big-endian, lengths fixed but for the bytes of a chunk:
//
//	request         version 1 | op 1 | group 4 | read 8 | offset 8 | most 4
//	answer to open  version 1 | read 8 | index 8 | term 8 | bytes 8
//	answer to next  version 1 | CRC32C 4 | bytes
//	answer to done  version 1
//
// open takes a snapshot on the group's leader and begins a read of it; next reads on, and the last chunk again for whoever lost its answer; done ends
// the read.
const (
	frameVersion = 1
	requestBytes = 26
	openedBytes  = 33
	chunkBytes   = 5
)

type op uint8

const (
	opOpen op = iota + 1
	opNext
	opDone
)

type request struct {
	op     op
	group  uint32
	read   uint64
	offset int64
	most   uint32
}

// opened is what a read is of.
type opened struct {
	read        uint64
	index, term uint64
	bytes       int64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (q *request) encode() []byte {
	b := append(make([]byte, 0, requestBytes), frameVersion, byte(q.op))
	b = binary.BigEndian.AppendUint32(b, q.group)
	b = binary.BigEndian.AppendUint64(b, q.read)
	b = binary.BigEndian.AppendUint64(b, uint64(q.offset))
	return binary.BigEndian.AppendUint32(b, q.most)
}

func decodeRequest(b []byte) (q request, err error) {
	if len(b) != requestBytes || b[0] != frameVersion || b[1] < byte(opOpen) || b[1] > byte(opDone) {
		return q, fmt.Errorf("backup: a request of %d bytes that nobody here knows", len(b))
	}
	q = request{
		op: op(b[1]), group: binary.BigEndian.Uint32(b[2:]), read: binary.BigEndian.Uint64(b[6:]),
		offset: int64(binary.BigEndian.Uint64(b[14:])), most: binary.BigEndian.Uint32(b[22:]),
	}
	if q.offset < 0 {
		return q, fmt.Errorf("backup: a request at byte %d", q.offset)
	}
	return q, nil
}

func (o *opened) encode() []byte {
	b := append(make([]byte, 0, openedBytes), frameVersion)
	for _, n := range []uint64{o.read, o.index, o.term, uint64(o.bytes)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func decodeOpened(b []byte) (o opened, err error) {
	if len(b) != openedBytes || b[0] != frameVersion {
		return o, fmt.Errorf("backup: an answer of %d bytes that nobody here knows", len(b))
	}
	o = opened{
		read: binary.BigEndian.Uint64(b[1:]), index: binary.BigEndian.Uint64(b[9:]), term: binary.BigEndian.Uint64(b[17:]),
		bytes: int64(binary.BigEndian.Uint64(b[25:])),
	}
	if o.bytes < 0 || o.term == 0 {
		return o, fmt.Errorf("backup: a snapshot of %d bytes in term %d", o.bytes, o.term)
	}
	return o, nil
}

func encodeChunk(chunk []byte) []byte {
	b := append(make([]byte, 0, chunkBytes+len(chunk)), frameVersion)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(chunk, castagnoli))
	return append(b, chunk...)
}

// decodeChunk returns the bytes in an answer, of which there is one at least.
func decodeChunk(b []byte) ([]byte, error) {
	if len(b) <= chunkBytes || b[0] != frameVersion {
		return nil, fmt.Errorf("backup: a chunk of %d bytes that nobody here knows", len(b))
	}
	chunk := b[chunkBytes:]
	if crc32.Checksum(chunk, castagnoli) != binary.BigEndian.Uint32(b[1:]) {
		return nil, fmt.Errorf("backup: a chunk of %d bytes has a wrong checksum", len(chunk))
	}
	return chunk, nil
}
