package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteSink is a node's own SQLite file. Every session has a connection of its own, so that a failure of one shard leaves the others alone;
// the sessions of this process take turns at writing, because SQLite admits one writer and lets the others poll.
type sqliteSink struct {
	path      string
	clusterID string
	epoch     uint16
	adopt     bool
	ancestors []string
	db        *sql.DB
	// turn holds one token: whoever has it may begin a write transaction.
	turn chan struct{}
	// closing is held while a connection closes. SQLite takes the write-ahead file in when the last one goes; of two that go at the same moment
	// each would take the other for one that stays.
	closing sync.Mutex
	// pragmas are run on each new connection after ours.
	pragmas []string
	// probe, when set, is called between the steps of a transaction and may fail them.
	probe func(at step, s Session) error
}

var _ Sink = (*sqliteSink)(nil)

func newSQLite(c *Config) (*sqliteSink, error) {
	if c.ClusterID == "" {
		return nil, fmt.Errorf("%w: ClusterID is missing", ErrConfig)
	}
	db, path, err := openSQLite(c.Path, "rwc", c.BusyTimeout)
	if err != nil {
		return nil, err
	}
	return &sqliteSink{
		path: path, clusterID: c.ClusterID, epoch: c.Epoch, adopt: c.AdoptSink, ancestors: c.Ancestors, db: db, turn: make(chan struct{}, 1),
	}, nil
}

// immutable is the mode of a file that nobody has open: it is only read, and nothing is made beside it.
const immutable = "immutable"

// openSQLite returns a handle that keeps no idle connections, and the absolute path. The file is not touched yet.
func openSQLite(path, mode string, busy time.Duration) (*sql.DB, string, error) {
	if path == "" {
		return nil, "", fmt.Errorf("%w: the path of the SQLite file is missing", ErrConfig)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", fmt.Errorf("storage: path of the SQLite file: %w", err)
	}
	query := url.Values{"mode": {mode}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds())}}
	if mode == immutable {
		query.Set("mode", "ro")
		query.Set("immutable", "1")
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, "", fmt.Errorf("storage: open %s: %w", abs, err)
	}
	db.SetMaxIdleConns(-1)
	return db, abs, nil
}

func (s *sqliteSink) Name() string { return "sqlite" }

// Connect implements Sink.
func (s *sqliteSink) Connect(ctx context.Context, shard uint32) (Session, uint64, error) {
	if err := s.take(ctx); err != nil {
		return nil, 0, err
	}
	defer s.release()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("storage: open %s: %w", s.path, classify(err))
	}
	session := &sqliteSession{sink: s, conn: conn, shard: shard}
	if err := session.open(ctx); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("storage: open %s: %w", s.path, classify(err)), session.Close())
	}
	return session, session.since(), nil
}

// Look implements Sink.
func (s *sqliteSink) Look(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("storage: open %s: %w", s.path, classify(err))
	}
	session := &sqliteSession{sink: s, conn: conn}
	empty, err := session.inspect(ctx)
	if err == nil && !empty {
		err = session.ours(ctx)
	}
	if err = errors.Join(err, session.Close()); err != nil {
		return fmt.Errorf("storage: open %s: %w", s.path, classify(err))
	}
	return nil
}

func (s *sqliteSink) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sqliteSink) release() { <-s.turn }

func (s *sqliteSink) Close() error { return s.db.Close() }

// files says which files a session writes: SQLite goes on writing to a file that has lost its name, where nobody would ever read it.
type files struct{ db, wal os.FileInfo }

func statFiles(path string) (f files, err error) {
	if f.db, err = os.Stat(path); err == nil {
		f.wal, err = os.Stat(path + "-wal")
	}
	if err != nil {
		return files{}, fmt.Errorf("%w: %w", ErrSinkGone, err)
	}
	return f, nil
}

func (f files) check(path string) error {
	now, err := statFiles(path)
	if err != nil {
		return err
	}
	if !os.SameFile(f.db, now.db) || !os.SameFile(f.wal, now.wal) {
		return fmt.Errorf("%w: %s was replaced", ErrSinkGone, path)
	}
	return nil
}

// classify names the errors of SQLite that mean something to us.
func classify(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("%w: %w", ErrForeignFile, err)
	}
	return err
}
