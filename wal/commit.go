package wal

import (
	"fmt"
	"runtime"
	"time"
)

// The committer. One batch at a time:
//
//	1  take the batch that was filled; callers go on filling the other one
//	2  seal the active segment and begin the next one when the batch does not fit
//	3  give the frames their sequence and checksum, append the commit mark
//	4  one write, one fsync
//	5  make the frames visible: cache, indexes, keys
//	6  wake all who waited for it
//
// Step 3 of a batch comes after step 4 of the one before it, so a sound frame of a batch proves that every earlier batch
// was durable; recovery tells torn tails from corruption by that. The alternative, several writes under way, would let
// a disk that reorders them leave holes that look like damage.
func (l *Log) commitLoop() {
	defer l.drain()
	if err := l.resume(); err != nil {
		l.fail(err)
		return
	}
	var next yielder
	for {
		b := l.take()
		if b == nil {
			return
		}
		if err := l.commit(b); err != nil {
			l.fail(err)
			return
		}
		if !l.publish(b) {
			return
		}
		next.yield(b)
	}
}

const (
	maxYield   = 100 * time.Microsecond
	yieldAgain = 256 // batches
)

// yielder lets those who were just woken append before the next batch is taken: else the first of them has an fsync for
// itself, for which all the others wait, again and again. Where the processors are busy with something else yielding
// takes long; then it is left out for some batches.
type yielder struct{ pause int }

func (y *yielder) yield(b *batch) {
	if y.pause = max(0, y.pause-1); y.pause > 0 || b.groups < 2 {
		return
	}
	start := time.Now()
	runtime.Gosched()
	if time.Since(start) > maxYield {
		y.pause = yieldAgain
	}
}

// drain lets the housekeeper and the rewriter go.
func (l *Log) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drained = true
	l.chores.Broadcast()
	l.moving.Broadcast()
}

// take waits for frames and swaps the batches. It returns nil when the log ends.
func (l *Log) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.fill.buf) == 0 && (l.offer == nil || l.blocked) && !l.closing && l.err() == nil {
		l.filled.Wait()
	}
	if l.err() != nil || len(l.fill.buf) == 0 && l.closing {
		return nil
	}
	b := l.fill
	l.fill, l.spare = l.spare, nil
	l.fill.reset(b.ticket + 1)
	l.room.Broadcast()
	return b
}

func (l *Log) commit(b *batch) error {
	if len(b.buf) > 0 { // else there is only an offer, which looks for a place itself
		if err := l.makeFit(b); err != nil {
			return err
		}
	}
	if err := l.takeOffer(b, false); err != nil || len(b.buf) == 0 {
		return err // nothing but an offer, of which nothing is left
	}
	return l.commitFrames(b)
}

// makeFit begins the next segment when b does not fit the active one, within the bounds.
func (l *Log) makeFit(b *batch) error {
	fits := func() bool { return l.active.fits(len(b.buf) + endFrameBytes) }
	entries := b.entries > 0
	for {
		if entries {
			if err := l.relieve(0); err != nil {
				return err
			}
		}
		if fits() {
			return nil
		}
		if err := l.catchUp(); err != nil {
			return err
		}
		if entries {
			if err := l.relieve(l.cfg.SegmentBytes); err != nil {
				return err
			}
		}
		if fits() { // rewriting began a segment
			continue
		}
		if err := l.rotate(entries); err != nil {
			return err
		}
	}
}

// commitFrames makes a batch that fits durable and then visible.
func (l *Log) commitFrames(b *batch) (err error) {
	moved := len(b.buf) - b.moved
	var stats BatchStats
	if b.buf, stats, err = l.write(b.buf, roleAppend); err != nil {
		return err
	}
	if l.err() != nil {
		return nil // failed while the disk hung: those who waited have been told so
	}
	stats.Groups, stats.Moved = b.groups, moved
	stats.live = l.apply(b)
	l.cfg.Observer.ObserveBatch(stats)
	l.tally(b, stats)
	return nil
}

// write makes frames a batch and makes it durable.
func (l *Log) write(frames []byte, role uint8) ([]byte, BatchStats, error) {
	seg := l.active
	if err := l.err(); err != nil {
		return frames, BatchStats{}, err
	}
	buf := finishBatch(frames, l.nextBatch, seg.seed, role)
	assert(seg.end+int64(len(buf)) <= seg.size, "a batch does not fit its segment")
	stats := BatchStats{Bytes: len(buf), Frames: int(le.Uint32(buf[len(buf)-endPayloadBytes:]))}
	whole := padded(buf, seg.end, seg.size)
	buf = whole[:len(buf)]
	start := time.Now()
	l.watch.begin("write")
	err := writeFull(seg.file, whole, seg.end)
	l.watch.end()
	if err != nil {
		return buf, stats, fmt.Errorf("write to segment %s at offset %d: %w", seg.name, seg.end, err)
	}
	if failed := l.err(); failed != nil {
		return buf, stats, failed // the write hung until the log had failed: nothing more is done to the file
	}
	stats.Write = time.Since(start)
	l.watch.begin("fsync")
	err = seg.file.Sync()
	l.watch.end()
	if err != nil {
		return buf, stats, fmt.Errorf("fsync of segment %s: %w", seg.name, err)
	}
	stats.Sync = time.Since(start) - stats.Write
	l.nextBatch++
	seg.end += int64(len(buf))
	return buf, stats, nil
}

// apply makes the frames of the batch that was just written visible and returns the length of the new entries. Entries
// that were rewritten are old: the cache keeps what it had of them, and its place for newer ones.
func (l *Log) apply(b *batch) (live int) {
	buf := b.buf
	pos := l.cache.put(buf[:b.moved])
	start := l.active.end - int64(len(buf))
	var g *Group
	for at := 0; at < len(buf)-endFrameBytes; {
		f, ok := frameAt(buf, at)
		assert(ok, "a frame of a batch just written cannot be read")
		if g == nil || g.id != f.group {
			g = l.Group(f.group)
		}
		e := extent{seg: l.active, offset: uint32(start) + uint32(at), bytes: uint32(f.bytes), pos: pos + uint64(at)}
		g.mu.Lock()
		was := g.state.index.bytesSince(0)
		err := g.state.apply(f, e)
		left := g.state.index.bytesSince(0)
		g.mu.Unlock()
		assert(err == nil, "a frame of a batch just written contradicts its group")
		l.pass.died += max(0, was-left)
		live += max(0, int(left-was))
		at += f.bytes
	}
	return live
}

// publish wakes those who waited for b and gives it back to be filled. It returns false when the log has failed.
func (l *Log) publish(b *batch) bool {
	l.mu.Lock()
	l.spare = b
	l.mu.Unlock()
	l.wait.Lock()
	failed := l.err() != nil
	if !failed {
		l.durable.Store(b.ticket)
	}
	l.wait.Unlock()
	b.written.Broadcast()
	return !failed
}
