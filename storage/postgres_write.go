package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"holdfast/stock"
)

// Write implements Session: take the cursor row, copy the rows to the session's staging tables, upsert them from there, move the cursor, commit
// (rule R26). The cursor row is locked first, so two sessions of one shard never wait for each other's rows; sessions of several shards have rows
// of their own, and the upserts take them in the order of their keys, orders before SKUs, so even shards that shared rows would not deadlock.
func (s *postgresSession) Write(ctx context.Context, b Batch) error {
	patience := s.sink.statement
	if b.Lost.After > 0 {
		patience *= lostPatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	to := versionOf(s.sink.epoch, b.UpTo)
	err := s.transaction(ctx, func(tx pgx.Tx) error { return s.writeBatch(ctx, tx, b, to) })
	if err == nil {
		err = s.at(stepCommitted)
	}
	if err != nil {
		return fmt.Errorf("storage: write %s: %w", s.sink.where, oneLine(err))
	}
	s.cursor = to
	return nil
}

func (s *postgresSession) writeBatch(ctx context.Context, tx pgx.Tx, b Batch, to version) error {
	if err := s.takeCursor(ctx, tx, b); err != nil {
		return err
	}
	half := len(b.Orders) / 2
	orders := func(args []any, i int) ([]any, error) {
		if i == half {
			if err := s.at(stepHalfway); err != nil {
				return nil, err
			}
		}
		return orderRow(args, s.sink.epoch, &b.Orders[i]), nil
	}
	if err := s.upsert(ctx, tx, &orderTable, s.sql.upsertOrders, len(b.Orders), orders); err != nil {
		return err
	}
	if err := errors.Join(s.at(stepOrders), b.held()); err != nil {
		return err
	}
	skus := func(args []any, i int) ([]any, error) { return skuRow(args, s.sink.epoch, &b.SKUs[i]), nil }
	if err := s.upsert(ctx, tx, &skuTable, s.sql.upsertSKUs, len(b.SKUs), skus); err != nil {
		return err
	}
	if err := s.markLost(ctx, tx, b.Lost); err != nil {
		return fmt.Errorf("mark what is lost: %w", err)
	}
	if err := errors.Join(s.at(stepSKUs), b.held()); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, s.sql.moveCursor, int64(to), int64(s.shard)); err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	return s.at(stepCursor)
}

// lostPatience is how many times as long a transaction may take that looks through all orders, once after a restore.
const lostPatience = 100

// markLost marks what a restore has lost.
func (s *postgresSession) markLost(ctx context.Context, tx pgx.Tx, lost Lost) error {
	if lost.After == 0 {
		return nil
	}
	base, after := int64(versionOf(s.sink.epoch, 0)), int64(lost.After)
	const unhurried = "select set_config('statement_timeout', $1, true)"
	if _, err := tx.Exec(ctx, unhurried, strconv.FormatInt((lostPatience*s.sink.statement).Milliseconds(), 10)); err != nil {
		return err
	}
	partitions := make([]int64, len(lost.Partitions))
	for i, p := range lost.Partitions {
		partitions[i] = int64(p)
	}
	if _, err := tx.Exec(ctx, s.sql.lostOrders, base, after, partitions); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, s.sql.lostSKUs, base, after)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(sku string) bool { return !slices.Contains(lost.Partitions, stock.PartitionOf(sku)) })
	_, err = tx.Exec(ctx, s.sql.markSKUs, names)
	return err
}

// takeCursor locks the shard's cursor row for this transaction, unless a later term has written it or it is not where this session left it.
func (s *postgresSession) takeCursor(ctx context.Context, tx pgx.Tx, b Batch) error {
	if err := s.at(stepBegun); err != nil {
		return err
	}
	var at int64
	err := tx.QueryRow(ctx, s.sql.takeCursor, int64(b.Term), int64(s.shard), s.sink.clusterID).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
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

// upsert copies n rows to the staging table of t and from there to the table itself.
func (s *postgresSession) upsert(ctx context.Context, tx pgx.Tx, t *table, statement string, n int, row func(args []any, i int) ([]any, error)) error {
	if n == 0 {
		return nil
	}
	// The library encodes a row before it asks for the next one, so all rows share one slice.
	i, args := 0, make([]any, 0, len(t.columns))
	source := pgx.CopyFromFunc(func() ([]any, error) {
		if i == n {
			return nil, nil
		}
		values, err := row(args[:0], i)
		i++
		return values, err
	})
	if _, err := tx.CopyFrom(ctx, t.stagingName(), t.names(), source); err != nil {
		return fmt.Errorf("copy %s: %w", t.name, err)
	}
	if _, err := tx.Exec(ctx, statement); err != nil {
		return fmt.Errorf("upsert %s: %w", t.name, err)
	}
	return nil
}

// transaction runs do in a transaction of the isolation that the guards are written for, whatever the server's default is: an update that waited
// for another one looks at the row again.
func (s *postgresSession) transaction(ctx context.Context, do func(pgx.Tx) error) error {
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback(ctx) // the session is closed in any case
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (s *postgresSession) at(moment step) error {
	if s.sink.probe == nil {
		return nil
	}
	return s.sink.probe(moment, s)
}
