package cluster

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"
)

// After the handshake an RPC stream carries frames in both directions. Little endian, CRC32C.
//
//	+--------+----------+---------+------+------+----+------+---------+-------+--------+------+
//	| length | checksum | version | type | kind | id | left | attempt | named | caller | body |
//	|    4   |     4    |    1    |   1  |   2  |  8 |   4  |    2    |   2   |  named | rest |
//	+--------+----------+---------+------+------+----+------+---------+-------+--------+------+
//
// Length and checksum cover everything from version on. Left is the time that remains for the request, in microseconds: clocks of two nodes need
// not agree. In an answer kind is its status, and caller, left and attempt are nothing.
const (
	rpcVersion        = 1
	rpcPrefixBytes    = 8
	rpcHeadBytes      = 28
	rpcMinLength      = rpcHeadBytes - rpcPrefixBytes
	maxRPCCallerBytes = 255
	maxRPCLeft        = math.MaxUint32 * time.Microsecond // 71 minutes
)

// frameType says what a frame is.
type frameType uint8

const (
	frameRequest frameType = iota + 1
	frameAnswer
	frameCancel // the asking end does not wait for the answer with that id any more
	framePing
	framePong
)

// rpcFrame is one frame.
type rpcFrame struct {
	typ     frameType
	kind    uint16
	id      uint64
	left    time.Duration
	attempt uint16
	caller  string
	body    []byte
}

// bytes returns how long the frame is on the wire.
func (f *rpcFrame) bytes() int { return rpcHeadBytes + len(f.caller) + len(f.body) }

// append appends the encoded frame.
func (f *rpcFrame) append(b []byte) []byte {
	at := len(b)
	b = slices.Grow(b, f.bytes())
	b = binary.LittleEndian.AppendUint32(b, uint32(f.bytes()-rpcPrefixBytes))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, rpcVersion, byte(f.typ))
	b = binary.LittleEndian.AppendUint16(b, f.kind)
	b = binary.LittleEndian.AppendUint64(b, f.id)
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(f.left, 0), maxRPCLeft)/time.Microsecond))
	b = binary.LittleEndian.AppendUint16(b, f.attempt)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(f.caller)))
	b = append(append(b, f.caller...), f.body...)
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+rpcPrefixBytes:], castagnoli))
	return b
}

// errFrame is what all errors about the bytes of a frame wrap: the stream cannot be followed any further.
var errFrame = errors.New("cluster: bad frame")

// frameReader reads the frames of a connection.
type frameReader struct {
	from  *bufio.Reader
	limit int64 // of length
	head  [rpcHeadBytes]byte
}

func newFrameReader(from io.Reader, limit int64) *frameReader {
	return &frameReader{from: bufio.NewReaderSize(from, 64<<10), limit: limit}
}

// begin reads the head of the next frame; size is the bytes of caller and body that follow. Nothing of the head is verified yet but its length.
func (r *frameReader) begin() (f rpcFrame, size int, err error) {
	if _, err := io.ReadFull(r.from, r.head[:]); err != nil {
		return f, 0, err
	}
	length := int64(binary.LittleEndian.Uint32(r.head[:]))
	switch {
	case r.head[8] != rpcVersion:
		return f, 0, fmt.Errorf("%w: version %d, not %d", errFrame, r.head[8], rpcVersion)
	case length < rpcMinLength:
		return f, 0, fmt.Errorf("%w: length %d", errFrame, length)
	case length > r.limit:
		return f, 0, fmt.Errorf("%w: %w: %d bytes, at most %d", errFrame, ErrFrameTooLarge, length, r.limit)
	}
	f = rpcFrame{
		typ: frameType(r.head[9]), kind: binary.LittleEndian.Uint16(r.head[10:]), id: binary.LittleEndian.Uint64(r.head[12:]),
		left:    time.Duration(binary.LittleEndian.Uint32(r.head[20:])) * time.Microsecond,
		attempt: binary.LittleEndian.Uint16(r.head[24:]),
	}
	return f, int(length) - rpcMinLength, nil
}

// end reads what follows the head, and verifies all. Memory grows with what came, not with what was announced.
func (r *frameReader) end(f *rpcFrame, size int) error {
	const first = 64 << 10
	b := make([]byte, min(size, first))
	for at := 0; at < size; {
		n, err := io.ReadFull(r.from, b[at:])
		if err != nil {
			return noEOF(err)
		}
		if at += n; at < size {
			b = append(b, make([]byte, min(size-at, at))...)
		}
	}
	named := int(binary.LittleEndian.Uint16(r.head[26:]))
	switch {
	case crc32.Update(r.headSum(), castagnoli, b) != binary.LittleEndian.Uint32(r.head[4:]):
		return fmt.Errorf("%w: checksum", errFrame)
	case f.typ < frameRequest || f.typ > framePong:
		return fmt.Errorf("%w: type %d", errFrame, f.typ)
	case named > maxRPCCallerBytes || named > len(b):
		return fmt.Errorf("%w: a caller of %d bytes", errFrame, named)
	}
	f.caller, f.body = string(b[:named]), b[named:]
	return nil
}

// skip reads what follows the head without keeping it, and verifies all.
func (r *frameReader) skip(size int) error {
	sum := r.headSum()
	buf := make([]byte, min(size, 32<<10))
	for size > 0 {
		n, err := r.from.Read(buf[:min(size, len(buf))])
		sum = crc32.Update(sum, castagnoli, buf[:n])
		if size -= n; err != nil && size > 0 {
			return noEOF(err)
		}
	}
	if sum != binary.LittleEndian.Uint32(r.head[4:]) {
		return fmt.Errorf("%w: checksum", errFrame)
	}
	return nil
}

func (r *frameReader) headSum() uint32 { return crc32.Checksum(r.head[rpcPrefixBytes:], castagnoli) }

// noEOF: a frame that was begun does not end well.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// rpcStatus is how a request went, in its answer.
type rpcStatus uint16

const (
	statusDone rpcStatus = iota
	// statusFailed: the handler returned an error, so something may have been done.
	statusFailed
	// Nothing was done for the rest.
	statusNotExecuted // the handler says so
	statusUnserved    // nobody serves that kind
	statusOverloaded
	statusLate // its time was over before the handler was called
	statusClosing
)

var statusNames = [...]string{"done", "failed", "not_executed", "unserved", "overloaded", "late", "closing"}

// String returns the status as in metrics and errors.
func (s rpcStatus) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint16(s))
}
