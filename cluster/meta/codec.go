package meta

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/vmihailenco/msgpack/v5"

	"holdfast/stock"
)

// An entry of the meta group's log, and its snapshot, are one frame around one msgpack array:
//
//	+---------+--------+--------+------------------------------+
//	| version | length | crc    | payload: length bytes        |   entry     [kind, clock, command]
//	|    1    | uint32 | uint32 | CRC32C crc, structs as arrays|   snapshot  [log time, cluster, remembered outcomes]
//	+---------+--------+--------+------------------------------+
//
// Numbers are big-endian. There is one encoding of a value: what decodes encodes to the same bytes again. A field more or less is another
// version.
const (
	entryVersion    = 1
	snapshotVersion = 1
	frameHeadBytes  = 9

	// MaxEntryBytes bounds an entry; it is the bound of a proposal.
	MaxEntryBytes = stock.MaxProposalBytes
	// MaxSnapshotBytes bounds a snapshot: the tables at their bounds take a fraction of it.
	MaxSnapshotBytes = 16 << 20
)

// maxDepth bounds the nesting of what is decoded; the deepest that is written is 6.
const maxDepth = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type entryHead struct {
	Kind  Kind
	Clock stock.Time
}

// EncodeEntry returns the entry for a command, with the leader's clock (rule R2). It returns ErrTooLarge for one above MaxEntryBytes and
// ErrMalformed for one that DecodeEntry would not accept.
func EncodeEntry(clock stock.Time, c Command) ([]byte, error) {
	if !fits(c) {
		return nil, fmt.Errorf("%w: %T with a field beyond its bound", ErrMalformed, c)
	}
	head, err := marshal(&entryHead{Kind: c.Kind(), Clock: clock})
	if err != nil {
		return nil, err
	}
	body, err := marshal(c)
	if err != nil {
		return nil, err
	}
	data := frame(entryVersion, append(append([]byte{0x92}, head...), body...))
	if len(data) > MaxEntryBytes {
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, len(data), MaxEntryBytes)
	}
	return data, nil
}

// DecodeEntry returns what EncodeEntry put together, byte for byte. It returns ErrUnknownCommand for a version or kind that this binary does not
// know, and ErrMalformed for whatever else EncodeEntry does not write.
func DecodeEntry(data []byte) (clock stock.Time, c Command, err error) {
	if len(data) > MaxEntryBytes {
		return 0, nil, fmt.Errorf("%w: entry of %d bytes", ErrMalformed, len(data))
	}
	payload, err := unframe(entryVersion, data)
	if err != nil {
		return 0, nil, err
	}
	if err := scan(payload); err != nil {
		return 0, nil, err
	}
	r := bytes.NewReader(payload)
	d := msgpack.NewDecoder(r)
	var head entryHead
	if n, err := d.DecodeArrayLen(); err != nil || n != 2 {
		return 0, nil, fmt.Errorf("%w: not an array of head and command", ErrMalformed)
	}
	if err := d.Decode(&head); err != nil {
		return 0, nil, fmt.Errorf("%w: head: %w", ErrMalformed, err)
	}
	if c = newCommand(head.Kind); c == nil {
		return 0, nil, fmt.Errorf("%w: kind %d", ErrUnknownCommand, head.Kind)
	}
	if err := d.Decode(c); err != nil {
		return 0, nil, fmt.Errorf("%w: %T: %w", ErrMalformed, c, err)
	}
	// The library turns nil into zero, -1 into a large number and a long form into a short one without a word.
	again, err := EncodeEntry(head.Clock, c)
	if err != nil || !bytes.Equal(again, data) {
		return 0, nil, fmt.Errorf("%w: %T that is not in its one form", ErrMalformed, c)
	}
	return head.Clock, c, nil
}

func frame(version byte, payload []byte) []byte {
	b := make([]byte, 0, frameHeadBytes+len(payload))
	b = binary.BigEndian.AppendUint32(append(b, version), uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

func unframe(version byte, data []byte) ([]byte, error) {
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: no bytes", ErrMalformed)
	case data[0] != version:
		return nil, fmt.Errorf("%w: version %d, not %d", ErrUnknownCommand, data[0], version)
	case len(data) < frameHeadBytes:
		return nil, fmt.Errorf("%w: %d bytes, fewer than a head's %d", ErrMalformed, len(data), frameHeadBytes)
	}
	payload := data[frameHeadBytes:]
	if n := binary.BigEndian.Uint32(data[1:]); uint64(n) != uint64(len(payload)) {
		return nil, fmt.Errorf("%w: payload of %d bytes, not %d", ErrMalformed, len(payload), n)
	}
	if sum, want := crc32.Checksum(payload, castagnoli), binary.BigEndian.Uint32(data[5:]); sum != want {
		return nil, fmt.Errorf("%w: checksum %08x, not %08x", ErrMalformed, sum, want)
	}
	return payload, nil
}

// scan returns ErrMalformed unless b is one value that the library may be let loose on: it trusts the lengths that it reads.
func scan(b []byte) error {
	if err := stock.ScanWire(b, maxDepth); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// marshal encodes a value, structs as arrays and numbers in their shortest form.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	e.UseCompactInts(true)
	e.UseArrayEncodedStructs(true)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("meta: encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}
