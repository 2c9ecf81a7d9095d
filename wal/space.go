package wal

// Space says what the segments in use hold.
func (l *Log) Space() Space {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.space
	s.Segments, s.Prepared, s.UsedBytes = len(l.segments), len(l.unused), l.used
	return s
}

// spaceLocked counts anew what the segments hold. Only the committer may ask, since it changes what lives.
func (l *Log) spaceLocked() Space {
	s := l.space
	s.Segments, s.Prepared, s.UsedBytes = len(l.segments), len(l.unused), l.used
	s.LiveBytes, s.DeadBytes, s.Reclaimable = 0, 0, 0
	overhead := int64(l.reserved + 2*endFrameBytes) // a segment has these, and its header, whatever lives in it
	for i, seg := range l.segments {
		s.LiveBytes += seg.live
		if i < len(l.segments)-1 {
			s.DeadBytes += seg.size - seg.live
			s.Reclaimable += max(0, seg.size-seg.start-seg.live-overhead)
		}
	}
	return s
}

// tally brings the figures up to date after a batch, and lets go what it left without live entries. Appends alone do not
// change what is dead.
func (l *Log) tally(b *batch, stats BatchStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.space.Appended += int64(stats.Bytes)
	l.space.Rewritten += int64(stats.Moved)
	if was := l.pace; was >= whitenBelow && stats.Bytes-stats.Moved < whitenBelow {
		l.chores.Signal()
	}
	l.pace = stats.Bytes - stats.Moved
	if b.ranges > 0 || stats.Moved > 0 || l.space.Segments != len(l.segments) {
		l.buryLocked()
		l.chooseVictimLocked()
		l.space = l.spaceLocked()
	} else {
		l.space.LiveBytes += int64(stats.live)
		l.space.Prepared, l.space.UsedBytes = len(l.unused), l.used
	}
	l.cfg.Observer.ObserveSpace(l.space)
}
