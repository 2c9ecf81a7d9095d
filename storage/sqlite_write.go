package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"holdfast/stock"
)

// step names the moments between the steps of a transaction; a crash at any of them leaves all of the batch or nothing.
type step int

const (
	stepBegun step = iota
	stepTaken
	stepHalfway
	stepOrders
	stepSKUs
	stepCursor
	stepCommitted
	steps
)

// Write implements Session: take the cursor row, upsert the rows, move the cursor, commit (rule R26).
func (s *sqliteSession) Write(ctx context.Context, b Batch) error {
	if err := s.sink.take(ctx); err != nil {
		return err
	}
	defer s.sink.release()
	to := versionOf(s.sink.epoch, b.UpTo)
	err := s.transaction(ctx, func() error { return s.writeBatch(ctx, b, to) })
	if err == nil {
		err = s.at(stepCommitted)
	}
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return fmt.Errorf("storage: write %s: %w", s.sink.path, err)
	}
	s.cursor = to
	return nil
}

// writeBatch uses a context that cannot be cancelled for the rows, because the driver would start a goroutine for each; it looks at ctx between
// rows instead, and the statements wait for nothing once the transaction has begun.
func (s *sqliteSession) writeBatch(ctx context.Context, b Batch, to version) error {
	quiet := context.WithoutCancel(ctx)
	if err := s.takeCursor(quiet, b); err != nil {
		return err
	}
	for i := range b.Orders {
		if i == len(b.Orders)/2 {
			if err := s.at(stepHalfway); err != nil {
				return err
			}
		}
		s.args = orderRow(s.args[:0], s.sink.epoch, &b.Orders[i])
		if err := s.row(ctx, quiet, s.order, i); err != nil {
			return fmt.Errorf("orders: %w", err)
		}
	}
	if err := s.at(stepOrders); err != nil {
		return err
	}
	for i := range b.SKUs {
		s.args = skuRow(s.args[:0], s.sink.epoch, &b.SKUs[i])
		if err := s.row(ctx, quiet, s.sku, i); err != nil {
			return fmt.Errorf("skus: %w", err)
		}
	}
	if err := s.markLost(quiet, b.Lost); err != nil {
		return fmt.Errorf("mark what is lost: %w", err)
	}
	if err := errors.Join(s.at(stepSKUs), b.held()); err != nil {
		return err
	}
	if _, err := s.write.ExecContext(quiet, int64(to), s.shard); err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	return s.at(stepCursor)
}

// markLost marks what a restore has lost.
func (s *sqliteSession) markLost(ctx context.Context, lost Lost) error {
	if lost.After == 0 {
		return nil
	}
	base := int64(versionOf(s.sink.epoch, 0))
	partitions, err := json.Marshal(lost.Partitions)
	if err != nil {
		return err
	}
	mark := markLostOrders("orders", "instr", "?", "?", "in (select value from json_each(?))")
	if _, err := s.conn.ExecContext(ctx, mark, base, int64(lost.After), string(partitions)); err != nil {
		return err
	}
	rows, err := s.conn.QueryContext(ctx, fmt.Sprintf(lostSKUs, "skus", "?", int64(indexMask), "?"), base, int64(lost.After))
	if err != nil {
		return err
	}
	names, err := appendRows(nil, rows, 1)
	if err != nil {
		return err
	}
	for _, r := range names {
		name := r[0].(string)
		if !slices.Contains(lost.Partitions, stock.PartitionOf(name)) {
			continue
		}
		if _, err := s.conn.ExecContext(ctx, "update skus set mode = ? where sku = ?", lostInRestore, name); err != nil {
			return err
		}
	}
	return nil
}

// takeCursor locks the shard's cursor row for this transaction, unless a later term has written it or it is not where this session left it.
func (s *sqliteSession) takeCursor(ctx context.Context, b Batch) error {
	if err := s.at(stepBegun); err != nil {
		return err
	}
	var at int64
	err := s.take.QueryRowContext(ctx, int64(b.Term), s.shard, int64(b.Term), s.sink.clusterID).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: ours is %d", ErrStaleTerm, b.Term)
	}
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	if version(at) != s.cursor || s.since() != b.Since {
		return fmt.Errorf("%w: at %d, the batch begins after %d", ErrCursorMoved, version(at).index(), b.Since)
	}
	return s.at(stepTaken)
}

func (s *sqliteSession) row(ctx, quiet context.Context, stmt *sql.Stmt, i int) error {
	if i%256 == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := stmt.ExecContext(quiet, s.args...)
	return err
}

// transaction runs do in a transaction that holds the write lock from its beginning, so that it cannot fail half-way for another writer.
func (s *sqliteSession) transaction(ctx context.Context, do func() error) error {
	quiet := context.WithoutCancel(ctx)
	if _, err := s.conn.ExecContext(quiet, "begin immediate"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(); err != nil {
		// SQLite may have rolled back by itself; the session is closed in any case.
		_, _ = s.conn.ExecContext(quiet, "rollback")
		return err
	}
	if _, err := s.conn.ExecContext(quiet, "commit"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (s *sqliteSession) at(moment step) error {
	if s.sink.probe == nil {
		return nil
	}
	return s.sink.probe(moment, s)
}
