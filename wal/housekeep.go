package wal

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Segments ready for use: one is made when there is none, the others are dead segments used again. There may be
// minPrepared, or as many as are missing to what was in use at once not long ago, but not more than maxPrepared: prefixes
// mostly go in one go, and what they free will be wanted again.
const (
	minPrepared = 3
	maxPrepared = 16
)

// chore is one piece of the housekeeper's work: to remove a dead segment, to make one ready for use, to do the second
// with the first, or to whiten a piece of a segment that is ready.
type chore struct {
	dead  *segment // nil: a new file
	seq   uint64   // of the segment to make ready; 0: none
	white *segment // to whiten; nil: none
}

// housekeepLoop makes segments ready and removes those nobody needs, so that the committer hardly ever waits for either.
func (l *Log) housekeepLoop() {
	for {
		c, ok := l.nextChore()
		if !ok {
			return
		}
		if err := l.do(c); err != nil {
			l.fail(err)
			return
		}
	}
}

// nextChore waits for something to do. While the log closes that is only what the committer waits for.
func (l *Log) nextChore() (c chore, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.drained && l.err() == nil {
		if len(l.dead) > 0 && !l.closing {
			c.dead, l.dead = l.dead[0], l.dead[1:]
			if l.wantsLocked(l.spareLocked()) && c.dead.size == l.cfg.SegmentBytes {
				c.seq = l.nextSeqLocked()
			}
			return c, true
		}
		if l.wantsLocked(1) {
			return chore{seq: l.nextSeqLocked()}, true
		}
		if seg := l.unwhiteLocked(); seg != nil {
			seg.whitening = true
			return chore{white: seg}, true
		}
		l.chores.Wait()
	}
	return chore{}, false
}

// spareLocked is how many segments may be prepared.
func (l *Log) spareLocked() int {
	return min(max(minPrepared, l.peak-len(l.segments)), maxPrepared)
}

// unwhiteLocked returns the first prepared segment that is not white yet, or nil while nobody may whiten.
func (l *Log) unwhiteLocked() *segment {
	if l.closing || l.starved || l.pace >= whitenBelow {
		return nil
	}
	for _, seg := range l.unused {
		if seg.white < seg.size {
			return seg
		}
	}
	return nil
}

// wantsLocked reports whether fewer than so many segments are prepared, and one more would be of use and is allowed.
func (l *Log) wantsLocked(most int) bool {
	prepared := len(l.unused)
	over := l.cfg.HardBytes != 0 && l.used+int64(prepared+1)*l.cfg.SegmentBytes > l.cfg.HardBytes
	return prepared < most && !over && (!l.closing || l.starved)
}

// nextSeqLocked is the sequence of the next segment to prepare. The committer may begin a prepared one meanwhile, which
// does not change it.
func (l *Log) nextSeqLocked() uint64 {
	if n := len(l.unused); n > 0 {
		return l.unused[n-1].seq + 1
	}
	return l.segments[len(l.segments)-1].seq + 1
}

func (l *Log) do(c chore) error {
	if c.white != nil {
		n, err := l.whiten(c.white)
		if err != nil {
			return err // and nobody may begin it: it stays as one that is being whitened
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		c.white.white += n
		c.white.whitening = false
		l.renewed.Broadcast()
		return nil
	}
	if c.seq == 0 {
		return l.removeSegment(c.dead)
	}
	seg, err := l.prepareSegment(c)
	if errors.Is(err, errAbandoned) {
		return nil
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unused = append(l.unused, seg)
	l.renewed.Broadcast()
	return nil
}

// removeSegment deletes a segment durably. They go one by one, oldest first: whatever a crash leaves has no gap.
func (l *Log) removeSegment(seg *segment) error {
	if err := seg.close(); err != nil {
		return fmt.Errorf("close segment %s: %w", seg.name, err)
	}
	err := l.watchChores.do("removal of a segment", func() error {
		return l.syncedDir(l.cfg.FS.Remove(filepath.Join(l.cfg.Dir, seg.name)))
	})
	if err != nil {
		return fmt.Errorf("remove segment %s: %w", seg.name, err)
	}
	l.count(-1, -seg.size)
	l.cfg.Observer.ObserveSegment(SegmentRemoved)
	return nil
}

// count keeps the number and length of the files.
func (l *Log) count(files int, bytes int64) {
	n, b := l.files.Add(int64(files)), l.disk.Add(bytes)
	l.cfg.Observer.ObserveSegments(int(n), b)
}
