package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

const (
	// applicationID marks our files ("HOLD"); sqliteSchema and postgresSchema are what this build reads and writes.
	applicationID  = 0x484f4c44
	sqliteSchema   = 2
	postgresSchema = 1
)

// sqliteSession is one shard's connection to the file.
type sqliteSession struct {
	sink  *sqliteSink
	conn  *sql.Conn
	shard uint32
	files files
	// cursor is where the sink stood after the last transaction of this session.
	cursor version
	// isNew: the file had no cursor of the shard.
	isNew bool
	// schema is the version of the tables as they were found; lacks is what the file says that it lacks of the shard.
	schema      int64
	lacks       Span
	order, sku  *sql.Stmt
	take, write *sql.Stmt
	args        []any
}

var (
	_ Session  = (*sqliteSession)(nil)
	_ newcomer = (*sqliteSession)(nil)
	_ heir     = (*sqliteSession)(nil)
)

// open checks whose file it is before anything is written to it, then makes the tables and takes the shard's cursor row.
func (s *sqliteSession) open(ctx context.Context) error {
	empty, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	if err := s.pragmas(ctx); err != nil {
		return err
	}
	err = s.transaction(ctx, func() error {
		if empty {
			if err := s.createTables(ctx); err != nil {
				return err
			}
		}
		if err := s.upgrade(ctx); err != nil {
			return err
		}
		return s.claim(ctx)
	})
	if err != nil {
		return err
	}
	if s.files, err = statFiles(s.sink.path); err != nil {
		return err
	}
	return s.prepare(ctx)
}

// inspect returns whether the file has yet to get its tables, or why it is not ours to write.
func (s *sqliteSession) inspect(ctx context.Context) (empty bool, err error) {
	var id, objects int64
	for query, into := range map[string]*int64{
		"pragma application_id": &id, "pragma user_version": &s.schema, "select count(*) from sqlite_schema": &objects,
	} {
		if err := s.conn.QueryRowContext(ctx, query).Scan(into); err != nil {
			return false, err
		}
	}
	return judge(id, s.schema, objects)
}

func judge(id, schema, objects int64) (empty bool, err error) {
	switch {
	case id == 0 && schema == 0 && objects == 0:
		return true, nil
	case id != applicationID:
		return false, fmt.Errorf("%w (application id %#x, %d tables and indexes)", ErrForeignFile, id, objects)
	case schema > sqliteSchema:
		return false, fmt.Errorf("%w: schema %d, this build knows up to %d", ErrNewerSchema, schema, sqliteSchema)
	case schema < 1 || objects == 0:
		return false, fmt.Errorf("%w (schema %d, %d tables and indexes)", ErrForeignFile, schema, objects)
	}
	return false, nil
}

func (s *sqliteSession) pragmas(ctx context.Context) error {
	var mode string
	if err := s.conn.QueryRowContext(ctx, "pragma journal_mode = wal").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("storage: the file system of %s does not allow SQLite's WAL mode", s.sink.path)
	}
	own := []string{
		"pragma synchronous = full", "pragma trusted_schema = off",
		// Orders of a thousand SKUs touch a thousand leaves in one batch: 8 MiB keep them; fewer checkpoints write each of them less often.
		"pragma cache_size = -8192", "pragma wal_autocheckpoint = 8000", "pragma journal_size_limit = 67108864",
	}
	for _, p := range append(own, s.sink.pragmas...) {
		if _, err := s.conn.ExecContext(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// createTables runs inside the first transaction; the marks of the file are written by the same one.
func (s *sqliteSession) createTables(ctx context.Context) error {
	if empty, err := s.inspect(ctx); err != nil || !empty {
		return err // another process was faster
	}
	for _, statement := range []string{
		orderTable.create(), skuTable.create(), cursorTable.create(), seedTable.create(),
		fmt.Sprintf("pragma application_id = %d", applicationID), fmt.Sprintf("pragma user_version = %d", sqliteSchema),
	} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create tables: %w", err)
		}
	}
	return nil
}

// upgrade brings tables of an earlier build up to date: schema 2 has the table of what is missing. It runs inside the first transaction.
func (s *sqliteSession) upgrade(ctx context.Context) error {
	if empty, err := s.inspect(ctx); err != nil || empty || s.schema >= sqliteSchema {
		return err
	}
	for _, statement := range []string{seedTable.create(), fmt.Sprintf("pragma user_version = %d", sqliteSchema)} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("upgrade tables: %w", err)
		}
	}
	return nil
}

// claim makes sure that the file is this cluster's and that the shard has a cursor row, and reads it.
func (s *sqliteSession) claim(ctx context.Context) error {
	base := int64(versionOf(s.sink.epoch, 0))
	if err := s.inherit(ctx, base); err != nil {
		return err
	}
	made, err := s.conn.ExecContext(ctx, "insert into cursor (shard, log_index, term, cluster_id) values (?, ?, 0, ?) on conflict do nothing",
		s.shard, base, s.sink.clusterID)
	if err != nil {
		return err
	}
	rows, err := made.RowsAffected()
	if err != nil {
		return err
	}
	s.isNew = rows > 0
	// Terms of an earlier epoch do not compare with ours.
	if _, err := s.conn.ExecContext(ctx, "update cursor set term = 0 where shard = ? and log_index < ?", s.shard, base); err != nil {
		return err
	}
	var at int64
	if err := s.conn.QueryRowContext(ctx, "select log_index from cursor where shard = ?", s.shard).Scan(&at); err != nil {
		return err
	}
	if s.cursor = version(at); s.cursor.epoch() > s.sink.epoch {
		return fmt.Errorf("%w: epoch %d wrote it, this is epoch %d", ErrOtherCluster, s.cursor.epoch(), s.sink.epoch)
	}
	seed, err := s.seed(ctx)
	s.lacks = seed.lacks
	return err
}

// other returns the id of another cluster that wrote the file, "" for none.
func (s *sqliteSession) other(ctx context.Context) (id string, err error) {
	err = s.conn.QueryRowContext(ctx, "select cluster_id from cursor where cluster_id <> ? limit 1", s.sink.clusterID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// ours returns why the file, whose tables are there, is not this cluster's to write.
func (s *sqliteSession) ours(ctx context.Context) error {
	other, err := s.other(ctx)
	if err != nil {
		return err
	}
	return s.sink.judge(other)
}

func (s *sqliteSink) judge(other string) error {
	if other == "" || s.adopt {
		return nil
	}
	return fmt.Errorf("%w: %s was written by %s, this is %s (--adopt-sink takes it over)", ErrOtherCluster, s.path, other, s.clusterID)
}

func (s *sqliteSession) fresh() bool { return s.isNew }

// since is where flushing goes on: a cursor of an earlier epoch counts log indexes that this one may have given to other changes, so everything is
// written again, and the first batch moves the cursor to this epoch.
func (s *sqliteSession) since() uint64 { return s.cursor.since(s.sink.epoch) }

func (s *sqliteSession) former() uint64 { return s.cursor.former(s.sink.epoch) }

// inherit takes the file over from other clusters, if it may.
func (s *sqliteSession) inherit(ctx context.Context, base int64) error {
	for {
		other, err := s.other(ctx)
		if err == nil {
			err = s.sink.judge(other)
		}
		if err != nil || other == "" {
			return err
		}
		if slices.Contains(s.sink.ancestors, other) {
			_, err = s.conn.ExecContext(ctx, "update cursor set cluster_id = ? where cluster_id = ?", s.sink.clusterID, other)
		} else {
			err = s.adopt(ctx, base)
		}
		if err != nil {
			return err
		}
	}
}

// adopt takes the file over from another cluster. Versions of two clusters do not compare, so the rows that are there lose theirs: whatever
// this cluster writes wins over them, and what it does not know stays as it was, with version 0.
func (s *sqliteSession) adopt(ctx context.Context, base int64) error {
	for _, statement := range []string{"update orders set version = 0", "update skus set version = 0", "delete from seed"} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("adopt: %w", err)
		}
	}
	if _, err := s.conn.ExecContext(ctx, "update cursor set cluster_id = ?, log_index = ?, term = 0", s.sink.clusterID, base); err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	return nil
}

func (s *sqliteSession) prepare(ctx context.Context) error {
	for query, into := range map[string]**sql.Stmt{
		orderTable.upsert(): &s.order,
		skuTable.upsert():   &s.sku,
		"update cursor set term = ? where shard = ? and term <= ? and cluster_id = ? returning log_index": &s.take,
		"update cursor set log_index = ? where shard = ?":                                                 &s.write,
	} {
		stmt, err := s.conn.PrepareContext(ctx, query)
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		*into = stmt
	}
	return nil
}

// Close ends the session; a transaction that is still open is rolled back.
func (s *sqliteSession) Close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.order, s.sku, s.take, s.write} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	s.sink.closing.Lock()
	defer s.sink.closing.Unlock()
	return errors.Join(append(errs, s.conn.Close())...)
}

// Check implements Session.
func (s *sqliteSession) Check(context.Context) error { return s.files.check(s.sink.path) }
