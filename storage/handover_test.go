package storage

import (
	cmdflag "flag"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/storage/pgtest"
)

var handovers = cmdflag.Int("handovers", 8, "how often leadership goes to the other node in tests of a shared database")

// neverBack makes a database note each update that takes a row to an older version, or a cursor to an earlier place or an older term.
var neverBack = []string{
	"create table backwards (what text, was bigint, became bigint)",
	`create function note_row() returns trigger language plpgsql as $$ begin
		if new.version < old.version then insert into backwards values (tg_table_name, old.version, new.version); end if;
		return new; end $$`,
	`create function note_cursor() returns trigger language plpgsql as $$ begin
		if new.log_index < old.log_index then insert into backwards values ('log_index', old.log_index, new.log_index); end if;
		if new.term < old.term then insert into backwards values ('term', old.term, new.term); end if;
		return new; end $$`,
	"create trigger orders_back before update on orders for each row execute function note_row()",
	"create trigger skus_back before update on skus for each row execute function note_row()",
	"create trigger cursor_back before update on cursor for each row execute function note_cursor()",
}

// gate holds up one transaction of a node at a step until it is let go.
type gate struct {
	mu   sync.Mutex // guards what follows
	at   step
	held chan struct{} // closed when a transaction waits
	open chan struct{} // closed to let it go; nil: nobody is held up
}

// arm has the next transaction that comes to a step wait.
func (g *gate) arm(at step) (held <-chan struct{}, let func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.held, g.open = at, make(chan struct{}), make(chan struct{})
	open := g.open
	return g.held, sync.OnceFunc(func() { close(open) })
}

func (g *gate) pass(now step, _ Session) error {
	g.mu.Lock()
	open := g.open
	if open == nil || now != g.at {
		g.mu.Unlock()
		return nil
	}
	close(g.held)
	g.open = nil
	g.mu.Unlock()
	<-open
	return nil
}

// Leadership goes back and forth between two nodes that flush one shard into one PostgreSQL. Each time a transaction of the old leader, which does
// not know, is held up somewhere and committed last. Nothing is lost, nothing is there twice, and no row, cursor or term ever goes back.
func TestLeadershipGoesBackAndForthOverASharedDatabase(t *testing.T) {
	sink := schemaURL(t)
	m := newModel(60, 1)
	mustClose(t, mustOpen(t, config(sink, newModel(60, 1)))) // makes the tables
	run(t, sink, neverBack...)
	rng := rand.New(rand.NewPCG(60, 60))
	var terms [2]fakeTerm
	var gates [2]gate
	var nodes [2]*Flusher
	for i := range nodes {
		c := config(sink, m)
		c.Term, c.BatchRows = terms[i].get, 9+4*i
		nodes[i] = openProbed(t, c, gates[i].pass)
	}
	terms[0].set(1)
	stop := stream(nodes[0], m)
	late := 0
	for n := range *handovers {
		old, next, term := n%2, (n+1)%2, uint64(n+2)
		held, let := gates[old].arm(step(rng.IntN(int(stepCommitted))))
		<-held
		if rng.IntN(2) == 0 { // else the old leader believes in its term until its late transaction is over
			terms[old].set(0)
		}
		before := nodes[next].Status()[0].Index
		terms[next].set(term)
		nodes[next].Kick()
		wrote := func() bool { return nodes[next].Status()[0].Index > before && !nodes[next].Status()[0].Elsewhere }
		if gates[old].at <= stepBegun {
			eventually(t, 20*time.Second, "the new leader has written", wrote)
			late++
		}
		let()
		terms[old].set(0)
		eventually(t, 20*time.Second, "the new leader flushes", wrote)
		requireNoGap(t, sink, m)
	}
	stop()
	last := nodes[*handovers%2]
	eventually(t, 20*time.Second, "flushed to the end", func() bool { return last.Status()[0].Index == m.at() })
	mustClose(t, nodes[0])
	mustClose(t, nodes[1])
	requireSame(t, sink, m)
	if back := dump(t, sink, "", "select what, was, became from backwards"); len(back) > 0 || late == 0 {
		t.Errorf("went back %d times (%d late transactions): %v", len(back), late, back)
	}
}

// A late transaction of an older term, begun where the cursor still is, fails by the guard on the term alone.
func TestALateTransactionFailsByItsTerm(t *testing.T) {
	sink, m := schemaURL(t), newModel(61, 1)
	m.change(20)
	batch, err := m.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := session(t, config(sink, m))
	run(t, sink, "update cursor set term = 8") // the new leader was here, and had no rows to write
	if err := old.Write(t.Context(), Batch{Term: 7, Changes: batch}); reason(err) != "stale_term" {
		t.Errorf("late transaction: %v", err)
	}
	if have := stored(t, sink); len(have) > 0 {
		t.Errorf("%d rows of a late transaction", len(have))
	}
}

// Who loses the term in the middle of a transaction gives it up before it commits, whichever row it is at, and is no failure for long.
func TestATransactionIsGivenUpWithItsTerm(t *testing.T) {
	sink, m := schemaURL(t), newModel(62, 1)
	for at := stepTaken; at < stepCursor; at++ {
		m.change(20)
		var term fakeTerm
		var over atomic.Int64
		term.set(1)
		c := config(sink, m)
		c.Term = term.get
		f := openProbed(t, c, func(now step, _ Session) error {
			if now == at && over.Add(1) == 1 {
				term.set(0)
			}
			return nil
		})
		eventually(t, 10*time.Second, "left to the other node", func() bool { return f.Status()[0].Elsewhere })
		if cursor := pgtest.Rows(t, sink, "select log_index from cursor"); !slices.Equal(cursorsOf(cursor), []int64{0}) {
			t.Errorf("step %d: cursor at %v after the term was over", at, cursor)
		}
		if s := f.Status()[0]; s.Err != nil || m.lastFlushed() != 0 {
			t.Errorf("step %d: status %+v, told %d", at, s, m.lastFlushed())
		}
		abandon(f)
	}
}

func cursorsOf(rows [][]any) (indexes []int64) {
	for _, row := range rows {
		indexes = append(indexes, row[0].(int64))
	}
	return indexes
}
