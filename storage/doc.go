// Package storage takes what changed in a shard to a database, behind the answers and never in front of them (rules R26 and R27).
//
// It promises:
//   - A sink converges to exactly the rows of its shards: no gap, no duplicate, whatever crashes between any two steps. Rows carry a version and
//     are written only forward; rows and cursor move in one transaction; the cursor is taken only by a term that is not older.
//   - An order never waits for it. A sink that is slow, locked, full, deleted or gone is tried again with growing pauses; Status and the metrics
//     say so, and the flusher holds no more than one batch of rows meanwhile.
//   - A sink is never written by two clusters, nor by a build that does not know its schema; what another program wrote is left as it is.
//   - No password of a database is in an error, a status, a metric or a line of the log.
//
// It assumes that a Source forgets no row above the index last given to Flushed, that log indexes stay below 2^48 and epochs below 2^15, and that
// the file system keeps what SQLite or the server has synced.
//
// Files: source.go what is flushed; sink.go where to, with none.go, sqlite*.go and postgres.go: postgres_url.go reads its URL, postgres_open.go and
// postgres_write.go are a session, postgres_sql.go what it says to the server; flusher.go opening, closing and status; shard.go the loop of
// one shard (step 12 of an order); records.go what it logs; gap.go what a sink lost; seed.go how a peer's rows fill that, with page.go and
// pagecodec.go what travels, sqlite_rows.go and sqlite_seed.go where it comes from and goes to; lost.go what a restore loses; least.go how
// far a flush mark may go; batch pacing in pace.go, lag and its bounds in backlog.go; version.go and tables.go the shape of the rows;
// audit.go and postgres_audit.go read them back, probe.go and probe_sqlite.go look at a database before anything is flushed to it;
// config.go, errors.go, metrics.go.
package storage
