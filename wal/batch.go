package wal

import (
	"fmt"
	"sync"
)

// batch collects the frames of all groups that wait. There are two: callers fill one while the committer writes the
// other, so each fsync is shared by everyone who came during the one before.
type batch struct {
	ticket  uint64 // counts the batches filled
	buf     []byte // frames, without sequence and checksum
	groups  int    // distinct groups among them
	entries int
	ranges  int
	moved   int       // where the frames of rewritten entries begin, behind all others
	written sync.Cond // on the log's wait, shared: the batch with this ticket is durable, or the log ends
}

func (b *batch) reset(ticket uint64) {
	b.ticket, b.buf = ticket, b.buf[:0]
	b.groups, b.entries, b.ranges, b.moved = 0, 0, 0, 0
}

// beginLocked returns the batch to which n bytes of frames may be added, waiting while it is full.
func (l *Log) beginLocked(n int) (*batch, error) {
	for {
		if err := l.refusalLocked(); err != nil {
			return nil, err
		}
		b := l.fill
		if len(b.buf) == 0 || len(b.buf)+n <= l.cfg.maxBatch() {
			return b, nil
		}
		l.room.Wait()
	}
}

// join counts g among the groups of b.
func (b *batch) join(g *Group) {
	if g.inBatch != b.ticket {
		g.inBatch = b.ticket
		b.groups++
	}
}

func (l *Log) refusalLocked() error {
	if err := l.err(); err != nil {
		return err
	}
	if l.closing {
		return ErrClosed
	}
	return nil
}

// pending is what a call waits for: all that was added to a batch. The zero value is nothing.
type pending struct {
	batch  *batch
	ticket uint64
}

func (b *batch) pending() pending { return pending{b, b.ticket} }

// await hands the batch to the committer and returns when all that was added to it is durable and visible. It is called
// without mu and takes none, so that all who are woken at once go on at once.
func (l *Log) await(p pending, err error) error {
	if err != nil || p.batch == nil {
		return err
	}
	l.filled.Signal()
	l.wait.RLock()
	defer l.wait.RUnlock()
	for l.durable.Load() < p.ticket {
		if err := l.err(); err != nil {
			return err
		}
		p.batch.written.Wait()
	}
	return nil
}

// reserveLocked makes room for n more bytes in every checkpoint to come; n may be negative.
func (l *Log) reserveLocked(n int) error {
	if n > 0 && l.reserved+n > l.cfg.maxCheckpoint() {
		return fmt.Errorf("%w: the stable keys of all groups need %d bytes in each segment, which has room for %d", ErrTooLarge, l.reserved+n, l.cfg.maxCheckpoint())
	}
	l.reserved += n
	return nil
}
