package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/stock"
	"holdfast/storage/pgtest"
)

// The tables are an interface: other programs query them.
func TestPostgresSchema(t *testing.T) {
	name, sink := pgtest.Shared(t).Schema(t)
	m := newModel(21, 1)
	mustClose(t, mustOpen(t, config(sink, m)))
	for table, want := range map[string]string{
		"orders": "id:text! sku:text! user_id:text! qty:bigint! returned_qty:bigint! state:text! mode:text! idem_key:text! client_ref:text " +
			"payment_id:text held_at:bigint confirmed_at:bigint cancelled_at:bigint expired_at:bigint returned_at:bigint expires_at:bigint version:bigint!",
		"skus": "sku:text! stock:bigint! available:bigint! held:bigint! sold:bigint! mode:text! hold_ttl_ms:bigint! limit_per_user:bigint! " +
			"max_qty:bigint! opens_at:bigint closes_at:bigint frozen:bigint! hot:bigint! version:bigint!",
		"cursor":          "shard:bigint! log_index:bigint! term:bigint! cluster_id:text!",
		"holdfast_schema": "version:bigint!",
	} {
		columns := dump(t, sink, "", fmt.Sprintf("select column_name || ':' || data_type || case is_nullable when 'NO' then '!' else '' end "+
			"from information_schema.columns where table_schema = '%s' and table_name = '%s' order by ordinal_position", name, table))
		if have := strings.NewReplacer("[", "", "]", "").Replace(strings.Join(columns, " ")); have != want {
			t.Errorf("%s has columns %q, want %q", table, have, want)
		}
		key := dump(t, sink, "", fmt.Sprintf("select attname::text from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey) "+
			"where indisprimary and indrelid = '%s.%s'::regclass", name, table))
		if first, _, _ := strings.Cut(want, ":"); !slices.Equal(key, []string{"[" + first + "]"}) {
			t.Errorf("%s has primary key %v, want %s", table, key, first)
		}
	}
	if have := dump(t, sink, "", "select version from holdfast_schema"); !slices.Equal(have, []string{"[1]"}) {
		t.Errorf("schema version is %v", have)
	}
	if have := dump(t, sink, "", "select shard, log_index, cluster_id from cursor"); !slices.Equal(have, []string{"[1 3 cluster-a]"}) {
		t.Errorf("cursor is %v", have)
	}
}

func TestForeignSchemasAreLeftAlone(t *testing.T) {
	for _, tc := range []struct {
		name string
		make []string
		want error
	}{
		{"another program's table", []string{"create table orders (id text)", "insert into orders values ('theirs')"}, ErrForeignFile},
		{"another program's view", []string{"create view skus as select 1 as sku"}, ErrForeignFile},
		{"another mark", []string{"create table holdfast_schema (motto text)"}, ErrForeignFile},
		{"our mark without a version", []string{"create table holdfast_schema (version bigint)"}, ErrForeignFile},
		{"our mark without tables", []string{"create table holdfast_schema (version bigint)", "insert into holdfast_schema values (1)"}, ErrForeignFile},
		{"newer schema", []string{"create table holdfast_schema (version bigint)", "insert into holdfast_schema values (1), (2)"}, ErrNewerSchema},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name, sink := pgtest.Shared(t).Schema(t)
			run(t, sink, tc.make...)
			list := "select relname::text, relkind::text, relfilenode::bigint from pg_class where relnamespace = '" + name + "'::regnamespace order by 1"
			before := dump(t, sink, "", list)
			if _, err := Open(config(sink, newModel(2, 1))); !errors.Is(err, tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("open: %v, want %v on one line", err, tc.want)
			}
			if after := dump(t, sink, "", list); !slices.Equal(before, after) {
				t.Errorf("the schema was changed from %v to %v", before, after)
			}
			if _, err := ReadOrders(t.Context(), sink); !errors.Is(err, tc.want) && !errors.Is(err, ErrSinkGone) {
				t.Errorf("audit: %v, want %v", err, tc.want)
			}
		})
	}
}

// What else is in the schema is none of our business.
func TestOtherTablesMayBeThere(t *testing.T) {
	sink, m := schemaURL(t), newModel(3, 1)
	run(t, sink, "create table customers (id text)")
	m.change(50)
	mustClose(t, mustOpen(t, config(sink, m)))
	requireSame(t, sink, m)
}

// A name on the search path behind ours, or in a session's temporary schema, is not taken for our table.
func TestOnlyTheFirstSchemaOfThePathIsWritten(t *testing.T) {
	server := pgtest.Shared(t)
	other, theirs := server.Schema(t)
	name, ours := server.Schema(t)
	run(t, theirs, "create table orders (id text)")
	m := newModel(4, 1)
	m.change(50)
	both := server.URL("postgres", "search_path", name+", "+other)
	mustClose(t, mustOpen(t, config(both, m)))
	requireSame(t, ours, m)
	if rows, err := ReadOrders(t.Context(), both); err != nil || len(rows) != len(m.orders) {
		t.Errorf("audit: %d orders, %v", len(rows), err)
	}
}

func TestAnEncodingThatCannotHoldNamesIsRefused(t *testing.T) {
	server := pgtest.Shared(t)
	run(t, server.URL("postgres"), "create database latin encoding 'LATIN1' template template0")
	f := mustOpen(t, config(server.URL("latin"), newModel(5, 1)))
	defer abandon(f)
	eventually(t, 5*time.Second, "reported", func() bool { return f.Status()[0].Err != nil })
	if err := f.Status()[0].Err; !strings.Contains(err.Error(), "UTF8") {
		t.Errorf("status: %v", err)
	}
}

// leastPrivileges are the grants of docs/storage.md for a role that does not own the tables.
func leastPrivileges(schema, role string) []string {
	return []string{
		"grant usage on schema " + schema + " to " + role,
		"grant select, insert, update on " + schema + ".orders, " + schema + ".skus, " + schema + ".cursor to " + role,
		"grant select on " + schema + ".holdfast_schema to " + role,
	}
}

// A role that owns nothing waits for its grants, says what is missing, and then needs no more than these.
func TestLeastPrivileges(t *testing.T) {
	server := pgtest.Shared(t)
	name, admin := server.Schema(t)
	mustClose(t, mustOpen(t, config(admin, newModel(6, 1))))
	run(t, admin, "delete from orders", "delete from skus", "delete from cursor", "create role flusher login password 'flusher-pw'")
	m := newModel(6, 1)
	m.change(100)
	f := mustOpen(t, config(pgtest.At(server.Addr(), "flusher", "flusher-pw", "postgres", "search_path", name), m))
	for _, grant := range leastPrivileges(name, "flusher") {
		eventually(t, 10*time.Second, "what is missing is reported", func() bool { return f.Status()[0].Err != nil })
		run(t, admin, grant)
	}
	eventually(t, 10*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	m.change(100)
	mustClose(t, f)
	requireSame(t, admin, m)
	run(t, admin, "drop owned by flusher", "drop role flusher")
}

// A role that may create in its schema needs nobody else.
func TestARoleWithASchemaOfItsOwn(t *testing.T) {
	server := pgtest.Shared(t)
	run(t, server.URL("postgres"), "create role seller login password 'p/w?#@'", "create schema authorization seller")
	m := newModel(7, 1)
	m.change(100)
	sink := pgtest.At(server.Addr(), "seller", "p/w?#@", "postgres") // "$user" is on the search path of every server
	mustClose(t, mustOpen(t, config(sink, m)))
	requireSame(t, sink, m)
	requireAudit(t, sink, m)
}

func TestPasswordsAreNeverShown(t *testing.T) {
	server := pgtest.Shared(t)
	closed := pgtest.At("127.0.0.1:1", "postgres", pgtest.Password, "postgres")
	for name, sink := range map[string]string{
		"no server":       closed,
		"no database":     server.URL("nowhere"),
		"no schema":       server.URL("postgres", "search_path", "nowhere"),
		"wrong password":  strings.Replace(server.URL("postgres"), pgtest.Password, pgtest.Password+"x", 1),
		"wrong in params": pgtest.At(server.Addr(), "postgres", "", "postgres", "password", pgtest.Password+"x"),
		"no parameter":    server.URL("postgres", "motto", pgtest.Password),
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			registry := prometheus.NewRegistry()
			c := config(sink, newModel(8, 1))
			c.Registerer, c.Logger = registry, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			f := mustOpen(t, c)
			defer abandon(f)
			eventually(t, 5*time.Second, "reported", func() bool { return f.Status()[0].Err != nil })
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			_, audit := ReadOrders(t.Context(), sink)
			shown := fmt.Sprintf("%+v\n%v\n%v\n%s", f.Status(), families, audit, log.String())
			if strings.Contains(shown, "never-shown") || !strings.Contains(shown, "127.0.0.1") || audit == nil {
				t.Errorf("shown:\n%s", shown)
			}
		})
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestDroppedTablesAreNoticedAndRefilled(t *testing.T) {
	for _, idle := range []bool{true, false} {
		t.Run(fmt.Sprintf("idle=%t", idle), func(t *testing.T) {
			server := pgtest.Shared(t)
			name, sink := server.Schema(t)
			m := newModel(11, 1)
			f := mustOpen(t, config(sink, m))
			m.change(50)
			eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
			run(t, sink, "drop schema "+name+" cascade")
			if !idle {
				m.change(50)
			}
			eventually(t, 5*time.Second, "noticed", func() bool { return f.Status()[0].Err != nil })
			m.change(50)
			run(t, sink, "create schema "+name)
			eventually(t, 5*time.Second, "refilled", func() bool { return f.Status()[0].Err == nil && f.Status()[0].Index == m.at() })
			requireSame(t, sink, m)
			mustClose(t, f)
		})
	}
}

// A database that somebody put back to an earlier state is noticed while nothing is written, and gets what it lacks.
func TestAnEarlierStateIsNoticedAndMended(t *testing.T) {
	sink, m := schemaURL(t), newModel(12, 1)
	f := mustOpen(t, config(sink, m))
	m.change(50)
	eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	run(t, sink, "begin", "delete from orders where version > 30", "delete from skus where version > 30", "update cursor set log_index = 30", "commit")
	eventually(t, 5*time.Second, "mended", func() bool { return len(stored(t, sink)) == len(rows(m)) })
	requireSame(t, sink, m)
	mustClose(t, f)
}

// A lock that another program keeps holds up the flush of what it locks, and nothing else.
func TestALockedTableBlocksOnlyTheFlush(t *testing.T) {
	for _, table := range []string{"orders", "skus", "cursor", "holdfast_schema"} {
		t.Run(table, func(t *testing.T) {
			sink, m := schemaURL(t), newModel(10, 1)
			f := mustOpen(t, config(sink, m))
			m.change(50)
			eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
			locker := pgtest.Connect(t, sink)
			for _, statement := range []string{"begin", "lock table " + table + " in access exclusive mode"} {
				if _, err := locker.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			if table == "holdfast_schema" { // read at connect only
				cutAll(t, sink)
			}
			m.change(50)
			eventually(t, 5*time.Second, "the lock is reported", func() bool {
				s := f.Status()[0]
				return s.Err != nil && strings.Contains(s.Err.Error(), "lock timeout") && s.LagOrders > 0 && s.LagMS > 0
			})
			if _, err := locker.Exec(t.Context(), "rollback"); err != nil {
				t.Fatal(err)
			}
			eventually(t, 5*time.Second, "flushed again", func() bool { return m.lastFlushed() == m.at() && f.Status()[0].Err == nil })
			requireSame(t, sink, m)
			mustClose(t, f)
		})
	}
}

// cutAll ends all of our connections to the server.
func cutAll(t *testing.T, sink string) {
	run(t, sink, "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'holdfast shard %'")
}

// What a source is told to be flushed must survive the server's crash; how many servers must have it is the server's to say.
func TestPostgresCommitsAreSynced(t *testing.T) {
	for set, want := range map[string]string{"off": "local", "local": "local", "on": "on", "remote_apply": "remote_apply"} {
		s, _ := session(t, config(schemaURL(t)+"&synchronous_commit="+set, newModel(23, 1)))
		var level string
		if err := s.(*postgresSession).conn.QueryRow(t.Context(), "show synchronous_commit").Scan(&level); err != nil || level != want {
			t.Errorf("synchronous_commit=%s is %s (%v), want %s", set, level, err, want)
		}
	}
}

func TestTheServerIsToldWhenToGiveUp(t *testing.T) {
	c := config(schemaURL(t)+"&statement_timeout=7s", newModel(24, 1))
	c.StatementTimeout, c.BusyTimeout = 9*time.Second, 300*time.Millisecond
	s, _ := session(t, c)
	for name, want := range map[string]string{
		"statement_timeout": "7s", "lock_timeout": "300ms", "idle_in_transaction_session_timeout": "9s", "tcp_keepalives_idle": "60",
	} {
		var have string
		if err := s.(*postgresSession).conn.QueryRow(t.Context(), "show "+name).Scan(&have); err != nil || have != want {
			t.Errorf("%s is %s (%v), want %s", name, have, err, want)
		}
	}
}

// Shards have rows of their own. Even if they had not, two that write the same rows in contrary orders would not deadlock, because every upsert
// takes its rows in the order of their keys.
func TestUpsertsDoNotDeadlock(t *testing.T) {
	sink := schemaURL(t)
	c := config(sink, newModel(25, 1))
	c.BusyTimeout = 10 * time.Second
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	place, err := newSink(&c)
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for shard := range uint32(4) {
		s, _, err := place.Connect(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		writers.Go(func() {
			defer func() { _ = s.Close() }()
			b := Batch{Term: 1}
			for i := range uint64(1000) {
				b.Orders = append(b.Orders, benchmarkOrder(i, 10))
			}
			if shard%2 == 1 {
				slices.Reverse(b.Orders)
			}
			for range 10 {
				b.Since, b.UpTo = b.UpTo, b.UpTo+1
				for i := range b.Orders {
					b.Orders[i].Version = b.UpTo*10 + uint64(shard)
				}
				if err := s.Write(t.Context(), b); err != nil {
					t.Errorf("shard %d: %v", shard, err)
					return
				}
			}
		})
	}
	writers.Wait()
	if rows, err := ReadOrders(t.Context(), sink); err != nil || len(rows) != 1000 || rows[0].Version != 103 {
		t.Errorf("%d orders (%v), the first %+v", len(rows), err, rows[0])
	}
}

// A shard that another node leads is left alone: no session, no rows, no lag. It is taken up from the cursor when it is led here.
func TestOnlyTheLeaderWritesASharedSink(t *testing.T) {
	sink, m := schemaURL(t)+"&application_name=follower", newModel(26, 1)
	var term atomic.Uint64
	c := config(sink, m)
	c.Term = func(uint32) uint64 { return term.Load() }
	f := mustOpen(t, c)
	sessions := func() int {
		return len(dump(t, schemaURL(t), "", "select 1 from pg_stat_activity where application_name = 'follower'"))
	}
	m.change(50)
	eventually(t, 5*time.Second, "left alone", func() bool { return sessions() == 0 })
	if s := f.Status()[0]; s.Err != nil || s.LagOrders != 0 || s.LagMS != 0 || s.Index != 0 {
		t.Errorf("status %+v of a shard led elsewhere", s)
	}
	term.Store(5)
	f.Kick()
	eventually(t, 5*time.Second, "flushed by the leader", func() bool { return m.lastFlushed() == m.at() && f.Status()[0].Index == m.at() })
	requireSame(t, sink, m)
	term.Store(0)
	f.Kick()
	eventually(t, 5*time.Second, "left alone again", func() bool { return sessions() == 0 })
	m.change(50)
	mustClose(t, f)
	if s := f.Status()[0]; s.Index == m.at() {
		t.Errorf("status %+v: a follower wrote", s)
	}
}

// Rows that cannot be written are an error that stays, with the rows in memory; nothing is skipped.
func TestARowTheServerRefusesIsNotSkipped(t *testing.T) {
	sink, m := schemaURL(t), newModel(27, 1)
	m.change(20)
	f := mustOpen(t, config(sink, m))
	eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	at := m.at()
	run(t, sink, "alter table orders add constraint strict check (qty < 1000)")
	m.change(1)
	m.mu.Lock()
	m.index++
	m.orders = append(m.orders, &stock.Order{ID: stock.OrderID{Counter: 99}, SKU: "s", User: "u", Key: "k", Qty: 1000, State: stock.StateHeld, Version: m.index})
	m.mu.Unlock()
	eventually(t, 5*time.Second, "refused", func() bool { return f.Status()[0].Err != nil })
	if index := f.Status()[0].Index; index > at+1 {
		t.Errorf("at %d behind a row that was refused", index)
	}
	run(t, sink, "alter table orders drop constraint strict")
	mustClose(t, f)
	if rows, err := ReadOrders(context.Background(), sink); err != nil || len(rows) != len(m.orders) {
		t.Errorf("%d orders, want %d (%v)", len(rows), len(m.orders), err)
	}
}

// While one session makes the tables the others wait for it, however short their patience with locks is.
func TestSessionsWaitForTheOneThatMakesTheTables(t *testing.T) {
	sink := schemaURL(t)
	c, err := config(sink, newModel(31, 1)).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c.BusyTimeout = time.Millisecond
	place, err := newPostgres(&c)
	if err != nil {
		t.Fatal(err)
	}
	maker := pgtest.Connect(t, sink)
	for _, statement := range []string{"begin", fmt.Sprintf("select pg_advisory_xact_lock(%d, hashtext(current_schema()))", applicationID)} {
		if _, err := maker.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	outcomes := make(chan error, 4)
	for shard := range uint32(4) {
		go func() {
			s, _, err := place.Connect(context.WithoutCancel(t.Context()), shard+1)
			if err == nil {
				var patience string
				err = s.(*postgresSession).conn.QueryRow(context.WithoutCancel(t.Context()), "show lock_timeout").Scan(&patience)
				if err == nil && patience != "1ms" {
					err = fmt.Errorf("lock_timeout is %s afterwards", patience)
				}
				err = errors.Join(err, s.Close())
			}
			outcomes <- err
		}()
	}
	// The server's count is of all schemas, and this is the only one with a lock that is waited for.
	const waiting = "select 1 from pg_stat_activity where application_name like 'holdfast shard %' and wait_event = 'advisory'"
	eventually(t, 10*time.Second, "all wait", func() bool {
		return len(pgtest.Rows(t, sink, waiting)) >= 4 || len(outcomes) > 0
	})
	if _, err := maker.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
}
