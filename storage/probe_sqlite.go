package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ProbeSQLite looks at the file of a SQLite sink and changes nothing beside it either; inUse says that a node has it open. Of the report it fills in
// Where, SchemaVersion (0: the file is empty), OtherCluster and Unread. The error is Open's, or fs.ErrNotExist.
func ProbeSQLite(ctx context.Context, path, clusterID string, inUse bool) (r SinkReport, err error) {
	r.Where = path
	if _, err := os.Stat(path); err != nil {
		return r, fmt.Errorf("storage: look at %s: %w", path, err)
	}
	// Without a node there may be nobody who made the file's shared memory, and to make it would be a change: the file is read as it lies there.
	mode := "ro"
	if !inUse {
		mode = immutable
		if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
			r.Unread = true
		}
	}
	db, abs, err := openSQLite(path, mode, auditBusy)
	if err != nil {
		return r, err
	}
	a := &Audit{db: db}
	if err := a.probe(ctx, clusterID, &r); err != nil {
		return r, errors.Join(fmt.Errorf("storage: look at %s: %w", abs, classify(err)), a.Close())
	}
	return r, a.Close()
}

func (a *Audit) probe(ctx context.Context, clusterID string, r *SinkReport) (err error) {
	if a.conn, err = a.db.Conn(ctx); err != nil {
		return err
	}
	if empty, err := a.inspectSQLite(ctx); err != nil || empty {
		return err
	}
	if err := a.conn.QueryRowContext(ctx, "pragma user_version").Scan(&r.SchemaVersion); err != nil {
		return err
	}
	const other = "select coalesce((select cluster_id from cursor where cluster_id <> ? limit 1), '')"
	return a.conn.QueryRowContext(ctx, other, clusterID).Scan(&r.OtherCluster)
}
