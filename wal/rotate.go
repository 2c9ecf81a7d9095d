package wal

import "fmt"

// rotate seals the active segment and begins the next one with a checkpoint. Each of the two is a batch of its own. The
// next segment is there, durably, before the seal is written, and the seal is durable before the next segment is begun:
// so recovery knows of every segment whether another must follow.
func (l *Log) rotate(entries bool) error {
	if l.overHardBound(l.cfg.SegmentBytes, entries) {
		return l.hardBound()
	}
	next, err := l.nextSegment()
	if err != nil {
		return err
	}
	if l.scratch, _, err = l.write(l.scratch[:0], roleSeal); err != nil {
		return err
	}
	l.active = next
	return l.checkpoint()
}

// nextSegment takes the prepared segment, waiting until there is one.
func (l *Log) nextSegment() (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.unused) == 0 || l.unused[0].whitening {
		if err := l.err(); err != nil {
			return nil, err
		}
		l.starved = true
		l.chores.Signal()
		l.renewed.Wait()
	}
	l.starved = false
	next := l.unused[0]
	l.unused = l.unused[1:]
	l.segments = append(l.segments, next)
	l.used += next.size
	l.peak = max(len(l.segments), l.peak-1)
	l.chores.Signal()
	return next, nil
}

// checkpoint writes the first batch of the active segment: everything but the entries of every group.
func (l *Log) checkpoint() error {
	frames := l.scratch[:0]
	for _, g := range l.sorted() {
		g.mu.RLock()
		if !g.state.bare() {
			frames = addCheckpoint(frames, g.id, g.state)
		}
		g.mu.RUnlock()
	}
	if !l.active.fits(len(frames) + endFrameBytes) {
		return fmt.Errorf("the checkpoint of all groups has %d bytes and does not fit segment %s of %d", len(frames), l.active.name, l.active.size)
	}
	var err error
	l.scratch, _, err = l.write(frames, roleCheckpoint)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.space.Appended += int64(len(l.scratch))
	l.buryLocked()
	l.chooseVictimLocked()
	l.space = l.spaceLocked()
	return nil
}

// buryLocked hands the oldest segments to the housekeeper while no live entry is in them. What else was in them is in
// the checkpoint of the segment after them, which is durable.
func (l *Log) buryLocked() {
	for len(l.segments) > 1 && l.segments[0].live == 0 {
		if l.victim == l.segments[0] {
			l.victim, l.offer = nil, nil
			l.moving.Signal()
		}
		l.blocked = false
		l.dead = append(l.dead, l.segments[0])
		l.used -= l.segments[0].size
		l.segments[0] = nil
		l.segments = l.segments[1:]
		l.chores.Signal()
	}
}

// overHardBound reports whether the segments in use and more bytes exceed what may be used: for entries one segment
// less, so that terms, votes and truncations still find room.
func (l *Log) overHardBound(more int64, entries bool) bool {
	if l.cfg.HardBytes == 0 {
		return false
	}
	bound := l.cfg.HardBytes
	if entries {
		bound -= l.cfg.SegmentBytes
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used+more > bound
}

func (l *Log) hardBound() error {
	return fmt.Errorf("%w: %d bytes allowed for %s; the snapshots of the groups fall behind, or the bound is too small", ErrHardBound, l.cfg.HardBytes, l.cfg.Dir)
}
