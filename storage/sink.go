package storage

import (
	"context"
	"fmt"

	"holdfast/stock"
)

// Sink is a database that holds the rows of shards. It is used by the goroutines of several shards at once.
type Sink interface {
	// Name is what the API calls the sink.
	Name() string
	// Connect opens a session for one shard and returns the log index up to which the sink has everything, read from the sink at that moment.
	// ErrForeignFile, ErrNewerSchema and ErrOtherCluster say that it must not be written; anything else may pass.
	Connect(ctx context.Context, shard uint32) (s Session, index uint64, err error)
	// Look returns why the sink must not be written, as Connect would, and writes nothing.
	Look(ctx context.Context) error
	// Close lets go of what the sessions shared. All sessions are closed by then.
	Close() error
}

// Session is a shard's connection to a sink, used by one goroutine. After any error it is closed and another one opened, because only the sink
// knows whether a transaction that failed at its end took effect.
type Session interface {
	// Write makes a batch and the cursor durable in one transaction: all of it or nothing. It gives up with ErrStaleTerm when a later term wrote
	// the cursor, with ErrCursorMoved when the cursor is not at b.Since, and with ErrTermOver when b.Held says no.
	Write(ctx context.Context, b Batch) error
	// Check returns why the next Write would fail, or could not be found again by a reader: ErrSinkGone. Called while there is nothing to write.
	Check(ctx context.Context) error
	Close() error
}

// Batch is what one transaction writes.
type Batch struct {
	// Term is the raft term it is written in.
	Term uint64
	// Since is the cursor the batch begins after; Changes.UpTo is where the cursor goes.
	Since uint64
	stock.Changes
	// Lost are rows to be marked in the same transaction, after the others are written.
	Lost Lost
	// Held is asked within the transaction, before the cursor moves, whether the term is still this node's; nil: it is. It saves work and locks, and
	// guards nothing: what it says may be outdated when the commit arrives.
	Held func() bool
}

// held returns ErrTermOver once the batch's term is over here.
func (b *Batch) held() error {
	if b.Held == nil || b.Held() {
		return nil
	}
	return fmt.Errorf("%w: it was term %d", ErrTermOver, b.Term)
}

// newSink returns the sink that the configuration names.
func newSink(c *Config) (Sink, error) {
	switch {
	case c.Sink == "sqlite":
		return newSQLite(c)
	case c.Sink == "none":
		return none{}, nil
	case isPostgres(c.Sink):
		return newPostgres(c)
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownSink, sinksThereAre)
}

const sinksThereAre = "there are sqlite, none and postgres://USER@HOST:PORT/DATABASE"

// CheckSink returns ErrUnknownSink or ErrConfig when Open would refuse a sink for its name alone. Nothing is connected to, and no part of a
// PostgreSQL URL that could hold a password is in the error.
func CheckSink(sink string) error {
	switch {
	case sink == "sqlite", sink == "none":
		return nil
	case isPostgres(sink):
		_, err := parsePostgres(sink)
		return err
	}
	return fmt.Errorf("%w: %s", ErrUnknownSink, sinksThereAre)
}

// SharedSink reports whether a sink is one database for all nodes, which only the leader of a shard writes to.
func SharedSink(sink string) bool { return isPostgres(sink) }
