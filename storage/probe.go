package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SinkReport is what ProbeSink found out about a PostgreSQL database, or ProbeSQLite about a file.
type SinkReport struct {
	// Where names the database, Server its version, Role and Schema what the flusher works as and in.
	Where, Server, Role, Schema string
	// SchemaVersion is that of the tables, 0 while they are yet to be made. OtherCluster is a cluster, not the one asked for, that wrote them; "":
	// none.
	SchemaVersion int
	OtherCluster  string
	// Unread: beside the SQLite file lies a log of its own that only a node's start takes in, so the file is not all there is.
	Unread bool
	// Missing are the grants that the role lacks.
	Missing []string
	// ReadOnly: the server is a standby, or told to take no writes.
	ReadOnly bool
	// SynchronousCommit is the session's, Fsync and FullPageWrites the server's setting.
	SynchronousCommit, Fsync, FullPageWrites string
	// RoundTrip is the least time of a few statements that do nothing.
	RoundTrip time.Duration
	// Free is how many connections the server has left for a role that is no superuser, UnderLimit how many this role has, and UnderDatabaseLimit how
	// many the database; -1: no limit.
	Free, UnderLimit, UnderDatabaseLimit int
}

// roundTrips is how many statements RoundTrip is the least of.
const roundTrips = 5

// ProbeSink looks at the database of a postgres:// URL in a transaction that only reads, and says what a flusher of the cluster would meet there; an
// empty clusterID stands for a cluster that is yet to be created. The error is Open's: it cannot be reached, ErrForeignFile, ErrNewerSchema.
func ProbeSink(ctx context.Context, sink, clusterID string) (r SinkReport, err error) {
	cfg, err := parsePostgres(sink)
	if err != nil {
		return r, err
	}
	cfg.RuntimeParams["application_name"] = "holdfast doctor"
	line := newLine(cfg.DialFunc)
	cfg.DialFunc = line.dial
	defer line.close()
	r.Where = whereOf(cfg)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return r, fmt.Errorf("storage: connect to %s: %w", r.Where, oneLine(err))
	}
	p := &sinkProbe{conn: conn, report: &r, clusterID: clusterID}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return errors.Join(p.server(ctx, tx), p.tables(ctx, tx), p.roundTrip(ctx, tx))
	})
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	if err != nil {
		return r, fmt.Errorf("storage: look at %s: %w", r.Where, oneLine(err))
	}
	return r, nil
}

type sinkProbe struct {
	conn      *pgx.Conn
	report    *SinkReport
	clusterID string
}

// server reads what does not depend on our tables. Sessions are counted by database: of those of others a role may not see in pg_stat_activity that
// they are any.
func (p *sinkProbe) server(ctx context.Context, tx pgx.Tx) error {
	r := p.report
	const query = "select current_setting('server_version'), current_user, coalesce(current_schema(), ''), pg_is_in_recovery() or " +
		"current_setting('default_transaction_read_only') = 'on', current_setting('synchronous_commit'), current_setting('fsync'), " +
		"current_setting('full_page_writes'), current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - " +
		"coalesce(current_setting('reserved_connections', true)::int, 0) - " +
		"(select coalesce(sum(numbackends), 0)::int from pg_stat_database), (select case when rolconnlimit < 0 then -1 else " +
		"greatest(0, rolconnlimit - (select count(*)::int from pg_stat_activity where usename = current_user)) end from pg_roles where rolname = current_user), " +
		"(select case when d.datconnlimit < 0 then -1 else greatest(0, d.datconnlimit - s.numbackends) end " +
		"from pg_database d join pg_stat_database s on s.datid = d.oid where d.datname = current_database())"
	return tx.QueryRow(ctx, query).Scan(
		&r.Server, &r.Role, &r.Schema, &r.ReadOnly, &r.SynchronousCommit, &r.Fsync, &r.FullPageWrites, &r.Free, &r.UnderLimit, &r.UnderDatabaseLimit)
}

// tables judges the schema as a session does, and asks for the privileges that one needs.
func (p *sinkProbe) tables(ctx context.Context, tx pgx.Tx) error {
	r := p.report
	if r.Schema == "" {
		return errors.New("no schema of the search_path exists, or the role has no usage of it")
	}
	sql := newPostgresSQL(r.Schema)
	var marks, tables int
	if err := tx.QueryRow(ctx, sql.objects, r.Schema).Scan(&marks, &tables); err != nil {
		return err
	}
	schema := pgx.Identifier{r.Schema}.Sanitize()
	if err := p.want(ctx, tx, "temporary on database "+p.database(), "has_database_privilege(current_database(), 'temporary')"); err != nil {
		return err
	}
	if marks == 0 {
		if _, err := judgePostgres(r.Schema, 0, marks, tables); err != nil {
			return err
		}
		return p.want(ctx, tx, "create on schema "+schema, "has_schema_privilege($1::text, 'create')", r.Schema)
	}
	mark := schema + "." + markTable
	if err := p.want(ctx, tx, "select on "+mark, "has_table_privilege($1::text, 'select')", mark); err != nil || len(r.Missing) > 0 {
		return err
	}
	if err := tx.QueryRow(ctx, sql.schemaVersion).Scan(&r.SchemaVersion); err != nil {
		return err
	}
	if _, err := judgePostgres(r.Schema, r.SchemaVersion, marks, tables); err != nil {
		return err
	}
	return p.rows(ctx, tx, sql, schema)
}

func (p *sinkProbe) rows(ctx context.Context, tx pgx.Tx, sql *postgresSQL, schema string) error {
	for _, name := range []string{orderTable.name, skuTable.name, cursorTable.name} {
		for _, privilege := range []string{"select", "insert", "update"} {
			table := schema + "." + name
			if err := p.want(ctx, tx, privilege+" on "+table, "has_table_privilege($1::text, $2::text)", table, privilege); err != nil {
				return err
			}
		}
	}
	if len(p.report.Missing) > 0 {
		return nil
	}
	err := tx.QueryRow(ctx, sql.otherCluster, p.clusterID).Scan(&p.report.OtherCluster)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// want notes a grant that the role lacks.
func (p *sinkProbe) want(ctx context.Context, tx pgx.Tx, grant, condition string, args ...any) error {
	var has bool
	if err := tx.QueryRow(ctx, "select "+condition, args...).Scan(&has); err != nil {
		return err
	}
	if !has {
		p.report.Missing = append(p.report.Missing, "grant "+grant+" to "+pgx.Identifier{p.report.Role}.Sanitize())
	}
	return nil
}

func (p *sinkProbe) roundTrip(ctx context.Context, tx pgx.Tx) error {
	for i := range roundTrips {
		begin := time.Now()
		if _, err := tx.Exec(ctx, "select 1"); err != nil {
			return err
		}
		if took := time.Since(begin); i == 0 || took < p.report.RoundTrip {
			p.report.RoundTrip = took
		}
	}
	return nil
}

func (p *sinkProbe) database() string { return pgx.Identifier{p.conn.Config().Database}.Sanitize() }
