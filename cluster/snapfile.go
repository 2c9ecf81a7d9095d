package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hashicorp/raft"
	"github.com/vmihailenco/msgpack/v5"
)

// A snapshot file, version 1. Numbers are little endian, checksums CRC32C.
//
//	+-------+---------+------+-------------+----------+------+
//	| magic | version | zero | meta length | checksum | meta |     head: checksum over the first 12 bytes and meta
//	|   4   |    2    |   2  |      4      |     4    |  ... |
//	+-------+---------+------+-------------+----------+------+
//	| length | checksum | bytes |                                block, any number: checksum over the bytes of all blocks so far
//	|    4   |     4    |  ...  |
//	+--------+----------+-------+--------------+
//	|    0   | checksum | total |   checksum   |                 end: the state's checksum and length, checksum over these 16 bytes
//	|    4   |     4    |   8   |       4      |
//	+--------+----------+-------+--------------+
//
// Every byte is verified before anybody decodes it, in one pass; that the checksum runs on makes a missing or exchanged block visible.
const (
	snapMagic       = "HFSS"
	snapVersion     = 1
	snapHeadBytes   = 16
	snapBlockBytes  = 256 << 10
	snapEndBytes    = 20
	snapMaxMeta     = 1 << 20
	snapBlockHeader = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// snapMeta is what a snapshot says of itself. It is encoded as an array: new fields go to the end, with a new version.
type snapMeta struct {
	Cluster []byte
	Shard   uint32
	// Index and Term are those of the last entry in the state.
	Index, Term uint64
	// Members is the raft configuration at MembersIndex, in raft's encoding.
	MembersIndex uint64
	Members      []byte
	// CoveredBytes is how much log lay between the snapshot before and this one.
	CoveredBytes int64
}

// appendHead appends the head of a file.
func appendHead(b []byte, m *snapMeta) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseArrayEncodedStructs(true)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("cluster: encode snapshot head: %w", err)
	}
	meta := buf.Bytes()
	at := len(b)
	b = append(b, snapMagic...)
	b = binary.LittleEndian.AppendUint16(b, snapVersion)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(meta)))
	sum := crc32.Update(crc32.Checksum(b[at:], castagnoli), castagnoli, meta)
	return append(binary.LittleEndian.AppendUint32(b, sum), meta...), nil
}

// readHead reads and verifies the head of a file and returns where the blocks begin.
func readHead(f FileReader) (*snapMeta, int64, error) {
	var head [snapHeadBytes]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, 0, readFault("the head", err)
	}
	length := binary.LittleEndian.Uint32(head[8:])
	switch version := binary.LittleEndian.Uint16(head[4:]); {
	case string(head[:4]) != snapMagic:
		return nil, 0, fmt.Errorf("%w: it does not begin like a snapshot", ErrSnapshotCorrupt)
	case version != snapVersion:
		return nil, 0, fmt.Errorf("%w: %d, this program knows %d", ErrSnapshotVersion, version, snapVersion)
	case length > snapMaxMeta:
		return nil, 0, fmt.Errorf("%w: its head claims %d bytes", ErrSnapshotCorrupt, length)
	}
	meta := make([]byte, length)
	if _, err := f.ReadAt(meta, snapHeadBytes); err != nil {
		return nil, 0, readFault("the head", err)
	}
	if crc32.Update(crc32.Checksum(head[:12], castagnoli), castagnoli, meta) != binary.LittleEndian.Uint32(head[12:]) {
		return nil, 0, fmt.Errorf("%w: the checksum of its head is wrong", ErrSnapshotCorrupt)
	}
	m, in := new(snapMeta), bytes.NewReader(meta)
	if err := msgpack.NewDecoder(in).Decode(m); err != nil || in.Len() != 0 {
		return nil, 0, fmt.Errorf("%w: its head cannot be decoded (%d bytes left, %v)", ErrSnapshotCorrupt, in.Len(), err)
	}
	return m, snapHeadBytes + int64(length), nil
}

// readFault tells a file that ends too early from one that cannot be read.
func readFault(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in %s", ErrSnapshotCorrupt, what)
	}
	return fmt.Errorf("cluster: read %s of a snapshot: %w", what, err)
}

// appendEnd appends the end of a file whose state has that checksum and length.
func appendEnd(b []byte, sum uint32, total int64) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = binary.LittleEndian.AppendUint64(b, uint64(total))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

// readEnd returns the length of the state as the last bytes of a file say it.
func readEnd(f FileReader, blocksAt int64) (stateBytes int64, err error) {
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("cluster: size of a snapshot: %w", err)
	}
	var end [snapEndBytes]byte
	if size < blocksAt+snapEndBytes {
		return 0, fmt.Errorf("%w: it has no end", ErrSnapshotCorrupt)
	}
	if _, err := f.ReadAt(end[:], size-snapEndBytes); err != nil {
		return 0, readFault("the end", err)
	}
	if binary.LittleEndian.Uint32(end[:]) != 0 || crc32.Checksum(end[:16], castagnoli) != binary.LittleEndian.Uint32(end[16:]) {
		return 0, fmt.Errorf("%w: the checksum of its end is wrong", ErrSnapshotCorrupt)
	}
	return int64(binary.LittleEndian.Uint64(end[8:])), nil
}

// checkMembers says whether raft can decode the configuration: it panics when it cannot.
func (m *snapMeta) checkMembers() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: its configuration cannot be decoded: %v", ErrSnapshotCorrupt, p)
		}
	}()
	raft.DecodeConfiguration(m.Members)
	return nil
}

// raftMeta returns what raft wants to know of a snapshot.
func (m *snapMeta) raftMeta(id string, stateBytes int64) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: id, Index: m.Index, Term: m.Term,
		Configuration: raft.DecodeConfiguration(m.Members), ConfigurationIndex: m.MembersIndex, Size: stateBytes,
	}
}

// blockWriter cuts a state into blocks.
type blockWriter struct {
	to    io.Writer
	block []byte // the block being filled, behind room for its header
	sum   uint32
	total int64
}

func newBlockWriter(to io.Writer) *blockWriter {
	return &blockWriter{to: to, block: make([]byte, snapBlockHeader, snapBlockHeader+snapBlockBytes)}
}

// Write adds to the state.
func (w *blockWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		take := min(len(p), cap(w.block)-len(w.block))
		w.block = append(w.block, p[:take]...)
		n, p = n+take, p[take:]
		if len(w.block) == cap(w.block) {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *blockWriter) flush() error {
	state := w.block[snapBlockHeader:]
	if len(state) == 0 {
		return nil
	}
	w.sum = crc32.Update(w.sum, castagnoli, state)
	w.total += int64(len(state))
	binary.LittleEndian.PutUint32(w.block, uint32(len(state)))
	binary.LittleEndian.PutUint32(w.block[4:], w.sum)
	_, err := w.to.Write(w.block)
	w.block = w.block[:snapBlockHeader]
	return err
}

// end writes what is left and the end of the file.
func (w *blockWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.to.Write(appendEnd(nil, w.sum, w.total))
	return err
}

// blockReader reads a state and verifies each block before it hands it out. It ends with io.EOF only when the whole file verified.
type blockReader struct {
	from  io.Reader
	block []byte
	next  []byte // what of block was not read yet
	sum   uint32
	total int64
	err   error
}

func newBlockReader(f FileReader, blocksAt int64) (*blockReader, error) {
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("cluster: size of a snapshot: %w", err)
	}
	return &blockReader{from: io.NewSectionReader(f, blocksAt, size-blocksAt)}, nil
}

// Read reads verified bytes of the state.
func (r *blockReader) Read(p []byte) (int, error) {
	for len(r.next) == 0 && r.err == nil {
		r.err = r.advance()
	}
	if len(r.next) == 0 {
		return 0, r.err
	}
	n := copy(p, r.next)
	r.next = r.next[n:]
	return n, nil
}

func (r *blockReader) advance() error {
	var head [snapBlockHeader]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return readFault("a block", err)
	}
	length, sum := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	if length == 0 {
		return r.finish(head, sum)
	}
	if length > snapBlockBytes {
		return fmt.Errorf("%w: a block at byte %d of the state claims %d bytes", ErrSnapshotCorrupt, r.total, length)
	}
	if r.block == nil {
		r.block = make([]byte, snapBlockBytes)
	}
	state := r.block[:length]
	if _, err := io.ReadFull(r.from, state); err != nil {
		return readFault("a block", err)
	}
	r.sum = crc32.Update(r.sum, castagnoli, state)
	if r.sum != sum {
		return fmt.Errorf("%w: the checksum of the block at byte %d of the state is wrong", ErrSnapshotCorrupt, r.total)
	}
	r.total += int64(length)
	r.next = state
	return nil
}

// finish verifies the end of the file.
func (r *blockReader) finish(head [snapBlockHeader]byte, sum uint32) error {
	var rest [snapEndBytes - snapBlockHeader + 1]byte
	n, err := io.ReadFull(r.from, rest[:])
	if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) || n != len(rest)-1 {
		return fmt.Errorf("%w: %d bytes where the end should be", ErrSnapshotCorrupt, n+snapBlockHeader)
	}
	whole := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, rest[:8])
	if sum != r.sum || binary.LittleEndian.Uint64(rest[:]) != uint64(r.total) || binary.LittleEndian.Uint32(rest[8:]) != whole {
		return fmt.Errorf("%w: the end does not fit %d bytes of state", ErrSnapshotCorrupt, r.total)
	}
	return io.EOF
}
