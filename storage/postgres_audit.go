package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgresAudit begins an audit of a database. Its role needs to read our tables and nothing else.
func openPostgresAudit(ctx context.Context, sink string) (*Audit, error) {
	cfg, err := parsePostgres(sink)
	if err != nil {
		return nil, err
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = auditBusy
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxIdleConns(-1)
	a := &Audit{db: db}
	if err := a.begin(ctx, "begin isolation level repeatable read read only", a.inspectPostgres); err != nil {
		return nil, errors.Join(fmt.Errorf("storage: read %s: %w", whereOf(cfg), oneLine(err)), a.Close())
	}
	return a, nil
}

func (a *Audit) inspectPostgres(ctx context.Context) (empty bool, err error) {
	var schema sql.NullString
	if err := a.conn.QueryRowContext(ctx, "select current_schema()").Scan(&schema); err != nil {
		return false, err
	}
	if !schema.Valid {
		return true, nil
	}
	statements := newPostgresSQL(schema.String)
	var marks, tables, known int
	if err := a.conn.QueryRowContext(ctx, statements.objects, schema.String).Scan(&marks, &tables); err != nil {
		return false, err
	}
	if marks == 0 {
		return judgePostgres(schema.String, 0, marks, tables)
	}
	if err := a.conn.QueryRowContext(ctx, statements.schemaVersion).Scan(&known); err != nil {
		return false, err
	}
	if empty, err := judgePostgres(schema.String, known, marks, tables); err != nil || empty {
		return empty, err
	}
	// Our tables are these, and not those of another schema on the search path.
	_, err = a.conn.ExecContext(ctx, "set local search_path to "+pgx.Identifier{schema.String}.Sanitize())
	return false, err
}
