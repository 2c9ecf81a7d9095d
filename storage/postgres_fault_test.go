package storage

import (
	"bytes"
	"context"
	cmdflag "flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/storage/pgtest"
)

var cutFor = cmdflag.Duration("cut", time.Second, "how long the network to PostgreSQL is cut in tests")

// stream changes a model all the time until it is stopped.
func stream(f *Flusher, models ...*model) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, m := range models {
				m.change(2)
			}
			f.Kick()
			select {
			case <-tick.C:
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// passes waits until a flusher has taken n more log entries of a model to the sink.
func passes(t *testing.T, m *model, n uint64) {
	t.Helper()
	from := m.lastFlushed()
	eventually(t, 20*time.Second, "flushed on", func() bool { return m.lastFlushed() >= from+n })
}

// requireNoGap checks, at any time, that a sink has what its cursors stand for: every order that has not changed since, and none from later.
func requireNoGap(t *testing.T, sink string, models ...*model) {
	t.Helper()
	a, err := OpenAudit(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	indexes, err := a.Indexes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]int64) // versions
	for o, err := range a.Orders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		have[o.ID] = o.Version
	}
	for i, m := range models {
		cursor := indexes[uint32(i+1)]
		m.mu.Lock()
		for _, o := range m.orders {
			stored, there := have[o.ID.String()]
			if o.Version <= cursor && stored != int64(o.Version) || there && stored > int64(cursor) {
				t.Errorf("shard %d at %d: order %s of version %d is stored (%t) with %d", i+1, cursor, o.ID, o.Version, there, stored)
			}
			delete(have, o.ID.String())
		}
		m.mu.Unlock()
	}
	if len(have) > 0 {
		t.Errorf("%d orders are stored that nobody placed", len(have))
	}
}

// finish stops a stream, closes the flusher in order and compares every row.
func finish(t *testing.T, sink string, f *Flusher, stop func(), models ...*model) {
	t.Helper()
	stop()
	eventually(t, 30*time.Second, "flushed to the end", func() bool {
		return !slices.ContainsFunc(models, func(m *model) bool { return m.lastFlushed() < m.at() })
	})
	mustClose(t, f)
	requireSame(t, sink, models...)
}

// The server is killed five times while orders stream in, and then stopped for a while.
func TestPostgresKilledUnderAStream(t *testing.T) {
	server := pgtest.Start(t)
	_, sink := server.Schema(t)
	models := []*model{newModel(30, 1), newModel(31, 2)}
	f := mustOpen(t, config(sink, models...))
	stop := stream(f, models...)
	for range 5 {
		passes(t, models[0], 50)
		server.Kill(t)
		eventually(t, 10*time.Second, "noticed", func() bool { return f.Status()[0].Err != nil })
		server.Start(t)
		requireNoGap(t, sink, models...)
	}
	passes(t, models[1], 50)
	server.Stop(t)
	down, at := time.Now(), models[0].at()
	eventually(t, 10*time.Second, "a while passes", func() bool { return time.Since(down) > time.Second && models[0].at() > at+200 })
	if s := f.Status()[0]; s.Err == nil || s.LagOrders == 0 || s.LagMS == 0 {
		t.Errorf("status %+v while the server is down", s)
	}
	server.Start(t)
	passes(t, models[0], 200)
	finish(t, sink, f, stop, models...)
}

// Statements are cancelled and sessions ended, as an administrator may, again and again.
func TestPostgresStatementsCancelled(t *testing.T) {
	server := pgtest.Shared(t)
	_, sink := server.Schema(t)
	admin := pgtest.Connect(t, server.URL("postgres"))
	for _, how := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(how, func(t *testing.T) {
			run(t, sink, "drop table if exists orders, skus, cursor, holdfast_schema")
			m := newModel(32, 1)
			c := config(sink+"&application_name=victim", m)
			f := mustOpen(t, c)
			stop := stream(f, m)
			hits := 0
			eventually(t, 20*time.Second, "20 statements are hit", func() bool {
				query := "with victim as materialized (select pid from pg_stat_activity where application_name = 'victim' and state <> 'idle') " +
					"select count(*) from victim where " + how + "(pid)"
				var hit int
				if err := admin.QueryRow(t.Context(), query).Scan(&hit); err != nil {
					t.Fatal(err)
				}
				hits += hit
				return hits >= 20
			})
			finish(t, sink, f, stop, m)
		})
	}
}

// The network is cut for a while: nothing comes back, nothing fails by itself. What was on its way is delivered when it is back, a commit of a
// session that was given up long ago among it, unless the server gave up first.
func TestPostgresNetworkCut(t *testing.T) {
	for _, patient := range []bool{false, true} {
		t.Run(fmt.Sprintf("server-waits=%t", patient), func(t *testing.T) {
			server := pgtest.Shared(t)
			name, direct := server.Schema(t)
			p := pgtest.NewProxy(t, server.Addr())
			params := []string{"search_path", name, "application_name", "cut"}
			if patient {
				params = append(params, "statement_timeout", "0", "idle_in_transaction_session_timeout", "0")
			}
			models := []*model{newModel(33, 1), newModel(34, 2)}
			c := config(pgtest.At(p.Addr(), "postgres", pgtest.Password, "postgres", params...), models...)
			c.ConnectTimeout, c.StatementTimeout = 400*time.Millisecond, 400*time.Millisecond
			f := mustOpen(t, c)
			stop := stream(f, models...)
			passes(t, models[0], 50)
			p.Cut()
			began := time.Now()
			eventually(t, *cutFor+5*time.Second, "noticed", func() bool { return f.Status()[0].Err != nil && f.Status()[0].LagMS > 100 })
			eventually(t, *cutFor+5*time.Second, "the time passes", func() bool { return time.Since(began) > *cutFor })
			at := models[0].at()
			p.Restore()
			eventually(t, 20*time.Second, "caught up", func() bool { return models[0].lastFlushed() > at && models[1].lastFlushed() > 50 })
			requireNoGap(t, direct, models...)
			finish(t, direct, f, stop, models...)
		})
	}
}

// Connections are reset again and again while orders stream in.
func TestPostgresConnectionsReset(t *testing.T) {
	server := pgtest.Shared(t)
	name, direct := server.Schema(t)
	p := pgtest.NewProxy(t, server.Addr())
	models := []*model{newModel(35, 1), newModel(36, 2)}
	f := mustOpen(t, config(pgtest.At(p.Addr(), "postgres", pgtest.Password, "postgres", "search_path", name), models...))
	stop := stream(f, models...)
	cuts := 0
	for range 20 {
		passes(t, models[0], 10)
		cuts += p.Reset()
	}
	if cuts < 20 {
		t.Errorf("%d connections were reset", cuts)
	}
	finish(t, direct, f, stop, models...)
}

// A flusher whose server does not answer any more ends when it is told to, and leaves nothing behind.
func TestCloseLeavesASilentServerBehind(t *testing.T) {
	server := pgtest.Shared(t)
	name, _ := server.Schema(t)
	p := pgtest.NewProxy(t, server.Addr())
	m := newModel(37, 1)
	f := mustOpen(t, config(pgtest.At(p.Addr(), "postgres", pgtest.Password, "postgres", "search_path", name), m))
	m.change(50)
	eventually(t, 5*time.Second, "flushed", func() bool { return m.lastFlushed() == m.at() })
	p.Cut()
	defer p.Restore()
	m.change(50)
	f.Kick()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := f.Close(ctx)
	if took := time.Since(began); took > 4*time.Second || err == nil || strings.Contains(err.Error(), "disk does not answer") {
		t.Errorf("closed after %v: %v", took, err)
	}
	// The library closes a connection in a goroutine of its own, which may be on its last line.
	eventually(t, 5*time.Second, "nothing of a session is left", func() bool {
		stacks := make([]byte, 1<<20)
		return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("pgconn"))
	})
}

// Two nodes flush one shard into one database, the terms going up on one and then on the other, through a network that ends connections.
func TestTwoLeadersOverAShakyNetwork(t *testing.T) {
	server := pgtest.Shared(t)
	name, direct := server.Schema(t)
	p := pgtest.NewProxy(t, server.Addr())
	m := newModel(38, 1)
	var terms [2]fakeTerm
	var nodes [2]*Flusher
	for i := range nodes {
		c := config(pgtest.At(p.Addr(), "postgres", pgtest.Password, "postgres", "search_path", name), m)
		c.Term, c.BatchRows = terms[i].get, 5+2*i
		terms[i].set(uint64(1 + i))
		nodes[i] = mustOpen(t, c)
	}
	stop := stream(nodes[0], m)
	for term := uint64(3); term < 13; term++ {
		passes(t, m, 20)
		terms[term%2].set(term)
		p.Reset()
	}
	stop()
	terms[0].set(0) // the other one knows by now
	eventually(t, 20*time.Second, "flushed to the end", func() bool { return nodes[1].Status()[0].Index == m.at() })
	abandon(nodes[0])
	mustClose(t, nodes[1])
	requireSame(t, direct, m)
}

// fakeTerm is the term a node believes in.
type fakeTerm struct{ now atomic.Uint64 }

func (f *fakeTerm) get(uint32) uint64 { return f.now.Load() }

func (f *fakeTerm) set(term uint64) { f.now.Store(term) }
