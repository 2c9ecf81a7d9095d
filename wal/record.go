package wal

import (
	"errors"
	"maps"
	"slices"
)

// Payloads of the frames that are not entries.
//
//	range       first 8, last 8
//	key         key length 2, zero 2, value length 4, key, value
//	checkpoint  first 8, last 8, number of keys 4, zero 4, then each key as above, in order
//
// A range without entries is 0, 0.
const (
	rangeBytes           = 16
	keyFixedBytes        = 8
	checkpointFixedBytes = 24
)

var (
	errRange      = errors.New("the payload is not a range of entries")
	errKey        = errors.New("the payload is not a key and its value")
	errCheckpoint = errors.New("the payload is not a checkpoint")
)

func addRange(buf []byte, group uint32, why uint8, first, last uint64) []byte {
	buf, p := addFrame(buf, kindRange, why, group, rangeBytes)
	le.PutUint64(p, first)
	le.PutUint64(p[8:], last)
	return buf
}

func decodeRange(p []byte) (first, last uint64, err error) {
	if len(p) != rangeBytes {
		return 0, 0, errRange
	}
	first, last = le.Uint64(p), le.Uint64(p[8:])
	if !validRange(first, last) {
		return 0, 0, errRange
	}
	return first, last, nil
}

func validRange(first, last uint64) bool {
	return first == 0 && last == 0 || first > 0 && first <= last && last < ^uint64(0)
}

func keyBytes(key string, value int) int { return keyFixedBytes + len(key) + value }

func addKey(buf []byte, group uint32, key string, value []byte) []byte {
	buf, p := addFrame(buf, kindKey, 0, group, keyBytes(key, len(value)))
	putKey(p, key, value)
	return buf
}

func putKey(p []byte, key string, value []byte) int {
	le.PutUint16(p, uint16(len(key)))
	le.PutUint16(p[2:], 0)
	le.PutUint32(p[4:], uint32(len(value)))
	n := keyFixedBytes + copy(p[keyFixedBytes:], key)
	return n + copy(p[n:], value)
}

// takeKey reads one key and value from the front of p and returns what follows. value aliases p.
func takeKey(p []byte) (key string, value, rest []byte, err error) {
	if len(p) < keyFixedBytes || le.Uint16(p[2:]) != 0 {
		return "", nil, nil, errKey
	}
	k, v := int(le.Uint16(p)), int64(le.Uint32(p[4:]))
	p = p[keyFixedBytes:]
	if k == 0 || int64(k)+v > int64(len(p)) {
		return "", nil, nil, errKey
	}
	return string(p[:k]), p[k : k+int(v)], p[k+int(v):], nil
}

func addCheckpoint(buf []byte, group uint32, s *groupState) []byte {
	size := checkpointFixedBytes
	for key, value := range s.keys {
		size += keyBytes(key, len(value))
	}
	buf, p := addFrame(buf, kindCheckpoint, 0, group, size)
	le.PutUint64(p, s.index.first)
	le.PutUint64(p[8:], s.index.last)
	le.PutUint32(p[16:], uint32(len(s.keys)))
	le.PutUint32(p[20:], 0)
	p = p[checkpointFixedBytes:]
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		p = p[putKey(p, key, s.keys[key]):]
	}
	return buf
}

// decodeCheckpoint reads a checkpoint into a state that knows no place of any entry yet.
func decodeCheckpoint(p []byte) (*groupState, error) {
	if len(p) < checkpointFixedBytes || le.Uint32(p[20:]) != 0 {
		return nil, errCheckpoint
	}
	first, last, err := decodeRange(p[:rangeBytes])
	if err != nil {
		return nil, err
	}
	s := newGroupState()
	s.index.expect(first, last)
	count := int(le.Uint32(p[16:]))
	p = p[checkpointFixedBytes:]
	for range count {
		key, value, rest, err := takeKey(p)
		if err != nil {
			return nil, err
		}
		s.keys[key] = slices.Clone(value)
		p = rest
	}
	if len(p) != 0 || len(s.keys) != count {
		return nil, errCheckpoint
	}
	return s, nil
}
