package wal

import (
	"fmt"
	"math"
)

// Segments go oldest first, so one live entry of a group that stands still pins everything behind it. The rewriter frees
// the oldest segment: it reads what still lives there and offers it to the committer, chunk by chunk, which writes it
// once more behind the entries of some batch. When the last of it is durable further on, the segment is dead like any
// other. No snapshot is needed for that, and none is waited for.
//
//	rewriter    reads a chunk of the victim, offers it, waits until it is taken, goes on
//	committer   takes the chunk into a batch that removes nothing, leaving out what is no longer there
//
// The committer alone changes what is durable, so what it finds live in the victim while it makes a batch is live when
// the batch is written; only a range in the same batch could change that, and such a batch takes no chunk. The
// alternative, letting the rewriter append like a group does, needs to know of every truncation and re-append that
// waits, or an old entry overwrites a new one.
//
// How much is rewritten is bounded twice. A pass over the log begins when the dead bytes that rewriting would give back
// exceed both DeadBytes and the live ones, and when as many have died since the pass before: so in the long run no more
// is rewritten than dies. It ends with the segment that was active when it began, or when half of what made it begin is
// gone. Close to a bound a quarter of the live bytes is enough, which bounds it at four times what dies.

// rewriteChunk is how many bytes of entries are rewritten in one batch, if neither one entry nor the batch before is
// longer: little, because all who wait for that batch wait for them.
const rewriteChunk = 128 << 10

// scanExtents is how many entries are looked at under a group's lock.
const scanExtents = 4096

// placed is a live entry and where it was found.
type placed struct {
	group *Group
	index uint64
	at    extent
}

// offer is a chunk for the committer.
type offer struct {
	victim  *segment
	entries []placed
	frames  []byte // those of entries, in order
}

// pass is a pass over the log. The committer keeps it.
type pass struct {
	until uint64 // the last segment that it may free; 0: none is under way
	died  int64  // bytes of entries that died since the pass before
}

func (l *Log) rewriteLoop() {
	r := &rewriter{log: l}
	for {
		victim := l.awaitVictim()
		if victim == nil {
			return
		}
		if err := r.empty(victim); err != nil {
			l.fail(err)
			return
		}
	}
}

// awaitVictim waits for a segment to be freed and returns nil when the log ends.
func (l *Log) awaitVictim() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.victim == nil && !l.drained && l.err() == nil {
		l.moving.Wait()
	}
	if l.drained || l.err() != nil {
		return nil
	}
	return l.victim
}

// rewriter is the rewriting goroutine's own.
type rewriter struct {
	log  *Log
	next offer
}

// empty offers everything that lives in the victim.
func (r *rewriter) empty(victim *segment) error {
	for _, g := range r.log.sorted() {
		for from := uint64(0); from != math.MaxUint64; {
			r.next.victim, r.next.entries, r.next.frames = victim, r.next.entries[:0], r.next.frames[:0]
			from = g.livingIn(victim, from, r.log.chunkBytes(), &r.next.entries)
			if len(r.next.entries) == 0 {
				continue
			}
			if ok, err := r.read(victim); !ok || err != nil {
				return err
			}
			if !r.log.offerAndWait(&r.next) {
				return nil
			}
		}
	}
	return nil
}

// chunkBytes is what a chunk may hold: as much as the last batch, so that appends do not outrun the rewriter, but no more
// than an eighth of a segment.
func (l *Log) chunkBytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(min(max(rewriteChunk, int64(l.pace)), l.cfg.SegmentBytes/8))
}

// livingIn adds the group's live entries in victim with indexes from on, at least one and until they have so many bytes,
// and returns where to go on, or math.MaxUint64 when there are no more.
func (g *Group) livingIn(victim *segment, from uint64, bytes int, to *[]placed) uint64 {
	for {
		g.mu.RLock()
		x := &g.state.index
		if from = max(from, x.first); x.empty() || from > x.last {
			g.mu.RUnlock()
			return math.MaxUint64
		}
		for n := 0; n < scanExtents && from <= x.last; n++ {
			if e := x.extents[from-x.base]; e.seg == victim {
				if bytes -= int(e.bytes); bytes < 0 && len(*to) > 0 {
					g.mu.RUnlock()
					return from
				}
				*to = append(*to, placed{g, from, e})
			}
			from++
		}
		g.mu.RUnlock()
	}
}

// read fills in the frames of the entries that are to be offered. ok is false when the victim is none any more.
func (r *rewriter) read(victim *segment) (ok bool, err error) {
	if !r.log.hold(victim) {
		return false, nil
	}
	defer victim.mu.RUnlock()
	for n := 0; n < len(r.next.entries); {
		first, end := n, 0
		for end = first; n < len(r.next.entries) && (n == first || int(r.next.entries[n].at.offset) == end); n++ {
			end = int(r.next.entries[n].at.offset + r.next.entries[n].at.bytes)
		}
		if err := r.readRun(victim, r.next.entries[first:n]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// hold keeps the victim's file open for a read.
func (l *Log) hold(victim *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.victim != victim || l.drained || l.err() != nil {
		return false
	}
	victim.mu.RLock() // nobody waits for it exclusively while the segment is in use
	return true
}

// readRun reads entries that stand one behind the other, checks them and makes moved ones of them.
func (r *rewriter) readRun(victim *segment, run []placed) error {
	start, bytes := len(r.next.frames), 0
	for _, p := range run {
		bytes += int(p.at.bytes)
	}
	r.next.frames = append(r.next.frames, make([]byte, bytes)...)
	buf, offset := r.next.frames[start:], int64(run[0].at.offset)
	r.log.watchReads.begin("read")
	n, err := victim.file.ReadAt(buf, offset)
	r.log.watchReads.end()
	if n < len(buf) {
		return fmt.Errorf("read segment %s at offset %d: %w", victim.name, offset, noEOF(err))
	}
	at := 0
	for _, p := range run {
		f, ok := frameAt(buf, at)
		i, err := uint64(0), errEntry
		if ok && f.sound(buf, victim.seed) {
			i, err = entryIndex(f.payload)
		}
		if err != nil || i != p.index || f.group != p.group.id || f.bytes != int(p.at.bytes) {
			return &CorruptionError{Segment: victim.name, Offset: int64(p.at.offset), Reason: rotted}
		}
		buf[at+20] = kindMoved
		at += f.bytes
	}
	return nil
}

// offerAndWait hands a chunk to the committer and reports whether the victim needs more of them.
func (l *Log) offerAndWait(o *offer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.victim != o.victim {
		return false
	}
	l.offer = o
	l.filled.Signal()
	for l.offer == o && !l.drained && l.err() == nil {
		l.moving.Wait()
	}
	return l.victim == o.victim && !l.drained && l.err() == nil
}

// takeOffer appends what is still live of the offered chunk to b, when there is one and it fits. A chunk that has b for
// itself may begin a segment, the reserved one only when reserve is set.
func (l *Log) takeOffer(b *batch, reserve bool) error {
	b.moved = len(b.buf)
	o := l.peekOffer()
	if o == nil || b.ranges > 0 {
		return nil
	}
	if !reserve && l.overHardBound(0, true) {
		l.offerLater() // what is left of the reserved segment is for terms and votes
		return nil
	}
	if !l.active.fits(len(b.buf) + len(o.frames) + endFrameBytes) {
		if len(b.buf) > 0 {
			return nil // the batches that follow bring the next segment
		}
		if l.overHardBound(l.cfg.SegmentBytes, !reserve) {
			l.offerLater()
			return nil
		}
		if err := l.rotate(!reserve); err != nil {
			return err
		}
	}
	at := 0
	for _, p := range o.entries {
		if now, ok := p.group.state.index.at(p.index); ok && now.seg == p.at.seg && now.offset == p.at.offset {
			b.buf = append(b.buf, o.frames[at:at+int(p.at.bytes)]...)
		}
		at += int(p.at.bytes)
	}
	l.offerTaken()
	return nil
}

func (l *Log) peekOffer() *offer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.offer
}

// offerLater lets the offer wait until a batch brings it along or segments have gone.
func (l *Log) offerLater() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocked = true
}

func (l *Log) offerTaken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offer, l.blocked = nil, false
	l.moving.Signal()
}

// chooseVictimLocked begins a pass over the log when there is reason to, or goes on with the one under way.
func (l *Log) chooseVictimLocked() {
	if l.victim != nil || len(l.segments) < 2 {
		return
	}
	oldest, s := l.segments[0], l.spaceLocked()
	need := l.deadEnough(s)
	switch {
	case l.pass.until == 0 && s.Reclaimable >= need && l.pass.died >= need:
		l.pass = pass{until: l.active.seq - 1}
	case l.pass.until == 0:
		return
	case s.Reclaimable < need/2:
		l.pass.until = 0
		return
	case oldest.seq > l.pass.until:
		l.pass.until = 0
		return
	}
	l.victim = oldest
	l.moving.Signal()
}

// deadEnough is how many bytes must be dead for a pass to begin.
func (l *Log) deadEnough(s Space) int64 {
	bound := l.cfg.SoftBytes
	if hard := l.cfg.HardBytes - l.cfg.SegmentBytes; l.cfg.HardBytes > 0 && (bound == 0 || bound > hard) {
		bound = hard
	}
	if bound > 0 && s.UsedBytes+l.cfg.SegmentBytes > bound/4*3 {
		return max(l.cfg.SegmentBytes/2, s.LiveBytes/4)
	}
	return max(l.cfg.DeadBytes, s.LiveBytes)
}
