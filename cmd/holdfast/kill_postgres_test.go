package main

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"holdfast/storage"
	"holdfast/storage/pgtest"
)

var databaseKills = flag.Int("pgkills", 1, "how often TestKilledWithPostgres kills PostgreSQL as well; 5 for acceptance")

// Kill -9 of the node, again and again, and of PostgreSQL in the same run, now one and now both: every acknowledged order is there, none doubled;
// PostgreSQL converges to exactly the acknowledged orders, row by row, with counters that are their sums and cursors that have everything.
func TestKilledWithPostgres(t *testing.T) {
	server := pgtest.Start(t)
	_, sink := server.Schema(t)
	s := newSiege(t, seedOf(t))
	s.sink = sink
	s.args = append(s.args, "--sink", sink)
	s.start()
	s.createSKUs()
	begin, killed, deaths := time.Now(), 0, *databaseKills
	for s.round = 1; s.round <= *kills; s.round++ {
		// The database dies in the middle of the load of some rounds, spread over the run.
		dies := s.round*deaths/(*kills) > killed
		if dies {
			s.halfway = func() { server.Kill(t) }
		}
		s.load()
		if s.halfway = nil; dies {
			killed++
			s.restart(func() { server.Start(t) })
		} else {
			s.start()
		}
		s.resolve()
		s.compareStored()
	}
	s.sellOut()
	s.compareStored()
	s.compareCounters()
	s.drain()
	s.compareCursors()
	s.compareLog()
	if s.unknownTotal == 0 || killed != deaths {
		t.Errorf("vacuous: %d answers were lost, PostgreSQL was killed %d times", s.unknownTotal, killed)
	}
	t.Logf("seed %d: %d kills of the node and %d of PostgreSQL in %.1f s: %d orders acknowledged, %d outcomes unknown (%d had been accepted, "+
		"%d were fenced, the others asked again), none lost, none doubled; slowest restart %d ms, slowest convergence of PostgreSQL %d ms", s.seed, *kills,
		killed, time.Since(begin).Seconds(), len(s.acks), s.unknownTotal, s.unknownAccepted, s.unknownFenced, s.slowestStart.Milliseconds(),
		s.slowestFlush.Milliseconds())
}

// restart starts the node while its database is down, lets it sell so, and then brings the database back.
func (s *siege) restart(database func()) {
	s.t.Helper()
	s.start()
	for range 20 {
		if !s.order(s.t.Context()) {
			s.t.Fatalf("round %d: no order while the database is down", s.round)
		}
	}
	database()
}

// compareCounters holds the stored counters against the stored orders.
func (s *siege) compareCounters() {
	s.t.Helper()
	rows, err := storage.ReadOrders(s.t.Context(), s.sink)
	if err != nil {
		s.t.Fatal(err)
	}
	held, sold := make(map[string]int64), make(map[string]int64)
	for _, r := range rows {
		switch r.State {
		case "held":
			held[r.SKU] += r.Qty
		case "confirmed":
			sold[r.SKU] += r.Qty
		}
	}
	skus, err := storage.ReadSKUs(s.t.Context(), s.sink)
	if err != nil || len(skus) != 2 {
		s.t.Fatalf("%d SKUs stored: %v", len(skus), err)
	}
	for _, k := range skus {
		if k.Held != held[k.SKU] || k.Sold != sold[k.SKU] || k.Available != k.Stock-k.Held-k.Sold {
			s.t.Errorf("stored %+v; the stored orders hold %d and bought %d", k, held[k.SKU], sold[k.SKU])
		}
	}
}

// compareCursors checks that the cursors of a node that was drained stand at or after every row.
func (s *siege) compareCursors() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	a, err := storage.OpenAudit(ctx, s.sink)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	cursors, err := a.Indexes(ctx)
	if err != nil || len(cursors) != 4 {
		s.t.Fatalf("%d cursors: %v", len(cursors), err)
	}
	furthest := uint64(0)
	for _, index := range cursors {
		furthest = max(furthest, index)
	}
	for row, err := range a.Orders(ctx) {
		if err != nil || uint64(row.Version) > furthest {
			s.t.Fatalf("%s: %v", fmt.Sprint(row), err)
		}
	}
}
