package wal

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// The payload of an entry; raft's type is the frame's sub:
//
//	 0       8      16         24      28        32
//	+-------+------+----------+-------+---------+------+------------+
//	| index | term | seconds  | nanos | ext len | data | extensions |
//	+-------+------+----------+-------+---------+------+------------+
const entryFixedBytes = 32

var errEntry = errors.New("the payload is not an entry")

func entryPayloadBytes(l *raft.Log) int { return entryFixedBytes + len(l.Data) + len(l.Extensions) }

func addEntry(buf []byte, group uint32, l *raft.Log) []byte {
	buf, p := addFrame(buf, kindEntry, uint8(l.Type), group, entryPayloadBytes(l))
	le.PutUint64(p, l.Index)
	le.PutUint64(p[8:], l.Term)
	le.PutUint64(p[16:], uint64(l.AppendedAt.Unix()))
	le.PutUint32(p[24:], uint32(l.AppendedAt.Nanosecond()))
	le.PutUint32(p[28:], uint32(len(l.Extensions)))
	n := copy(p[entryFixedBytes:], l.Data)
	copy(p[entryFixedBytes+n:], l.Extensions)
	return buf
}

// entryIndex checks the payload's shape and returns the entry's index.
func entryIndex(p []byte) (uint64, error) {
	if len(p) < entryFixedBytes || int64(le.Uint32(p[28:])) > int64(len(p)-entryFixedBytes) {
		return 0, errEntry
	}
	index := le.Uint64(p)
	if index == 0 || index == ^uint64(0) {
		return 0, errEntry
	}
	return index, nil
}

// decodeEntry fills l from a frame whose payload l may keep: the caller made it for this entry alone.
func decodeEntry(f frame, l *raft.Log) error {
	p := f.payload
	if _, err := entryIndex(p); err != nil {
		return err
	}
	end := len(p) - int(le.Uint32(p[28:]))
	*l = raft.Log{
		Index:      le.Uint64(p),
		Term:       le.Uint64(p[8:]),
		Type:       raft.LogType(f.sub),
		AppendedAt: time.Unix(int64(le.Uint64(p[16:])), int64(le.Uint32(p[24:]))).UTC(),
	}
	if end > entryFixedBytes {
		l.Data = p[entryFixedBytes:end:end]
	}
	if end < len(p) {
		l.Extensions = p[end:len(p):len(p)]
	}
	return nil
}
