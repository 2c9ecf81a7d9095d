package wal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

var (
	_ raft.LogStore          = (*Group)(nil)
	_ raft.MonotonicLogStore = (*Group)(nil)
	_ raft.StableStore       = (*Group)(nil)
)

// Group is one Raft group's part of the log: its raft.LogStore, raft.MonotonicLogStore and raft.StableStore.
// What a call returns is durable. All methods may be called concurrently.
type Group struct {
	log *Log
	id  uint32

	// Guarded by log.mu: the group as it will be when all that waits is durable.
	first, last  uint64
	keys         map[string]int // lengths of values
	inCheckpoint bool           // room for it is reserved
	inBatch      uint64         // ticket of the last batch with a frame of this group

	// mu guards state: the group as it is, durable and visible.
	mu    sync.RWMutex
	state *groupState
}

func newGroup(l *Log, id uint32, s *groupState) *Group {
	g := &Group{log: l, id: id, keys: make(map[string]int), state: s}
	if s == nil {
		g.state = newGroupState()
		return g
	}
	g.first, g.last, g.inCheckpoint = s.index.first, s.index.last, true
	for key, value := range s.keys {
		g.keys[key] = len(value)
	}
	return g
}

// ID is the group's number.
func (g *Group) ID() uint32 { return g.id }

// IsMonotonic is true: entries have no gaps. Raft then removes the whole log after it restored a snapshot.
func (g *Group) IsMonotonic() bool { return true }

// FirstIndex returns the index of the oldest entry, 0 when there is none.
func (g *Group) FirstIndex() (uint64, error) {
	if err := g.log.err(); err != nil {
		return 0, err
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.state.index.first, nil
}

// LastIndex returns the index of the newest durable entry, 0 when there is none.
func (g *Group) LastIndex() (uint64, error) {
	if err := g.log.err(); err != nil {
		return 0, err
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.state.index.last, nil
}

// BytesSince is the length on disk of the entries above index: what a snapshot at index would leave.
func (g *Group) BytesSince(index uint64) int64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.state.index.bytesSince(index)
}

// GetLog fills log with the entry at index, which shares no memory with the log's own. It returns the bare
// raft.ErrLogNotFound for an index outside FirstIndex..LastIndex. A damaged or unreadable entry fails the whole log.
func (g *Group) GetLog(index uint64, log *raft.Log) error {
	if err := g.log.err(); err != nil {
		return err
	}
	g.mu.RLock()
	e, ok := g.state.index.at(index)
	if !ok {
		g.mu.RUnlock()
		return raft.ErrLogNotFound
	}
	raw := make([]byte, e.bytes)
	if g.log.cache.read(e.pos, raw) {
		g.mu.RUnlock()
		f, ok := frameAt(raw, 0)
		assert(ok, "an entry in the cache cannot be read")
		return decodeEntry(f, log)
	}
	e.seg.mu.RLock()
	g.mu.RUnlock()
	defer e.seg.mu.RUnlock()
	if err := g.log.watchGets.do("read", func() error { return e.seg.readEntry(e, raw, log) }); err != nil {
		if refused := g.log.err(); refused != nil {
			return refused // closed meanwhile
		}
		g.log.fail(err)
		return g.log.err()
	}
	return nil
}

// DeleteRange durably removes the entries low..high, which must reach the first or the last one, else ErrMiddle.
// Indexes that are not there are no error.
func (g *Group) DeleteRange(low, high uint64) error { return g.log.await(g.remove(low, high)) }

func (g *Group) remove(low, high uint64) (pending, error) {
	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := l.beginLocked(frameBytes(rangeBytes))
	if err != nil {
		return pending{}, err
	}
	switch {
	case g.last == 0 || high < g.first || low > g.last || low > high:
		return g.unsettledLocked(), nil
	case low <= g.first && high >= g.last:
		return g.keepLocked(b, rangeSuffix, 0, 0), nil
	case low <= g.first:
		return g.keepLocked(b, rangePrefix, high+1, g.last), nil
	case high >= g.last:
		return g.keepLocked(b, rangeSuffix, g.first, low-1), nil
	}
	return pending{}, fmt.Errorf("%w: %d to %d of %d to %d", ErrMiddle, low, high, g.first, g.last)
}

// Drop durably removes all entries of the group; its stable keys stay. The next entry may have any index.
func (g *Group) Drop() error { return g.log.await(g.removeAll()) }

func (g *Group) removeAll() (pending, error) {
	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := l.beginLocked(frameBytes(rangeBytes))
	if err != nil {
		return pending{}, err
	}
	if g.last == 0 {
		return g.unsettledLocked(), nil
	}
	return g.keepLocked(b, rangeDrop, 0, 0), nil
}

// unsettledLocked is what of the group is not durable yet: what somebody else removes a moment before is not gone yet.
func (g *Group) unsettledLocked() pending {
	for i := range g.log.batches {
		if b := &g.log.batches[i]; b.ticket == g.inBatch && b.ticket > g.log.durable.Load() {
			return b.pending()
		}
	}
	return pending{}
}

// keepLocked adds the frame after which the live entries are first..last.
func (g *Group) keepLocked(b *batch, why uint8, first, last uint64) pending {
	b.join(g)
	g.first, g.last = first, last
	b.buf = addRange(b.buf, g.id, why, first, last)
	b.ranges++
	return b.pending()
}

// Set durably stores a value of at most 4,096 bytes under a key of 1 to 255. Set and SetUint64 share their keys.
func (g *Group) Set(key, value []byte) error {
	if len(key) == 0 || len(key) > maxKeyBytes || len(value) > maxValueBytes {
		return fmt.Errorf("%w: a key of %d bytes with a value of %d: want 1 to %d and at most %d", ErrTooLarge, len(key), len(value), maxKeyBytes, maxValueBytes)
	}
	return g.log.await(g.put(string(key), value))
}

func (g *Group) put(name string, value []byte) (pending, error) {
	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := l.beginLocked(frameBytes(keyBytes(name, len(value))))
	if err != nil {
		return pending{}, err
	}
	need := frameBytes(keyBytes(name, len(value)))
	if old, ok := g.keys[name]; ok {
		need -= frameBytes(keyBytes(name, old))
	}
	if err := g.reserveLocked(); err != nil {
		return pending{}, err
	}
	if err := l.reserveLocked(need); err != nil {
		return pending{}, err
	}
	b.join(g)
	g.keys[name] = len(value)
	b.buf = addKey(b.buf, g.id, name, value)
	return b.pending(), nil
}

// reserveLocked makes room for the group in every checkpoint to come.
func (g *Group) reserveLocked() error {
	if g.inCheckpoint {
		return nil
	}
	if err := g.log.reserveLocked(frameBytes(checkpointFixedBytes)); err != nil {
		return err
	}
	g.inCheckpoint = true
	return nil
}

// Get returns the value of a key. A missing one is an error whose text is "not found", as raft expects.
func (g *Group) Get(key []byte) ([]byte, error) {
	if err := g.log.err(); err != nil {
		return nil, err
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	value, ok := g.state.keys[string(key)]
	if !ok {
		return nil, errNotFound
	}
	return slices.Clone(value), nil
}

// SetUint64 durably stores a number, as 8 bytes, most significant first.
func (g *Group) SetUint64(key []byte, value uint64) error {
	return g.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 returns the number under a key, or 0 and an error whose text is "not found".
func (g *Group) GetUint64(key []byte) (uint64, error) {
	value, err := g.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("wal: the value of key %q has %d bytes, not 8", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}
