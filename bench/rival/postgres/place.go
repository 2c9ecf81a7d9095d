package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"holdfast/bench/sale"
)

// uniqueViolation is SQLSTATE 23505.
const uniqueViolation = "23505"

// Place implements sale.Target. Several orders go one after another over one connection, each in its own transaction.
func (t *Target) Place(ctx context.Context, orders []sale.Order, answers []sale.Answer) {
	conn, err := t.pool.Acquire(ctx)
	if err != nil {
		for i := range orders {
			answers[i] = sale.Answer{Verdict: sale.Failed, Reason: "no_connection"}
		}
		return
	}
	defer conn.Release()
	for i := range orders {
		if t.style == OneStatement {
			answers[i] = atOnce(ctx, conn, &orders[i])
		} else {
			answers[i] = stepwise(ctx, conn, &orders[i])
		}
	}
}

// stepwise places an order as an application does: begin, insert, update, commit.
func stepwise(ctx context.Context, conn *pgxpool.Conn, o *sale.Order) sale.Answer {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return failed(err)
	}
	sold, err := take(ctx, tx, o)
	if err != nil || !sold {
		if undo := tx.Rollback(ctx); undo != nil && err == nil {
			err = undo // the server forgets the transaction with its connection
		}
		if err != nil {
			return failed(err)
		}
		return why(ctx, conn, o)
	}
	if err := tx.Commit(ctx); err != nil {
		return unsure(err)
	}
	return sale.Answer{Verdict: sale.Accepted, ID: o.Key}
}

// take writes the order, then takes its units; false: one of both could not be.
func take(ctx context.Context, tx pgx.Tx, o *sale.Order) (bool, error) {
	tag, err := tx.Exec(ctx, insertOrder, o.SKU, o.Key, o.User, o.Qty)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	tag, err = tx.Exec(ctx, takeStock, o.SKU, o.Qty)
	return err == nil && tag.RowsAffected() == 1, err
}

// atOnce places an order with one statement, which is its own transaction.
func atOnce(ctx context.Context, conn *pgxpool.Conn, o *sale.Order) sale.Answer {
	tag, err := conn.Exec(ctx, placeAtOnce, o.SKU, o.Key, o.User, o.Qty)
	if said, ok := errors.AsType[*pgconn.PgError](err); ok && said.Code == uniqueViolation {
		return why(ctx, conn, o)
	}
	switch {
	case err != nil:
		return unsure(err)
	case tag.RowsAffected() == 0:
		return why(ctx, conn, o)
	}
	return sale.Answer{Verdict: sale.Accepted, ID: o.Key}
}

// why says why nothing was sold, in the codes and the order of our own API. A key that was used before is answered as then.
func why(ctx context.Context, conn *pgxpool.Conn, o *sale.Order) sale.Answer {
	var same, fenced, limit *bool
	var available *int64
	if err := conn.QueryRow(ctx, explain, o.SKU, o.Key, o.User, o.Qty).Scan(&same, &fenced, &limit, &available); err != nil {
		return failed(err)
	}
	refused := func(reason string) sale.Answer { return sale.Answer{Verdict: sale.Refused, Reason: reason} }
	switch {
	case available == nil:
		return refused("sku_not_found")
	case fenced != nil && *fenced:
		return refused("fenced")
	case same != nil && *same:
		return sale.Answer{Verdict: sale.Accepted, ID: o.Key}
	case same != nil:
		return refused("idempotency_key_reused")
	case limit != nil && *limit:
		return refused("limit_exceeded")
	case *available == 0:
		return refused("sold_out")
	case *available < o.Qty:
		return refused("insufficient_stock")
	}
	// What stood in the way has gone: another transaction that was undone.
	return sale.Answer{Verdict: sale.Failed, Reason: "conflict"}
}

// failed is the answer when nothing can have been committed.
func failed(err error) sale.Answer {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return sale.Answer{Verdict: sale.Failed, Reason: "sqlstate_" + said.Code}
	}
	return sale.Answer{Verdict: sale.Failed, Reason: "connection"}
}

// unsure is the answer when a commit was sent: only a server that goes on and says no has not committed.
func unsure(err error) sale.Answer {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if ok && said.SeverityUnlocalized == "ERROR" || errors.Is(err, pgx.ErrTxCommitRollback) || pgconn.SafeToRetry(err) {
		return failed(err)
	}
	return sale.Answer{Verdict: sale.Unknown, Reason: "connection"}
}

// Resolve implements sale.Target: a fence takes the key, if nobody has, and waits for whoever is about to.
func (t *Target) Resolve(ctx context.Context, o sale.Order) (sale.Answer, error) {
	if _, err := t.pool.Exec(ctx, fence, o.SKU, o.Key); err != nil {
		return sale.Answer{}, fmt.Errorf("resolve %s: %w", o.Key, err)
	}
	var same, fenced bool
	if err := t.pool.QueryRow(ctx, known, o.SKU, o.Key, o.User, o.Qty).Scan(&same, &fenced); err != nil {
		return sale.Answer{}, fmt.Errorf("resolve %s: %w", o.Key, err)
	}
	switch {
	case fenced:
		return sale.Answer{Verdict: sale.Failed, Reason: "fenced"}, nil
	case same:
		return sale.Answer{Verdict: sale.Accepted, ID: o.Key}, nil
	}
	return sale.Answer{Verdict: sale.Failed, Reason: "idempotency_key_reused"}, nil
}
