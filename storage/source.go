package storage

import (
	"context"

	"holdfast/stock"
)

// Source is where a shard's changes come from.
type Source interface {
	// Changes returns rows that changed after the log index since, about limit of them, and up to which index none is missing.
	// UpTo is never below since; UpTo == since with no rows means nothing is new. With limit 0 no rows are wanted, only how far the shard has come.
	Changes(ctx context.Context, since uint64, limit int) (stock.Changes, error)
	// Flushed says that everything up to index is durable in the sink.
	Flushed(index uint64)
	// FlushMark returns the index of the newest flush mark that was applied (rule R27). Rows that an earlier call of Changes left out, because they
	// had left memory, changed last at or below it.
	FlushMark(ctx context.Context) (uint64, error)
	// History returns what the log says was in storage. known is false while the log is still being read; then nothing is written yet.
	History(ctx context.Context) (h History, known bool, err error)
}
