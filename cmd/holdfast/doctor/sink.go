package doctor

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"holdfast/node"
	"holdfast/storage"
)

const (
	// sinkTime bounds the visit to the database.
	sinkTime = 5 * time.Second
	// farAway is a round trip that keeps a flusher from keeping up: a batch takes several.
	farAway = 50 * time.Millisecond
)

func gatherSink(ctx context.Context, c *node.Config, contents *contents) (s sink) {
	clusterID := contents.identity.ClusterID
	ctx, cancel := context.WithTimeout(ctx, sinkTime)
	defer cancel()
	switch {
	case c.Sink == "sqlite":
		s.sqlite = true
		s.report, s.err = storage.ProbeSQLite(ctx, filepath.Join(c.DataDir, "orders.db"), clusterID, contents.holder != 0)
		return s
	case !storage.SharedSink(c.Sink):
		return s
	}
	s.postgres = true
	s.report, s.err = storage.ProbeSink(ctx, c.Sink, clusterID)
	return s
}

func judgeSink(c *node.Config, f *facts) []Check {
	const name = "sink"
	if f.sink.sqlite {
		return []Check{judgeSQLite(c, f)}
	}
	if !f.sink.postgres {
		return []Check{pass(name, "%s", c.Sink)}
	}
	r := &f.sink.report
	switch err := f.sink.err; {
	case errors.Is(err, storage.ErrNewerSchema):
		return []Check{fail(name, "a newer build", "%v", err)}
	case errors.Is(err, storage.ErrForeignFile):
		return []Check{fail(name, "?search_path=SCHEMA with another schema in the URL of --sink", "%v", err)}
	case err != nil && r.Role != "" && r.Schema == "":
		return []Check{fail(name, "create schema NAME authorization "+r.Role+"; ?search_path=NAME in the URL of --sink", "%v", err)}
	case err != nil:
		return []Check{fail(name, "psql '"+forPsql(storage.RedactSink(c.Sink))+"' -c 'select 1', as the node's user", "%v: orders are taken all the same, and wait in memory", err)}
	case r.ReadOnly:
		return []Check{fail(name, "the primary's address in --sink; ?target_session_attrs=read-write finds it among several", "%s takes no writes", r.Where)}
	case len(r.Missing) > 0:
		return []Check{fail(name, strings.Join(r.Missing, "; "), "role %s lacks privileges in %s", r.Role, r.Where)}
	case r.OtherCluster != "" && !c.AdoptSink:
		return []Check{fail(name, "--adopt-sink; or ?search_path=SCHEMA with another schema", "%s was written by cluster %s", r.Where, r.OtherCluster)}
	}
	tables := "tables to be made"
	if r.SchemaVersion > 0 {
		tables = "tables of version " + grouped(r.SchemaVersion)
	}
	checks := []Check{pass(name, "%s, PostgreSQL %s, role %s, schema %s, %s", r.Where, r.Server, r.Role, r.Schema, tables)}
	return append(checks, judgeDatabase(c, r)...)
}

// judgeSQLite says what a start would make of orders.db.
func judgeSQLite(c *node.Config, f *facts) Check {
	const name, back = "sink", "a copy of orders.db; or mv orders.db orders.db.old, and the next start fills a new one with what is in memory"
	r, err := &f.sink.report, f.sink.err
	served := f.contents.identity.ClusterID != ""
	switch {
	case errors.Is(err, fs.ErrNotExist) && !served:
		return pass(name, "sqlite, orders.db is yet to be made")
	case errors.Is(err, fs.ErrNotExist) || err == nil && r.SchemaVersion == 0 && served && !r.Unread:
		return warn(name, "a copy of orders.db, unless the node never got ready or had another --sink", "sqlite, orders.db is gone or empty: it is filled with "+
			"what is in memory, and orders that had left memory will be missing")
	case errors.Is(err, storage.ErrNewerSchema):
		return fail(name, "a newer build", "%v", err)
	case errors.Is(err, storage.ErrForeignFile):
		return fail(name, back, "%v", err)
	case errors.Is(err, fs.ErrPermission):
		return warn(name, "run doctor as the node's user", "%v", err)
	case err != nil:
		return fail(name, back, "%v: orders are taken all the same, and wait in memory", err)
	case r.OtherCluster != "" && !c.AdoptSink:
		return fail(name, "the orders.db of this directory; or --adopt-sink", "%s was written by cluster %s", r.Where, r.OtherCluster)
	case r.SchemaVersion == 0:
		return warn(name, "start the node: it takes orders.db-wal in", "sqlite, cannot tell: orders.db-wal was left behind and holds what orders.db lacks")
	}
	return pass(name, "sqlite, tables of version %d", r.SchemaVersion)
}

// forPsql drops the parameters of a sink's URL that psql does not take there, such as search_path.
func forPsql(sink string) string {
	base, query, _ := strings.Cut(sink, "?")
	var taken []string
	for part := range strings.SplitSeq(query, "&") {
		switch key, _, _ := strings.Cut(part, "="); key {
		case "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "target_session_attrs", "host", "port", "user", "dbname":
			taken = append(taken, part)
		}
	}
	if len(taken) > 0 {
		base += "?" + strings.Join(taken, "&")
	}
	return base
}

func judgeDatabase(c *node.Config, r *storage.SinkReport) (checks []Check) {
	const durable, connections = "sink durability", "sink connections"
	switch {
	case r.Fsync != "on":
		checks = append(checks, warn(durable, "alter system set fsync = on; select pg_reload_conf()", "fsync is %s: a power cut damages the database", r.Fsync))
	case r.FullPageWrites != "on":
		const fix = "alter system set full_page_writes = on; select pg_reload_conf()"
		checks = append(checks, warn(durable, fix, "full_page_writes is %s: a power cut may damage the database", r.FullPageWrites))
	case r.SynchronousCommit == "off":
		const what = "synchronous_commit is off: the node's own sessions use local instead, those of others may lose what they were told is committed"
		checks = append(checks, warn(durable, "alter role "+r.Role+" set synchronous_commit = on", what))
	default:
		checks = append(checks, pass(durable, "fsync on, synchronous_commit %s", r.SynchronousCommit))
	}
	switch {
	case r.UnderLimit >= 0 && r.UnderLimit < c.Shards:
		checks = append(checks, warn(connections, "alter role "+r.Role+" connection limit -1", "%d left for role %s, and each of %d shards needs one", r.UnderLimit, r.Role, c.Shards))
	case r.UnderDatabaseLimit >= 0 && r.UnderDatabaseLimit < c.Shards:
		const fix = "alter database ... connection limit -1"
		checks = append(checks, warn(connections, fix, "%d left for the database of %s, and each of %d shards needs one", r.UnderDatabaseLimit, r.Where, c.Shards))
	case r.Free < c.Shards:
		checks = append(checks, warn(connections, "alter system set max_connections = 200, and restart it", "%d left, and each of %d shards needs one", r.Free, c.Shards))
	default:
		checks = append(checks, pass(connections, "%d left", r.Free))
	}
	if r.RoundTrip > farAway {
		return append(checks, warn("sink latency", "a database nearer to the node", "a round trip takes %v: storage falls behind", rounded(r.RoundTrip)))
	}
	return append(checks, pass("sink latency", "a round trip takes %v", rounded(r.RoundTrip)))
}
