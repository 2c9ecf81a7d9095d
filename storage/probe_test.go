package storage

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/storage/pgtest"
)

// A probe sees what a flusher would meet, and leaves nothing behind.
func TestProbeSink(t *testing.T) {
	server := pgtest.Shared(t)
	name, admin := server.Schema(t)
	r, err := ProbeSink(t.Context(), admin, "")
	if err != nil || r.SchemaVersion != 0 || r.Schema != name || len(r.Missing) > 0 || r.ReadOnly || r.OtherCluster != "" {
		t.Fatalf("an empty schema: %+v, %v", r, err)
	}
	if r.RoundTrip <= 0 || r.Server == "" || r.Role == "" || r.SynchronousCommit == "" || r.Fsync == "" || r.FullPageWrites == "" || r.Free < 1 {
		t.Errorf("%+v", r)
	}
	if rows := pgtest.Rows(t, admin, "select relname::text from pg_class where relnamespace = current_schema()::regnamespace"); len(rows) > 0 {
		t.Errorf("it made %v", rows)
	}
	cfg := config(admin, newModel(6, 1))
	mustClose(t, mustOpen(t, cfg))
	r, err = ProbeSink(t.Context(), admin, cfg.ClusterID)
	if err != nil || r.SchemaVersion != postgresSchema || r.OtherCluster != "" || len(r.Missing) > 0 {
		t.Errorf("its own tables: %+v, %v", r, err)
	}
	if r, err = ProbeSink(t.Context(), admin, "another"); err != nil || r.OtherCluster != cfg.ClusterID {
		t.Errorf("another cluster's tables: %+v, %v", r, err)
	}
	run(t, admin, "insert into holdfast_schema (version) values (99)")
	if _, err = ProbeSink(t.Context(), admin, cfg.ClusterID); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("a newer build's: %v", err)
	}
	run(t, admin, "drop table holdfast_schema")
	if _, err = ProbeSink(t.Context(), admin, cfg.ClusterID); !errors.Is(err, ErrForeignFile) {
		t.Errorf("another program's: %v", err)
	}
}

// What a role lacks is named as the grant that gives it, until a flusher can work.
func TestProbeNamesMissingGrants(t *testing.T) {
	server := pgtest.Shared(t)
	name, admin := server.Schema(t)
	cfg := config(admin, newModel(6, 1))
	mustClose(t, mustOpen(t, cfg))
	run(t, admin, "create role probed login password 'probed-pw' connection limit 10")
	sink := pgtest.At(server.Addr(), "probed", "probed-pw", "postgres", "search_path", name, "synchronous_commit", "off")
	if _, err := ProbeSink(t.Context(), sink, cfg.ClusterID); err == nil || !strings.Contains(err.Error(), "usage") {
		t.Errorf("no usage: %v", err)
	}
	run(t, admin, "grant usage on schema "+name+" to probed")
	for range 3 { // sessions of somebody else's, of which this role may not see what they are
		pgtest.Connect(t, admin)
	}
	most := pgtest.Rows(t, admin, "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int")[0][0].(int32)
	if r, err := ProbeSink(t.Context(), sink, cfg.ClusterID); err != nil || r.Free > int(most)-4 {
		t.Errorf("%d of %d connections left, with three open beside the probe's: %v", r.Free, most, err)
	}
	run(t, admin, "alter database postgres connection limit 50")
	if r, err := ProbeSink(t.Context(), sink, cfg.ClusterID); err != nil || r.UnderDatabaseLimit < 0 || r.UnderDatabaseLimit > 46 {
		t.Errorf("%d connections left of 50 with four open: %v", r.UnderDatabaseLimit, err)
	}
	run(t, admin, "alter database postgres connection limit -1")
	var granted []string
	for range 20 {
		r, err := ProbeSink(t.Context(), sink, cfg.ClusterID)
		// The sessions of the probes before may not be quite gone.
		if err != nil || r.UnderLimit > 9 || r.UnderLimit < 1 || r.SynchronousCommit != "off" {
			t.Fatalf("%+v, %v", r, err)
		}
		if len(r.Missing) == 0 {
			break
		}
		granted = append(granted, r.Missing...)
		run(t, admin, r.Missing...)
	}
	if len(granted) != 10 || !slices.Contains(granted, `grant update on "`+name+`".cursor to "probed"`) {
		t.Errorf("%q", granted)
	}
	m := newModel(6, 1)
	m.change(10)
	run(t, admin, "delete from orders", "delete from skus", "delete from cursor")
	mustClose(t, mustOpen(t, config(sink, m)))
	requireSame(t, admin, m)
	run(t, admin, "drop owned by probed", "drop role probed")
}

func TestProbeErrorsHoldNoSecret(t *testing.T) {
	for _, sink := range []string{"postgres://seller:s3cret@127.0.0.1:1/shop", "postgres://seller:s3cret@127.0.0.1:1/shop?connect_timeout=s3cret", "postgres://a:s3cret#@b/c"} {
		if _, err := ProbeSink(t.Context(), sink, ""); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}
