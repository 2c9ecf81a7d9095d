package stock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A proposal on the wire is a frame around one valid msgpack array, version 1:
//
//	byte  0        1        5        9   10       19       28            37         46         51
//	      +--------+--------+--------+---+--------+--------+-------------+----------+----------+---------+
//	      | 01     | length | crc    |95 | cf     | d3     | cf          | cf       | dd       | command |
//	      | version| uint32 | uint32 |   | term   | clock  | incarnation | sequence | count    | ...     |
//	      +--------+--------+--------+---+--------+--------+-------------+----------+----------+---------+
//	                                 |<------------- payload: length bytes, CRC32C crc ------------------>|
//
// Numbers are big-endian. The four numbers of the header are 64 bits wide and the count 32, so that their places are fixed: the writer fills
// in clock and count when it seals, a leader finds its own batch again without decoding it. Everything else is in its shortest form.
//
//	order command  [kind, caller, key, deadline, retry, fields...]   place    sku, user, qty, client_ref
//	                                                                 confirm  order, payment_id
//	                                                                 cancel   order, reason
//	                                                                 return   order, qty, restock
//	                                                                 fence    sku
//	expire         [kind, sku]
//	other commands [kind, body]                                      body: the command's fields as an array, by msgpack/v5
//	order          [epoch, partition, sku number, counter]
//
// There is one encoding of a proposal: what decodes encodes to the same bytes again. A field more or less is another version or kind.
const (
	proposalVersion = 1

	lengthAt     = 1
	checksumAt   = 5
	payloadAt    = 9
	termAt       = 11 // behind the codes 95 and cf
	clockAt      = 20
	incarnAt     = 29
	sequenceAt   = 38
	countAt      = 47
	commandsAt   = 51
	headerFields = 5
)

// MaxProposalBytes is the default bound of one proposal: raft suffers from entries over twice as long.
const MaxProposalBytes = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ProposalWriter collects commands into one proposal, encoding each as it comes. It is for one goroutine and keeps its buffer, so that adding
// an order command does not allocate.
type ProposalWriter struct {
	maxBytes int
	buf      []byte
	count    int
}

// NewProposalWriter returns an empty writer of proposals of at most maxBytes bytes; 0 means MaxProposalBytes. A bound below a few KiB may
// refuse some commands even when they come first.
func NewProposalWriter(maxBytes int) *ProposalWriter {
	if maxBytes <= 0 {
		maxBytes = MaxProposalBytes
	}
	w := &ProposalWriter{maxBytes: maxBytes}
	w.Reset(Header{})
	return w
}

// Reset drops what was added and begins a proposal; its clock is set by Seal.
func (w *ProposalWriter) Reset(h Header) {
	b := append(w.buf[:0], proposalVersion, 0, 0, 0, 0, 0, 0, 0, 0)
	b = appendArrayHeader(b, headerFields)
	b = appendFixedUint64(b, h.Term)
	b = appendFixedInt64(b, int64(h.Clock))
	b = appendFixedUint64(b, h.Incarnation)
	b = appendFixedUint64(b, h.Sequence)
	w.buf, w.count = appendFixedArrayHeader(b, 0), 0
}

// Add appends a command. It returns ErrTooLarge when the proposal would pass its bound, ErrMalformed when a field is beyond what
// DecodeProposal accepts, ErrUnknownCommand for a type that is not of this package; then nothing of the command stays.
func (w *ProposalWriter) Add(c Command) error {
	at := len(w.buf)
	b, err := appendCommand(w.buf, c)
	if err == nil && len(b) > w.maxBytes {
		err = fmt.Errorf("%w: %d bytes and %d more, of %d", ErrTooLarge, at, len(b)-at, w.maxBytes)
	}
	if err != nil {
		w.buf = b[:at]
		return err
	}
	w.buf = b
	w.count++
	return nil
}

// Len returns the length in bytes of the proposal as it would be sealed now.
func (w *ProposalWriter) Len() int { return len(w.buf) }

// Count returns how many commands were added.
func (w *ProposalWriter) Count() int { return w.count }

// Seal returns the proposal with its clock, count and checksum filled in, and empties the writer, which needs a Reset before its next
// proposal. The bytes belong to the caller: raft keeps an entry as long as it likes. They are a copy of exact length; to hand over the
// writer's own buffer would cost a new one of guessed size each time, kept by raft with all its unused capacity.
func (w *ProposalWriter) Seal(clock Time) []byte {
	binary.BigEndian.PutUint64(w.buf[clockAt:], uint64(clock))
	binary.BigEndian.PutUint32(w.buf[countAt:], uint32(w.count))
	payload := w.buf[payloadAt:]
	binary.BigEndian.PutUint32(w.buf[lengthAt:], uint32(len(payload)))
	binary.BigEndian.PutUint32(w.buf[checksumAt:], crc32.Checksum(payload, castagnoli))
	sealed := bytes.Clone(w.buf)
	w.Reset(Header{})
	return sealed
}

// PeekHeader returns the header and the checksum that a proposal carries. It looks at version and length only: the numbers mean something
// when they are equal to those of a proposal that this process sealed (rule R1), and are no more than a claim otherwise.
func PeekHeader(data []byte) (h Header, checksum uint32, err error) {
	if err := checkFrame(data); err != nil {
		return Header{}, 0, err
	}
	h = Header{
		Term:        binary.BigEndian.Uint64(data[termAt:]),
		Clock:       Time(binary.BigEndian.Uint64(data[clockAt:])),
		Incarnation: binary.BigEndian.Uint64(data[incarnAt:]),
		Sequence:    binary.BigEndian.Uint64(data[sequenceAt:]),
	}
	return h, binary.BigEndian.Uint32(data[checksumAt:]), nil
}

// DecodeProposal returns the proposal that a ProposalWriter sealed as data, byte for byte. It returns ErrUnknownCommand for a version or a
// kind of command that this binary does not know, and ErrMalformed for whatever else is not exactly what the writer writes. Nothing of the
// result aliases data, but the strings of its order commands share one copy of the payload: who keeps one beyond the apply clones it.
func DecodeProposal(data []byte) (Proposal, error) {
	if err := checkFrame(data); err != nil {
		return Proposal{}, err
	}
	want := binary.BigEndian.Uint32(data[checksumAt:])
	if sum := crc32.Checksum(data[payloadAt:], castagnoli); sum != want {
		return Proposal{}, fmt.Errorf("%w: checksum %08x, not %08x", ErrMalformed, sum, want)
	}
	var d commandDecoder
	d.r.s = string(data[payloadAt:])
	d.r.array(headerFields)
	p := Proposal{Header: Header{Term: d.r.fixedUint64(), Clock: Time(d.r.fixedInt64())}}
	p.Incarnation, p.Sequence = d.r.fixedUint64(), d.r.fixedUint64()
	p.Commands = d.commands(d.r.fixedArrayHeader())
	if err := d.r.end(); err != nil {
		return Proposal{}, err
	}
	return p, nil
}

func checkFrame(data []byte) error {
	switch {
	case len(data) == 0:
		return fmt.Errorf("%w: no bytes", ErrMalformed)
	case data[0] != proposalVersion:
		return fmt.Errorf("%w: version %d, not %d", ErrUnknownCommand, data[0], proposalVersion)
	case len(data) < commandsAt:
		return fmt.Errorf("%w: %d bytes, fewer than the header's %d", ErrMalformed, len(data), commandsAt)
	}
	if n := binary.BigEndian.Uint32(data[lengthAt:]); uint64(n) != uint64(len(data)-payloadAt) {
		return fmt.Errorf("%w: payload of %d bytes, not %d", ErrMalformed, len(data)-payloadAt, n)
	}
	return nil
}

// appendCommand appends a command's element; on an error the first len(b) bytes of what it returns are b.
func appendCommand(b []byte, c Command) ([]byte, error) {
	fits := true
	switch c := c.(type) {
	case *Place:
		b, fits = appendPlace(b, c)
	case *Confirm:
		b, fits = appendConfirm(b, c)
	case *Cancel:
		b, fits = appendCancel(b, c)
	case *Return:
		b, fits = appendReturn(b, c)
	case *Fence:
		b, fits = appendFence(b, c)
	case *Expire:
		b, fits = appendExpire(b, c)
	case *Init, *Open, *Create, *Update, *Adjust, *Freeze, *SetSettings, *FlushMark, *FlushSpan, *RaiseLevel, *HashMark,
		*RaiseEpoch:
		return appendAdmin(b, c)
	default:
		return b, fmt.Errorf("%w: %T", ErrUnknownCommand, c)
	}
	if !fits {
		return b, fmt.Errorf("%w: %T with a field beyond its bound", ErrMalformed, c)
	}
	return b, nil
}
