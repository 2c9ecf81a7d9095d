package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// seedState is a shard's row of the table seed: what is missing, and the key up to which a peer's rows are there.
type seedState struct {
	lacks Span
	at    string
}

var _ keeper = (*sqliteSession)(nil)

// seed reads the shard's row; without one nothing is missing.
func (s *sqliteSession) seed(ctx context.Context) (seed seedState, err error) {
	var from, to int64
	err = s.conn.QueryRowContext(ctx, "select lacks_from, lacks_to, at from seed where shard = ?", s.shard).Scan(&from, &to, &seed.at)
	if errors.Is(err, sql.ErrNoRows) {
		return seedState{}, nil
	}
	seed.lacks = Span{From: uint64(from), To: uint64(to)}
	return seed, err
}

func (s *sqliteSession) lacking() Span { return s.lacks }

// note remembers that rows are missing, beside what was missing already. Pages that are there may be older than what is missing now, so seeding
// begins anew when it is more.
func (s *sqliteSession) note(ctx context.Context, missing Span) error {
	if err := s.sink.take(ctx); err != nil {
		return err
	}
	defer s.sink.release()
	err := s.transaction(ctx, func() error {
		seed, err := s.seed(ctx)
		if err != nil {
			return err
		}
		s.lacks = seed.lacks.with(missing)
		if s.lacks == seed.lacks {
			return nil
		}
		_, err = s.conn.ExecContext(ctx, "insert into seed (shard, lacks_from, lacks_to, at) values (?, ?, ?, '') on conflict (shard) "+
			"do update set lacks_from = excluded.lacks_from, lacks_to = excluded.lacks_to, at = ''", s.shard, int64(s.lacks.From), int64(s.lacks.To))
		return err
	})
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return fmt.Errorf("storage: note in %s what is missing: %w", s.sink.path, err)
	}
	return nil
}

// seedSession opens a session that writes a peer's rows, beside the one that flushes the shard.
func (s *sqliteSink) seedSession(ctx context.Context, shard uint32) (*sqliteSession, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("storage: open %s: %w", s.path, classify(err))
	}
	session := &sqliteSession{sink: s, conn: conn, shard: shard}
	empty, err := session.inspect(ctx)
	switch {
	case err != nil:
	case empty || session.schema < sqliteSchema:
		err = fmt.Errorf("%w: it is empty", ErrSinkGone)
	default:
		if err = session.pragmas(ctx); err == nil {
			err = session.prepare(ctx)
		}
	}
	if err == nil {
		session.files, err = statFiles(s.path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: open %s: %w", s.path, classify(err)), session.Close())
	}
	return session, nil
}

// writePage writes a page and how far that is in one transaction. moved: more is missing than when the page was asked for, or another page was
// written; nothing was done.
func (s *sqliteSession) writePage(ctx context.Context, p *Page, seed seedState) (moved bool, err error) {
	if err := s.sink.take(ctx); err != nil {
		return false, err
	}
	defer s.sink.release()
	err = s.transaction(ctx, func() error {
		now, err := s.seed(ctx)
		if moved = now != seed; err != nil || moved {
			return err
		}
		return s.seedRows(ctx, p)
	})
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("storage: seed %s: %w", s.sink.path, err)
	}
	return moved, nil
}

// seedRows writes what the file does not have in the same or a later version.
func (s *sqliteSession) seedRows(ctx context.Context, p *Page) error {
	quiet := context.WithoutCancel(ctx)
	for _, part := range []struct {
		rows  []row
		write *sql.Stmt
	}{{p.orders, s.order}, {p.skus, s.sku}} {
		for i, r := range part.rows {
			s.args = append(s.args[:0], r...)
			if err := s.row(ctx, quiet, part.write, i); err != nil {
				return err
			}
		}
	}
	if err := s.at(stepOrders); err != nil {
		return err
	}
	if p.Next == "" {
		_, err := s.conn.ExecContext(quiet, "delete from seed where shard = ?", s.shard)
		return err
	}
	_, err := s.conn.ExecContext(quiet, "update seed set at = ? where shard = ?", p.Next, s.shard)
	return err
}
