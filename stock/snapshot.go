package stock

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
)

// A snapshot is a stream of frames, in SKU order and canonical: equal states are equal bytes.
//
//	frame    = length uint32 | crc32c uint32 | payload      (little endian; the checksum covers the payload)
//	snapshot = book head, { ledger head, { table chunk }, end of ledger }, end of snapshot
//	payload  = one msgpack array: [kind, ...]
const (
	frameBook byte = iota + 1
	frameLedger
	frameRows
	frameUsers
	frameReturns
	frameLedgerEnd
	frameEnd
)

const (
	frameHeadBytes = 8
	// maxFrameBytes bounds what a reader allocates for one frame.
	maxFrameBytes = 64 << 20
	chunkRows     = 256
)

// WriteTo writes the cut in canonical form. It does not touch the ledgers, which may go on meanwhile. It makes all hashes from scratch: when one is
// not what was kept up with the changes, the snapshot is left unfinished and the error is ErrCorrupt.
func (c *Cut) WriteTo(w io.Writer) (int64, error) {
	c.sort()
	f := &frameWriter{w: bufio.NewWriterSize(w, 1<<16)}
	f.value(frameBook, &c.head)
	var a audit
	for _, l := range c.ledgers {
		if a.ledger(l); a.err != nil {
			break
		}
		f.value(frameLedger, &l.head)
		writeTable(f, frameUsers, l.users.all(), func(b []byte, a *account) []byte {
			p := l.users.of(a)
			return appendPerson(b, &p)
		})
		writeTable(f, frameRows, l.rows.all(), appendRow)
		writeTable(f, frameReturns, l.returns.all(), appendReturned)
		f.value(frameLedgerEnd, nil)
	}
	if err := a.end(c); err != nil {
		return f.n, err
	}
	f.value(frameEnd, nil)
	if f.err == nil {
		f.err = f.w.Flush()
	}
	return f.n, f.err
}

type frameWriter struct {
	w   *bufio.Writer
	buf []byte
	n   int64
	err error
}

// value writes a frame of one value encoded by msgpack/v5; nil stands for an empty one.
func (f *frameWriter) value(kind byte, v any) {
	f.buf = append(f.buf[:0], kind)
	if v != nil {
		f.buf = append(f.buf, marshal(v)...)
	}
	f.flush()
}

func (f *frameWriter) flush() {
	if f.err != nil {
		return
	}
	var head [frameHeadBytes]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(f.buf)))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(f.buf, castagnoli))
	for _, b := range [][]byte{head[:], f.buf} {
		n, err := f.w.Write(b)
		f.n += int64(n)
		if err != nil {
			f.err = fmt.Errorf("stock: write snapshot: %w", err)
			return
		}
	}
}

// writeTable writes the rows that are there, in chunks of [place, row, place, row, ...].
func writeTable[T any](f *frameWriter, kind byte, all iter.Seq2[uint64, *T], add func([]byte, *T) []byte) {
	rows := 0
	body := f.buf[:0]
	emit := func() {
		if rows > 0 {
			f.buf = body
			binary.BigEndian.PutUint32(f.buf[2:], uint32(2*rows))
			f.flush()
		}
		rows = 0
	}
	for i, r := range all {
		if rows == 0 {
			body = appendFixedArrayHeader(append(f.buf[:0], kind), 0)
		}
		n := len(body)
		mark := appendUint(body, i)
		if full := add(mark, r); len(full) > len(mark) {
			body = full
			rows++
		} else {
			body = body[:n]
		}
		if rows == chunkRows {
			emit()
		}
	}
	emit()
}

type frameReader struct {
	r   *bufio.Reader
	buf []byte
}

// next returns the kind and payload of the next frame, valid until the next call.
func (f *frameReader) next() (byte, []byte, error) {
	var head [frameHeadBytes]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: snapshot ends early: %w", ErrMalformed, err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > maxFrameBytes {
		return 0, nil, fmt.Errorf("%w: snapshot frame of %d bytes", ErrMalformed, n)
	}
	if uint32(cap(f.buf)) < n {
		f.buf = make([]byte, n)
	}
	f.buf = f.buf[:n]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		return 0, nil, fmt.Errorf("%w: snapshot ends early: %w", ErrMalformed, err)
	}
	if crc32.Checksum(f.buf, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return 0, nil, fmt.Errorf("%w: snapshot frame with a wrong checksum", ErrMalformed)
	}
	if f.buf[0] < frameBook || f.buf[0] > frameEnd {
		return 0, nil, fmt.Errorf("%w: snapshot frame %d", ErrUnknownCommand, f.buf[0])
	}
	return f.buf[0], f.buf[1:], nil
}
