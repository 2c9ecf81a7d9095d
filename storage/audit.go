package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"
)

// OrderRow is an order as the sink has it. State is the API's name.
type OrderRow struct {
	ID, SKU, User, State, Key string
	Qty, ReturnedQty          int64
	Version                   int64
}

// Total sums the orders of one SKU in one state.
type Total struct {
	SKU, State                   string
	Orders, Units, ReturnedUnits int64
}

// SKURow is a SKU's counters as the sink has them.
type SKURow struct {
	SKU                          string
	Stock, Available, Held, Sold int64
	Version                      int64
}

// Audit reads a sink from outside, through a read-only connection of its own, at any time: while it is written, or when nothing runs.
type Audit struct {
	db   *sql.DB
	conn *sql.Conn
}

// auditBusy is how long an audit waits for a lock, which readers of a file in WAL mode meet only while it is recovered or closed.
const auditBusy = 5 * time.Second

// OpenAudit begins one read transaction on a SQLite file or on the database of a postgres:// URL: everything that is read until Close is from the
// same moment.
func OpenAudit(ctx context.Context, sink string) (*Audit, error) {
	if isPostgres(sink) {
		return openPostgresAudit(ctx, sink)
	}
	db, abs, err := openSQLite(sink, "ro", auditBusy)
	if err != nil {
		return nil, err
	}
	a := &Audit{db: db}
	if err := a.begin(ctx, "begin", a.inspectSQLite); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: read %s: %w", abs, classify(err)), a.Close())
	}
	return a, nil
}

// begin reads something at once: the moment of a transaction is fixed at its first read.
func (a *Audit) begin(ctx context.Context, statement string, inspect func(context.Context) (empty bool, err error)) (err error) {
	if a.conn, err = a.db.Conn(ctx); err != nil {
		return err
	}
	if _, err := a.conn.ExecContext(ctx, statement); err != nil {
		return err
	}
	if empty, err := inspect(ctx); err != nil || !empty {
		return err
	}
	return fmt.Errorf("%w: it is empty", ErrForeignFile)
}

func (a *Audit) inspectSQLite(ctx context.Context) (empty bool, err error) {
	var id, schema, objects int64
	row := a.conn.QueryRowContext(ctx, "select (select * from pragma_application_id), (select * from pragma_user_version), count(*) from sqlite_schema")
	if err := row.Scan(&id, &schema, &objects); err != nil {
		return false, err
	}
	return judge(id, schema, objects)
}

// Close ends the transaction.
func (a *Audit) Close() error {
	if a.conn == nil {
		return a.db.Close()
	}
	return errors.Join(a.conn.Close(), a.db.Close())
}

// Orders yields every order by id. After an error it yields nothing more.
func (a *Audit) Orders(ctx context.Context) iter.Seq2[OrderRow, error] {
	const query = "select id, sku, user_id, state, idem_key, qty, returned_qty, version from orders order by id"
	return rowsOf(ctx, a.conn, query, func(r *OrderRow) []any {
		return []any{&r.ID, &r.SKU, &r.User, &r.State, &r.Key, &r.Qty, &r.ReturnedQty, &r.Version}
	})
}

// Totals yields the sums by SKU and state.
func (a *Audit) Totals(ctx context.Context) iter.Seq2[Total, error] {
	const query = "select sku, state, count(*), cast(sum(qty) as bigint), cast(sum(returned_qty) as bigint) from orders " +
		"group by sku, state order by sku, state"
	return rowsOf(ctx, a.conn, query, func(r *Total) []any {
		return []any{&r.SKU, &r.State, &r.Orders, &r.Units, &r.ReturnedUnits}
	})
}

// SKUs yields every SKU by name.
func (a *Audit) SKUs(ctx context.Context) iter.Seq2[SKURow, error] {
	const query = "select sku, stock, available, held, sold, version from skus order by sku"
	return rowsOf(ctx, a.conn, query, func(r *SKURow) []any {
		return []any{&r.SKU, &r.Stock, &r.Available, &r.Held, &r.Sold, &r.Version}
	})
}

// Indexes returns the log index up to which the sink has everything, by shard.
func (a *Audit) Indexes(ctx context.Context) (map[uint32]uint64, error) {
	type cursor struct {
		shard uint32
		at    int64
	}
	indexes := make(map[uint32]uint64)
	rows := rowsOf(ctx, a.conn, "select shard, log_index from cursor", func(c *cursor) []any { return []any{&c.shard, &c.at} })
	for c, err := range rows {
		if err != nil {
			return nil, err
		}
		indexes[c.shard] = version(c.at).index()
	}
	return indexes, nil
}

// ReadOrders returns every order of a sink, by id, as of one moment.
func ReadOrders(ctx context.Context, sink string) ([]OrderRow, error) {
	return read(ctx, sink, (*Audit).Orders)
}

// ReadTotals returns the sums of a sink by SKU and state, as of one moment.
func ReadTotals(ctx context.Context, sink string) ([]Total, error) {
	return read(ctx, sink, (*Audit).Totals)
}

// ReadSKUs returns the SKUs of a sink, by name, as of one moment.
func ReadSKUs(ctx context.Context, sink string) ([]SKURow, error) {
	return read(ctx, sink, (*Audit).SKUs)
}

func read[T any](ctx context.Context, sink string, rows func(*Audit, context.Context) iter.Seq2[T, error]) (all []T, err error) {
	a, err := OpenAudit(ctx, sink)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for row, err := range rows(a, ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// rowsOf yields the rows of a query, or one error at the end.
func rowsOf[T any](ctx context.Context, conn *sql.Conn, query string, into func(*T) []any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := conn.QueryContext(ctx, query)
		if err != nil {
			yield(zero, fmt.Errorf("storage: audit: %w", err))
			return
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var row T
			if err := rows.Scan(into(&row)...); err != nil {
				yield(zero, fmt.Errorf("storage: audit: %w", err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, fmt.Errorf("storage: audit: %w", err))
		}
	}
}
