package storage

import (
	"time"

	"holdfast/stock"
)

// backlog counts what a shard's source has shown beyond the sink's cursor, without keeping the rows. An order that changes twice while it waits
// counts twice, so the count is never too small.
type backlog struct {
	// Invariant: orders is the sum over parts, and parts[i].upTo increases.
	orders int64
	parts  []part
	// seen is the log index up to which the source was looked at.
	seen uint64
	// oldest is when the oldest waiting change was made, as far as known; zero while nothing waits.
	oldest time.Time
	// merge is the number of orders up to which neighbouring parts become one, which bounds len(parts).
	merge int64
}

type part struct {
	upTo   uint64
	orders int64
}

// restart forgets what was counted: the sink's cursor is at index.
func (b *backlog) restart(index uint64) {
	b.parts, b.orders, b.seen = b.parts[:0], 0, index
}

// see counts changes, unless they were counted before. Ages are taken from the changes' own log time, but not before now was last known.
func (b *backlog) see(ch *stock.Changes, now time.Time, trustTimes bool) {
	if b.oldest.IsZero() && len(ch.Orders)+len(ch.SKUs) > 0 {
		b.oldest = now
		for i := range ch.Orders {
			if t := ch.Orders[i].UpdatedAt.Std(); trustTimes && ch.Orders[i].UpdatedAt != 0 && t.Before(b.oldest) {
				b.oldest = t
			}
		}
	}
	if ch.UpTo <= b.seen {
		return
	}
	n := int64(len(ch.Orders))
	b.seen, b.orders = ch.UpTo, b.orders+n
	if last := len(b.parts) - 1; last >= 0 && b.parts[last].orders+n <= b.merge {
		b.parts[last] = part{ch.UpTo, b.parts[last].orders + n}
		return
	}
	b.parts = append(b.parts, part{ch.UpTo, n})
}

// flushed takes away what the sink has now.
func (b *backlog) flushed(index uint64) {
	n := 0
	for ; n < len(b.parts) && b.parts[n].upTo <= index; n++ {
		b.orders -= b.parts[n].orders
	}
	b.parts = append(b.parts[:0], b.parts[n:]...)
	b.seen = max(b.seen, index)
	b.oldest = time.Time{}
}

// age is how long the oldest waiting change has waited.
func (b *backlog) age(now time.Time) time.Duration {
	if b.oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(b.oldest))
}
