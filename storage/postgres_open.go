package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// closeGrace is how long a session that ends has to tell the server to give up what it is doing.
const closeGrace = 250 * time.Millisecond

// postgresSession is one shard's connection to the database.
type postgresSession struct {
	sink  *postgresSink
	conn  *pgx.Conn
	line  *line
	shard uint32
	sql   *postgresSQL
	// cursor is where the sink stood after the last transaction of this session.
	cursor version
	// isNew: the table had no cursor of the shard.
	isNew bool
}

var (
	_ Session  = (*postgresSession)(nil)
	_ newcomer = (*postgresSession)(nil)
	_ heir     = (*postgresSession)(nil)
)

// open checks whose schema it is before anything is written to it, then makes the tables and takes the shard's cursor row, in one transaction.
func (s *postgresSession) open(ctx context.Context) error {
	for name, value := range s.sink.settings() {
		if _, err := s.conn.Exec(ctx, "select set_config($1, $2, false)", name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	// What a source was told to be flushed may leave memory: a commit that the server only remembers is not enough. Any other level is the server's.
	const synced = "select set_config('synchronous_commit', 'local', false) where current_setting('synchronous_commit') = 'off'"
	if _, err := s.conn.Exec(ctx, synced); err != nil {
		return fmt.Errorf("set synchronous_commit: %w", err)
	}
	return s.transaction(ctx, func(tx pgx.Tx) error {
		empty, err := s.inspect(ctx, tx)
		if err != nil {
			return err
		}
		if empty {
			if err := s.createTables(ctx, tx); err != nil {
				return err
			}
		}
		if err := s.claim(ctx, tx); err != nil {
			return err
		}
		return s.exec(ctx, tx, s.sql.staging...)
	})
}

// inspect returns whether the schema has yet to get its tables, or why it is not ours to write. It begins with a lock on the schema's name that
// all sessions of ours take here, so that the tables are made once.
func (s *postgresSession) inspect(ctx context.Context, tx pgx.Tx) (empty bool, err error) {
	var schema *string
	var encoding string
	err = tx.QueryRow(ctx, "select current_schema(), current_setting('server_encoding')").Scan(&schema, &encoding)
	switch {
	case err != nil:
		return false, err
	case schema == nil:
		return false, fmt.Errorf("no schema of the search_path %q exists, or the role has no usage of it", s.sink.cfg.RuntimeParams["search_path"])
	case encoding != "UTF8":
		return false, fmt.Errorf("the database has the encoding %s: some names of SKUs and users would not fit, it must be UTF8", encoding)
	}
	s.sql = newPostgresSQL(*schema)
	if err := s.alone(ctx, tx, *schema); err != nil {
		return false, fmt.Errorf("wait for another session: %w", err)
	}
	var marks, tables int
	if err := tx.QueryRow(ctx, s.sql.objects, *schema).Scan(&marks, &tables); err != nil {
		return false, err
	}
	if marks == 0 {
		return judgePostgres(*schema, 0, marks, tables)
	}
	var known int
	err = tx.QueryRow(ctx, s.sql.schemaVersion).Scan(&known)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == undefinedColumn {
		return false, fmt.Errorf("%w: %w", ErrForeignFile, err)
	}
	if err != nil {
		return false, err
	}
	return judgePostgres(*schema, known, marks, tables)
}

// alone waits until no other session of ours opens this schema. One that makes the tables may take long, and is no reason to give up: only
// statement_timeout ends this wait, not lock_timeout.
func (s *postgresSession) alone(ctx context.Context, tx pgx.Tx, schema string) error {
	const unbounded = "select current_setting('lock_timeout'), set_config('lock_timeout', '0', true)"
	var usual, none string
	if err := tx.QueryRow(ctx, unbounded).Scan(&usual, &none); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, hashtext($2))", applicationID, schema); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "select set_config('lock_timeout', $1, true)", usual)
	return err
}

func judgePostgres(schema string, version, marks, tables int) (empty bool, err error) {
	switch {
	case marks == 0 && tables == 0:
		return true, nil
	case marks == 0:
		return false, fmt.Errorf("%w: schema %q has %d of the names orders, skus and cursor in another use; give another one with ?search_path=",
			ErrForeignFile, schema, tables)
	case version > postgresSchema:
		return false, fmt.Errorf("%w: schema %d, this build knows up to %d", ErrNewerSchema, version, postgresSchema)
	case version < 1 || tables != 3:
		return false, fmt.Errorf("%w: schema %q says version %d and has %d of the tables orders, skus and cursor", ErrForeignFile, schema, version, tables)
	}
	return false, nil
}

func (s *postgresSession) createTables(ctx context.Context, tx pgx.Tx) error {
	if err := s.exec(ctx, tx, s.sql.create...); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	return nil
}

// claim makes sure that the tables are this cluster's and that the shard has a cursor row, and reads it.
func (s *postgresSession) claim(ctx context.Context, tx pgx.Tx) error {
	base := int64(versionOf(s.sink.epoch, 0))
	if err := s.inherit(ctx, tx, base); err != nil {
		return err
	}
	made, err := tx.Exec(ctx, s.sql.newCursor, int64(s.shard), base, s.sink.clusterID)
	if err != nil {
		return err
	}
	s.isNew = made.RowsAffected() > 0
	// Terms of an earlier epoch do not compare with ours.
	if _, err := tx.Exec(ctx, s.sql.newEpoch, base, int64(s.shard)); err != nil {
		return err
	}
	var at int64
	if err := tx.QueryRow(ctx, s.sql.readCursor, int64(s.shard), s.sink.clusterID).Scan(&at); err != nil {
		return err
	}
	if s.cursor = version(at); s.cursor.epoch() > s.sink.epoch {
		return fmt.Errorf("%w: epoch %d wrote it, this is epoch %d", ErrOtherCluster, s.cursor.epoch(), s.sink.epoch)
	}
	return nil
}

// other returns the id of another cluster that wrote the tables, "" for none, and ErrOtherCluster when it was not adopted.
func (s *postgresSession) other(ctx context.Context, tx pgx.Tx) (id string, err error) {
	err = tx.QueryRow(ctx, s.sql.otherCluster, s.sink.clusterID).Scan(&id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", nil
	case err == nil && !s.sink.adopt:
		err = fmt.Errorf("%w: %s was written by %s, this is %s (--adopt-sink takes it over)", ErrOtherCluster, s.sink.where, id, s.sink.clusterID)
	}
	return id, err
}

func (s *postgresSession) fresh() bool { return s.isNew }

// since is where flushing goes on; see sqliteSession.
func (s *postgresSession) since() uint64 { return s.cursor.since(s.sink.epoch) }

func (s *postgresSession) former() uint64 { return s.cursor.former(s.sink.epoch) }

// inherit takes the tables over from other clusters, if it may.
func (s *postgresSession) inherit(ctx context.Context, tx pgx.Tx, base int64) error {
	for {
		other, err := s.other(ctx, tx)
		if err != nil || other == "" {
			return err
		}
		if slices.Contains(s.sink.ancestors, other) {
			_, err = tx.Exec(ctx, s.sql.heirCursors, s.sink.clusterID, other)
		} else {
			err = s.adopt(ctx, tx, base)
		}
		if err != nil {
			return fmt.Errorf("adopt: %w", err)
		}
	}
}

// adopt takes the tables over from another cluster, as SQLite's adopt does. Whoever writes them has its cursor row locked first, so the cursors
// are changed first: an open transaction of the other cluster ends before, and later ones find no row of theirs.
func (s *postgresSession) adopt(ctx context.Context, tx pgx.Tx, base int64) error {
	if _, err := tx.Exec(ctx, s.sql.adoptCursors, s.sink.clusterID, base); err != nil {
		return err
	}
	return s.exec(ctx, tx, s.sql.adoptRows...)
}

func (s *postgresSession) exec(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Check implements Session: the server answers, and the cursor is where this session left it.
func (s *postgresSession) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.sink.statement)
	defer cancel()
	var at int64
	err := s.conn.QueryRow(ctx, s.sql.readCursor, int64(s.shard), s.sink.clusterID).Scan(&at)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("storage: look at %s: %w: the shard's cursor was deleted, or another cluster's", s.sink.where, ErrSinkGone)
	case err != nil:
		return fmt.Errorf("storage: look at %s: %w", s.sink.where, oneLine(err))
	case version(at) != s.cursor:
		return fmt.Errorf("storage: look at %s: %w: at %d, this session left it at %d", s.sink.where, ErrCursorMoved, version(at).index(), s.cursor.index())
	}
	return nil
}

// Close ends the session; the server rolls back a transaction that is still open.
func (s *postgresSession) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	err := s.conn.Close(ctx)
	gone := s.conn.PgConn().CleanupDone()
	select {
	case <-gone:
	case <-ctx.Done():
	}
	s.line.close()
	<-gone
	return err
}
