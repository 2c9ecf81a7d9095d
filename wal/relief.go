package wal

import "errors"

// Appends may come faster than the rewriter frees segments. Then the committer stops for the rewriter: it writes what the
// rewriter offers and nothing else, until there is room again. So what rewrite.go and the bounds promise does not
// depend on who is faster:
//
//   - before it begins a segment while more than twice as much is dead as makes a pass begin;
//   - before entries end the process at the hard bound, as long as a quarter of the oldest segment is dead. Here chunks may
//     go into the reserved segment, when all that lives in the oldest one fits what is left of it: else it would take room
//     from terms and votes for nothing. Mostly each segment that is freed gives back more than it took; when long entries
//     leave gaps wherever they stand it does not, and so once over the log is enough.

// reliefMarks is at least the length of the commit marks of a segment's chunks, which are an eighth of it or one entry.
const reliefMarks = 20 * endFrameBytes

// resume goes on with relief that a crash has cut short: the reserved segment is there for terms and votes, and part of it
// may be taken by chunks of a segment that is still there.
func (l *Log) resume() error {
	if err := l.relieve(0); !errors.Is(err, ErrHardBound) {
		return err
	}
	return nil // nothing to be had; whether entries still find room is seen when they come
}

// relieve makes room for entries until so many bytes more are within the hard bound.
func (l *Log) relieve(more int64) error {
	for until := l.active.seq; l.overHardBound(more, true); {
		if !l.partlyDead(until) {
			return l.hardBound()
		}
		if ok, err := l.moveChunk(true); err != nil {
			return err
		} else if !ok {
			return l.hardBound() // not even the reserved segment is left
		}
	}
	return nil
}

// catchUp lets the rewriter catch up before another segment is begun.
func (l *Log) catchUp() error {
	for l.behind() {
		if ok, err := l.moveChunk(false); !ok || err != nil {
			return err
		}
	}
	return nil
}

// moveChunk writes a batch of nothing but the chunk that is offered, if one is. ok is false when no segment may be begun
// for it.
func (l *Log) moveChunk(reserve bool) (ok bool, err error) {
	m := batch{buf: l.relief[:0]}
	if err := l.takeOffer(&m, reserve); err != nil {
		return false, err
	}
	l.relief = m.buf
	if len(m.buf) == 0 {
		return l.peekOffer() == nil, nil
	}
	err = l.commitFrames(&m)
	l.relief = m.buf
	return err == nil, err
}

// partlyDead makes the oldest segment the victim, if at most three quarters of what it can hold live in it, and waits for
// a chunk of it. It is true when there is one, or the segment has gone meanwhile; false for segments after until.
func (l *Log) partlyDead(until uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.segments[0]
	if len(l.segments) < 2 || oldest.seq > until || l.victim == nil && oldest.live > (oldest.size-oldest.start-int64(l.reserved))/4*3 {
		return false
	}
	room := l.active.size - l.active.end
	if l.used+l.cfg.SegmentBytes > l.cfg.HardBytes && oldest.live+reliefMarks > room {
		return false // it would take room from terms and votes and not go all the same
	}
	if l.victim == nil {
		l.victim = oldest
		l.moving.Signal()
	}
	return l.awaitOfferLocked()
}

// behind reports, when the rewriter is far behind, that a chunk of the victim is there, or the victim has gone.
func (l *Log) behind() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.victim == nil {
		return false
	}
	if s := l.spaceLocked(); s.Reclaimable <= 2*l.deadEnough(s) {
		return false
	}
	return l.awaitOfferLocked()
}

func (l *Log) awaitOfferLocked() bool {
	for victim := l.victim; l.offer == nil && l.victim == victim && l.err() == nil; {
		l.filled.Wait()
	}
	return l.err() == nil
}
