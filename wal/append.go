package wal

// Step 8 of an order: StoreLogs. The proposal's entry, with whatever the other shards of this node want written at the
// same moment, becomes durable by one write and one fsync.

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// StoreLog is StoreLogs of one entry.
func (g *Group) StoreLog(log *raft.Log) error { return g.StoreLogs([]*raft.Log{log}) }

// StoreLogs appends entries, which must follow the last one without a gap (else ErrOutOfOrder), and returns when all of
// them are durable. After a crash before it returned, a part of them may be there: the first ones.
func (g *Group) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return g.log.err()
	}
	return g.log.await(g.store(logs))
}

// store adds entries to as many batches as they take.
func (g *Group) store(logs []*raft.Log) (pending, error) {
	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusalLocked(); err != nil {
		return pending{}, err
	}
	if err := g.admitLocked(logs); err != nil {
		return pending{}, err
	}
	for {
		b, err := l.beginLocked(frameBytes(entryPayloadBytes(logs[0])))
		if err != nil {
			return pending{}, err
		}
		if err := g.followsLocked(logs[0].Index); err != nil {
			return pending{}, err // another caller came between two batches of this one
		}
		if logs = g.fillLocked(b, logs); len(logs) == 0 {
			return b.pending(), nil
		}
		l.filled.Signal()
	}
}

// admitLocked checks all entries before the first one is added.
func (g *Group) admitLocked(logs []*raft.Log) error {
	if err := g.followsLocked(logs[0].Index); err != nil {
		return err
	}
	for i, log := range logs {
		if log.Index == 0 || log.Index == ^uint64(0) || log.Index != logs[0].Index+uint64(i) {
			return fmt.Errorf("%w: entry %d of group %d at place %d after entry %d", ErrOutOfOrder, log.Index, g.id, i, logs[0].Index)
		}
		if n := frameBytes(entryPayloadBytes(log)); n > g.log.cfg.maxBatch() {
			return fmt.Errorf("%w: entry %d of group %d needs %d bytes, a batch has %d", ErrTooLarge, log.Index, g.id, n, g.log.cfg.maxBatch())
		}
	}
	return g.reserveLocked()
}

func (g *Group) followsLocked(index uint64) error {
	if g.last != 0 && index != g.last+1 {
		return fmt.Errorf("%w: entry %d of group %d after entry %d", ErrOutOfOrder, index, g.id, g.last)
	}
	return nil
}

// fillLocked adds as many entries as fit, at least one, and returns the others.
func (g *Group) fillLocked(b *batch, logs []*raft.Log) []*raft.Log {
	b.join(g)
	for n, log := range logs {
		if n > 0 && len(b.buf)+frameBytes(entryPayloadBytes(log)) > g.log.cfg.maxBatch() {
			return logs[n:]
		}
		b.buf = addEntry(b.buf, g.id, log)
		b.entries++
		if g.last == 0 {
			g.first = log.Index
		}
		g.last = log.Index
	}
	return nil
}
