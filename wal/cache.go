package wal

import "sync"

// cache keeps the bytes written last: a ring that is as long as its bound and makes no garbage. An entry is found by
// its position in the stream of all bytes ever put, which its extent knows.
type cache struct {
	mu   sync.RWMutex // guards ring and end
	ring []byte
	// end is the position after the last byte. It begins at len(ring)+1, so that position 0 is in no cache.
	// Invariant: ring holds the positions end-len(ring) .. end-1, position p at p mod len(ring).
	end uint64
}

func newCache(size int64) *cache {
	return &cache{ring: make([]byte, size), end: uint64(size) + 1}
}

// put appends b and returns the position of its first byte.
func (c *cache) put(b []byte) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	pos := c.end
	c.end += uint64(len(b))
	if len(c.ring) == 0 {
		return pos
	}
	if skip := len(b) - len(c.ring); skip > 0 {
		b = b[skip:]
	}
	at := int((c.end - uint64(len(b))) % uint64(len(c.ring)))
	n := copy(c.ring[at:], b)
	copy(c.ring, b[n:])
	return pos
}

// read fills p from position pos and reports whether all of it was still there.
func (c *cache) read(pos uint64, p []byte) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.ring) == 0 || pos < c.end-uint64(len(c.ring)) || pos+uint64(len(p)) > c.end {
		return false
	}
	n := copy(p, c.ring[pos%uint64(len(c.ring)):])
	copy(p[n:], c.ring)
	return true
}
