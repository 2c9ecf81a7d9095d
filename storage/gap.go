package storage

import (
	"context"
	"fmt"
)

// History is what a shard's log says of storage, as of the moment from which on this process decides.
type History struct {
	// Mark is the index of the newest flush mark (rule R27): settled orders that changed last at or below it may have left memory, because storage
	// had them.
	Mark uint64
	// Index is where the log stood: what changed last at or below it was not made by this process.
	Index uint64
	// Restored is the index of the last log entry in the backup that the cluster was restored from; 0: it was not.
	Restored uint64
}

// Gap is what a sink lacked when a session with it began, although the log says that a sink had it. The zero Gap is none.
type Gap struct {
	shard uint32
	// From is the log index up to which the sink had everything, Mark up to which orders may have left memory.
	From, Mark uint64
	// Empty: the sink did not know the shard at all.
	Empty bool
}

// Missing reports whether orders may be missing that nobody can write any more. Else everything was written anew.
func (g Gap) Missing() bool { return g.Mark > g.From }

// Found reports whether there is a gap.
func (g Gap) Found() bool { return g.Missing() || g.Empty }

// String says what is missing.
func (g Gap) String() string {
	if g.Missing() {
		return fmt.Sprintf("the database had log entries up to %d only: orders that changed up to %d and had left memory are missing in it", g.From, g.Mark)
	}
	return "the database was empty and was filled from memory: nothing is missing"
}

// Span is a stretch of the log: the entries after From, up to To. The zero Span is none.
type Span struct{ From, To uint64 }

// Any reports whether there is anything in the span.
func (s Span) Any() bool { return s.To > s.From }

// overlaps reports whether two spans have an entry in common.
func (s Span) overlaps(o Span) bool { return s.Any() && o.Any() && s.From < o.To && o.From < s.To }

// with returns the least span that covers both.
func (s Span) with(o Span) Span {
	switch {
	case !s.Any():
		return o
	case !o.Any():
		return s
	}
	return Span{From: min(s.From, o.From), To: max(s.To, o.To)}
}

// newcomer is a session that knows whether its sink had heard of the shard before. A sink that keeps no rows has none.
type newcomer interface{ fresh() bool }

// heir is a session that knows up to which index its sink had everything in an earlier epoch, while nothing was written in this one.
type heir interface{ former() uint64 }

// keeper is a session of a sink that can be seeded: it remembers which entries the rows that are missing changed last in.
type keeper interface {
	lacking() Span
	note(ctx context.Context, missing Span) error
}

// compare finds out, once for each session and before it writes, whether the sink has what the log says. known is false while the log does not
// say yet.
func (f *shardFlusher) compare(ctx context.Context) (known bool, err error) {
	if _, keeps := f.session.(newcomer); f.compared || !keeps {
		return true, nil
	}
	h, known, err := f.shard.Source.History(ctx)
	if err != nil || !known {
		return false, err
	}
	g := Gap{shard: f.shard.ID, From: f.had(h), Mark: h.Mark}
	if !g.Missing() && f.unheard {
		if g.Empty, err = f.hasOlder(ctx, h.Index); err != nil {
			return false, err
		}
	}
	if err := f.found(ctx, g); err != nil {
		return false, err
	}
	f.compared, f.unheard, f.covered, f.restored = true, false, h.Mark, h.Restored
	return true, nil
}

// had returns up to which index the sink has had what left memory. A sink of an earlier epoch is written again from the beginning, and has what it
// had then; where that has begun already, what was missing was noted at the time.
func (f *shardFlusher) had(h History) uint64 {
	if f.index > 0 && f.index < h.Restored {
		return h.Restored
	}
	if s, ok := f.session.(heir); ok {
		return max(f.index, s.former())
	}
	return f.index
}

// passed finds out, with a batch in hand and before it is written, whether a flush mark has gone by this sink's cursor since the last look: then
// rows that were not flushed here may have left memory before the batch was read. A node that the marks did not wait for any more learns it
// so, and so does one whose replica was given a snapshot. The mark is asked for after the batch was read, so it is never too old.
func (f *shardFlusher) passed(ctx context.Context) error {
	if _, keeps := f.session.(keeper); !keeps {
		return nil
	}
	mark, err := f.shard.Source.FlushMark(ctx)
	if err != nil {
		return err
	}
	if at := max(f.index, f.covered); mark > at {
		if err := f.found(ctx, Gap{shard: f.shard.ID, From: at, Mark: mark}); err != nil {
			return err
		}
		f.covered = mark
	}
	return nil
}

// found notes a gap: in the sink, so that it is not forgotten before it is filled, and in the status.
func (f *shardFlusher) found(ctx context.Context, g Gap) error {
	if k, keeps := f.session.(keeper); keeps && g.Missing() {
		if err := k.note(ctx, Span{From: g.From, To: g.Mark}); err != nil {
			return err
		}
		lacks := k.lacking()
		f.publish(func(s *Status) { s.Lacks = lacks })
	}
	if g.Found() {
		f.records.found(g)
		f.publish(func(s *Status) { s.Gap = g })
	}
	return nil
}

// hasOlder reports whether the source has rows that changed last at or below an index.
func (f *shardFlusher) hasOlder(ctx context.Context, index uint64) (bool, error) {
	page, err := f.shard.Source.Changes(ctx, f.index, 1)
	if err != nil {
		return false, err
	}
	for i := range page.Orders {
		if page.Orders[i].Version <= index {
			return true, nil
		}
	}
	for i := range page.SKUs {
		if page.SKUs[i].Version <= index {
			return true, nil
		}
	}
	return false, nil
}
