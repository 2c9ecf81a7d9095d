package storage

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// markTable says that the schema is ours and how its tables look: one row for each version it has had.
const markTable = "holdfast_schema"

// postgresSQL are a session's statements. They name the schema, so that no table of another one on the search path can come between.
type postgresSQL struct {
	objects, schemaVersion             string
	create, staging                    []string
	otherCluster, newCursor, newEpoch  string
	adoptCursors, heirCursors          string
	adoptRows                          []string
	readCursor, takeCursor, moveCursor string
	upsertOrders, upsertSKUs           string
	lostOrders, lostSKUs, markSKUs     string
}

func newPostgresSQL(schema string) *postgresSQL {
	in := pgx.Identifier{schema}.Sanitize() + "."
	mark, orders, skus, cursor := in+markTable, in+orderTable.name, in+skuTable.name, in+cursorTable.name
	return &postgresSQL{
		objects: fmt.Sprintf("select count(*) filter (where relname = '%s'), count(*) filter (where relname in ('%s', '%s', '%s')) from pg_class "+
			"where relnamespace = (select oid from pg_namespace where nspname = $1)", markTable, orderTable.name, skuTable.name, cursorTable.name),
		schemaVersion: "select coalesce(max(version), 0)::bigint from " + mark,
		create: []string{
			orderTable.createIn(in), skuTable.createIn(in), cursorTable.createIn(in),
			"create table " + mark + " (version bigint primary key)",
			fmt.Sprintf("insert into %s (version) values (%d)", mark, postgresSchema),
		},
		staging:      []string{orderTable.createStaging(in), skuTable.createStaging(in)},
		otherCluster: "select cluster_id from " + cursor + " where cluster_id <> $1 limit 1",
		newCursor:    "insert into " + cursor + " (shard, log_index, term, cluster_id) values ($1, $2, 0, $3) on conflict do nothing",
		newEpoch:     "update " + cursor + " set term = 0 where shard = $2 and log_index < $1",
		adoptCursors: "update " + cursor + " set cluster_id = $1, log_index = $2, term = 0",
		heirCursors:  "update " + cursor + " set cluster_id = $1 where cluster_id = $2",
		adoptRows:    []string{"update " + orders + " set version = 0", "update " + skus + " set version = 0"},
		readCursor:   "select log_index from " + cursor + " where shard = $1 and cluster_id = $2",
		takeCursor:   "update " + cursor + " set term = $1 where shard = $2 and term <= $1 and cluster_id = $3 returning log_index",
		moveCursor:   "update " + cursor + " set log_index = $1 where shard = $2",
		upsertOrders: orderTable.upsertFromStaging(in),
		upsertSKUs:   skuTable.upsertFromStaging(in),
		lostOrders:   markLostOrders(orders, "strpos", "$1", "$2", "= any($3::bigint[])"),
		lostSKUs:     fmt.Sprintf(lostSKUs, skus, "$1", int64(indexMask), "$2"),
		markSKUs:     fmt.Sprintf("update %s set mode = '%s' where sku = any($1::text[])", skus, lostInRestore),
	}
}

// createIn returns the statement that makes the table in a schema. The types are SQLite's, an integer being 64 bits wide there.
func (t *table) createIn(in string) string {
	parts := make([]string, len(t.columns))
	for i, c := range t.columns {
		parts[i] = c.name + " " + strings.Replace(c.kind, "integer", "bigint", 1)
	}
	parts[0] += " primary key"
	return "create table " + in + t.name + " (" + strings.Join(parts, ", ") + ")"
}

// stagingName names the session's own table of rows on their way. It is emptied at each commit.
func (t *table) stagingName() pgx.Identifier { return pgx.Identifier{"pg_temp", "holdfast_" + t.name} }

func (t *table) createStaging(in string) string {
	return "create temporary table holdfast_" + t.name + " (like " + in + t.name + ") on commit delete rows"
}

// upsertFromStaging returns the statement that writes the staged rows, in the order of their keys, unless the table has them in the same or a
// later version.
func (t *table) upsertFromStaging(in string) string {
	names, key := t.names(), t.columns[0].name
	sets := make([]string, 0, len(names))
	for _, name := range names[1:] {
		sets = append(sets, name+" = excluded."+name)
	}
	list := strings.Join(names, ", ")
	return "insert into " + in + t.name + " as kept (" + list + ") select distinct on (" + key + ") " + list + " from " + t.stagingName().Sanitize() +
		" order by " + key + ", version desc on conflict (" + key + ") do update set " + strings.Join(sets, ", ") +
		" where excluded.version > kept.version"
}

func (t *table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}
