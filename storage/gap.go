package storage

import (
	"context"
	"fmt"
)

// History is what a shard's log says of storage, as of the moment from which on this process decides.
type History struct {
	// Mark is the index of the newest flush mark (rule R27): settled orders that changed last at or below it may have left memory, because storage had them.
	Mark uint64
	// Index is where the log stood: what changed last at or below it was not made by this process.
	Index uint64
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

// newcomer is a session that knows whether its sink had heard of the shard before. A sink that keeps no rows has none.
type newcomer interface{ fresh() bool }

// compare finds out, once for each session and before it writes, whether the sink has what the log says. known is false while the log does not say yet.
func (f *shardFlusher) compare(ctx context.Context) (known bool, err error) {
	if _, keeps := f.session.(newcomer); f.compared || !keeps {
		return true, nil
	}
	h, known, err := f.shard.Source.History(ctx)
	if err != nil || !known {
		return false, err
	}
	g := Gap{shard: f.shard.ID, From: f.index, Mark: h.Mark}
	if !g.Missing() && f.unheard {
		if g.Empty, err = f.hasOlder(ctx, h.Index); err != nil {
			return false, err
		}
	}
	f.compared, f.unheard = true, false
	if g.Found() {
		f.records.found(g)
		f.publish(func(s *Status) { s.Gap = g })
	}
	return true, nil
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
