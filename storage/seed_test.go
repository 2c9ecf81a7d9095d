package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// asks returns pages of a peer's flusher as they travel, at most so many rows at a time.
func asks(t *testing.T, peer *Flusher, most int) func(context.Context, string, int) (Page, error) {
	return func(ctx context.Context, after string, limit int) (Page, error) {
		p, err := peer.Rows(ctx, 1, after, min(limit, most))
		if err != nil {
			return Page{}, err
		}
		sent := EncodePage(p)
		got, err := DecodePage(sent)
		if err != nil {
			t.Errorf("a page of %d rows, %d bytes, does not arrive: %v", p.Rows(), len(sent), err)
		}
		return got, err
	}
}

// evicted returns a flusher, its file and its model, of which settled orders have left memory.
func evicted(t *testing.T, seed uint64) (*Flusher, string, *model) {
	t.Helper()
	path, m := dbPath(t), newModel(seed, 1)
	m.change(300)
	f := mustOpen(t, config(path, m))
	flushedAll(t, f, m)
	if m.evict(m.at()) < 20 {
		t.Fatal("too few orders left memory")
	}
	return f, path, m
}

func flushedAll(t *testing.T, f *Flusher, m *model) {
	t.Helper()
	eventually(t, 20*time.Second, "flushed", func() bool { s := f.Status()[0]; return s.Index == m.at() && s.Err == nil })
}

// A node that is new to a shard lacks what has left memory, says so, and gets it from a peer while orders change, are flushed and leave memory, while
// pages fail to come, and over restarts in between. Then its file is the peer's.
func TestANewReplicaIsSeededFromAPeer(t *testing.T) {
	peer, theirs, m := evicted(t, 70)
	ours, rng := dbPath(t), rand.New(rand.NewPCG(70, 1))
	f := mustOpen(t, config(ours, m))
	flushedAll(t, f, m)
	if s := f.Status()[0]; s.Counts || s.Lacks != (Span{0, m.history.Mark}) || !peer.Status()[0].Counts {
		t.Fatalf("status %+v of a new replica, %+v of its peer", s, peer.Status()[0])
	}
	pages, restarts := 0, 0
	var last string
	for !f.Status()[0].Counts {
		from := asks(t, peer, 25)
		err := f.Seed(t.Context(), 1, func(ctx context.Context, after string, limit int) (Page, error) {
			if after < last {
				t.Errorf("asked for what is behind %q after %q", after, last)
			}
			last = after
			m.change(3)
			least := LeastFlushed(m.history.Mark, sinksOf(peer, f)...)
			m.evict(least)
			switch pages++; rng.IntN(5) {
			case 0:
				return Page{}, errors.New("peer away")
			case 1:
				_, err := from(ctx, after, limit)
				return Page{}, errors.Join(err, errors.New("answer lost"))
			}
			return from(ctx, after, limit)
		})
		if err != nil && rng.IntN(2) == 0 {
			abandon(f)
			f = mustOpen(t, config(ours, m))
			eventually(t, 20*time.Second, "connected", func() bool { return f.Status()[0].Lacks.Any() })
			restarts++
		}
	}
	if pages < 12 || restarts == 0 {
		t.Errorf("%d pages, %d restarts: nothing was put to the test", pages, restarts)
	}
	mustClose(t, f)
	mustClose(t, peer)
	requireSame(t, theirs, m)
	requireSame(t, ours, m)
	// That nothing is missing is remembered.
	f = mustOpen(t, config(ours, m))
	eventually(t, 20*time.Second, "counts", func() bool { return f.Status()[0].Counts })
	mustClose(t, f)
}

// sinksOf returns what nodes say of their sinks for the first shard.
func sinksOf(nodes ...*Flusher) (sinks []SinkIndex) {
	for _, n := range nodes {
		sinks = append(sinks, SinkIndex{Index: n.Status()[0].Index, Known: true})
	}
	return sinks
}

// A node whose database was away so long that the marks did not wait for it learns that from its own log, before its cursor goes on, even when it is
// killed right then; it is seeded, and counts again.
func TestAReplicaThatWasPassedIsSeededBeforeItCounts(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%t", killed), func(t *testing.T) {
			path, m := dbPath(t), newModel(71, 1)
			m.change(100)
			peer := mustOpen(t, config(dbPath(t), m))
			var broken atomic.Bool
			f := openProbed(t, config(path, m), func(step, Session) error {
				if broken.Load() {
					return errDisk
				}
				return nil
			})
			flushedAll(t, f, m)
			eventually(t, 20*time.Second, "counts", func() bool { return f.Status()[0].Counts })
			broken.Store(true)
			at := m.at()
			m.change(200)
			flushedAll(t, peer, m)
			if before := m.evict(at); m.evict(m.at()) <= before {
				t.Fatal("nothing left memory")
			}
			mark := m.at()
			m.change(10)
			if killed {
				abandon(f)
				f = mustOpen(t, config(path, m))
			}
			broken.Store(false)
			flushedAll(t, f, m)
			// What was read before the mark came may be written after it.
			if s := f.Status()[0]; s.Counts || s.Lacks.From < at || s.Lacks.To != mark || !s.Lacks.Any() || !s.Gap.Missing() {
				t.Fatalf("status %+v, the mark is at %d and the cursor was at %d", s, mark, at)
			}
			if err := f.Seed(t.Context(), 1, asks(t, peer, 100)); err != nil || !f.Status()[0].Counts {
				t.Fatalf("seeded: %v, %+v", err, f.Status()[0])
			}
			mustClose(t, f)
			mustClose(t, peer)
			requireSame(t, path, m)
		})
	}
}

// What goes missing while a node is seeded has it begin anew: pages that are there may be older.
func TestSeedingBeginsAnewWhenMoreIsMissing(t *testing.T) {
	peer, _, m := evicted(t, 72)
	mark := m.at()
	m.change(20)
	flushedAll(t, peer, m)
	ours := dbPath(t)
	f := mustOpen(t, config(ours, m))
	flushedAll(t, f, m)
	s, err := f.sink.(*sqliteSink).seedSession(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var firsts int
	from := asks(t, peer, 25)
	if err := f.Seed(t.Context(), 1, func(ctx context.Context, after string, limit int) (Page, error) {
		if after == "" {
			firsts++
		}
		p, err := from(ctx, after, limit)
		if after != "" && firsts == 1 {
			if err := s.note(ctx, Span{mark, mark + 10}); err != nil {
				t.Error(err)
			}
		}
		return p, err
	}); err != nil {
		t.Fatal(err)
	}
	if firsts != 2 {
		t.Errorf("began %d times", firsts)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	mustClose(t, f)
	mustClose(t, peer)
	requireSame(t, ours, m)
}

// A page never takes a row back: it may be older than what was flushed meanwhile.
func TestAPageNeverWritesOverANewerRow(t *testing.T) {
	peer, _, m := evicted(t, 73)
	ours := dbPath(t)
	old := make(map[string]Page)
	from := asks(t, peer, 25)
	for after, more := "", true; more; {
		p, err := from(t.Context(), after, 25)
		if err != nil {
			t.Fatal(err)
		}
		p.Index = 1 << 40 // as if the peer had it all
		old[after], after, more = p, p.Next, p.Next != ""
	}
	m.change(300)
	f := mustOpen(t, config(ours, m))
	flushedAll(t, f, m)
	if err := f.Seed(t.Context(), 1, func(_ context.Context, after string, _ int) (Page, error) { return old[after], nil }); err != nil {
		t.Fatal(err)
	}
	mustClose(t, f)
	mustClose(t, peer)
	requireSame(t, ours, m)
}

func TestPagesThatAreRefused(t *testing.T) {
	peer, _, m := evicted(t, 74)
	defer mustClose(t, peer)
	f := mustOpen(t, config(dbPath(t), m))
	defer mustClose(t, f)
	flushedAll(t, f, m)
	good, err := peer.Rows(t.Context(), 1, "", 50)
	if err != nil {
		t.Fatal(err)
	}
	foreign := slices.Clone(good.orders[0])
	foreign[0] = "00000000001"
	lacks := f.Status()[0].Lacks
	for _, tc := range []struct {
		name   string
		change func(*Page)
		want   error
	}{
		{"another shard", func(p *Page) { p.Shard = 2 }, ErrBadPage},
		{"another epoch", func(p *Page) { p.Epoch = 1 }, ErrBadPage},
		{"not as far", func(p *Page) { p.Index = lacks.To - 1 }, ErrPeerLacks},
		{"lacks the same", func(p *Page) { p.Lacks = Span{lacks.To - 1, lacks.To} }, ErrPeerLacks},
		{"a row of another partition", func(p *Page) { p.orders = []row{foreign} }, ErrBadPage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := good
			tc.change(&p)
			err := f.Seed(t.Context(), 1, func(context.Context, string, int) (Page, error) { return p, nil })
			if !errors.Is(err, tc.want) || f.Status()[0].Counts {
				t.Errorf("%v, want %v; %+v", err, tc.want, f.Status()[0])
			}
		})
	}
	// Two nodes that lack different entries can seed each other.
	other := good
	other.Lacks = Span{lacks.To, lacks.To + 100}
	if err := f.shards[0].accepts(&other, seedState{lacks: lacks}); err != nil {
		t.Errorf("a peer that lacks something else: %v", err)
	}
}

// Pages hold the rows of one shard's partitions, all of them, each once, in the order of the keys.
func TestPagesHoldTheRowsOfOneShard(t *testing.T) {
	path, one, two := dbPath(t), newModel(75, 1), newModel(76, 2)
	f := mustOpen(t, config(path, one, two))
	one.change(100)
	two.change(100)
	eventually(t, 20*time.Second, "flushed", func() bool { s := f.Status(); return s[0].Index == one.at() && s[1].Index == two.at() })
	for _, limit := range []int{1, 7, 1 << 20} {
		for shard, m := range map[uint32]*model{1: one, 2: two} {
			var keys []string
			for after, more := "", true; more; {
				p, err := f.Rows(t.Context(), shard, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range p.orders {
					keys = append(keys, orderKey+r[0].(string))
				}
				for _, r := range p.skus {
					keys = append(keys, skuKey+r[0].(string))
				}
				if p.Rows() > limit || p.Index != m.at() || p.Lacks.Any() {
					t.Errorf("a page of %d rows at %d", p.Rows(), p.Index)
				}
				after, more = p.Next, p.Next != ""
			}
			if !slices.IsSorted(keys) || len(slices.Compact(keys)) != len(m.orders)+len(m.skus) {
				t.Errorf("limit %d: %d keys of shard %d, want %d", limit, len(keys), shard, len(m.orders)+len(m.skus))
			}
		}
	}
	mustClose(t, f)
	if _, err := f.Rows(t.Context(), 1, "", 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Seeding ends with its shard, and Close waits for it.
func TestSeedingEndsWithItsShard(t *testing.T) {
	peer, _, m := evicted(t, 77)
	defer mustClose(t, peer)
	for _, how := range []string{"removed", "closed"} {
		f := mustOpen(t, config(dbPath(t), m))
		flushedAll(t, f, m)
		asked, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- f.Seed(context.WithoutCancel(t.Context()), 1, func(ctx context.Context, _ string, _ int) (Page, error) {
				close(asked)
				<-ctx.Done()
				return Page{}, ctx.Err()
			})
		}()
		<-asked
		if how == "removed" {
			if err := f.RemoveShard(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}
		mustClose(t, f)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// A shared database needs no seeding, and a file of an earlier build gets its table.
func TestWhatNeedsNoSeeding(t *testing.T) {
	sink, m := schemaURL(t), newModel(78, 1)
	f := mustOpen(t, config(sink, m))
	eventually(t, 20*time.Second, "counts", func() bool { return f.Status()[0].Counts })
	if err := f.Seed(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
	if _, err := f.Rows(t.Context(), 1, "", 1); !errors.Is(err, ErrNotLocal) {
		t.Errorf("rows of a shared database: %v", err)
	}
	mustClose(t, f)

	path := dbPath(t)
	mustClose(t, mustOpen(t, config(path, m)))
	run(t, path, "drop table seed", "pragma user_version = 1")
	m.change(20)
	f = mustOpen(t, config(path, m))
	eventually(t, 20*time.Second, "counts", func() bool { return f.Status()[0].Counts })
	if err := f.Seed(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
	mustClose(t, f)
	requireSame(t, path, m)
}

// A mark that goes by a session that lives on, as when the replica is given a snapshot, is seen before the cursor goes on.
func TestAMarkThatGoesByALiveSessionIsSeen(t *testing.T) {
	m, path := newModel(79, 1), dbPath(t)
	var hold atomic.Bool
	asked, let := make(chan struct{}), make(chan struct{})
	c := config(path, m)
	c.Shards[0].Source = spy{m, func(uint64) {
		if hold.CompareAndSwap(true, false) {
			close(asked)
			<-let
		}
	}}
	f := mustOpen(t, c)
	m.change(100)
	flushedAll(t, f, m)
	eventually(t, 20*time.Second, "counts", func() bool { return f.Status()[0].Counts })
	at := m.at()
	hold.Store(true)
	<-asked
	m.change(100)
	m.evict(m.at())
	close(let)
	flushedAll(t, f, m)
	if s := f.Status()[0]; s.Counts || s.Lacks != (Span{at, m.at()}) {
		t.Errorf("status %+v, the cursor was at %d and the mark is at %d", s, at, m.at())
	}
	connects := f.Status()[0].inARow
	mustClose(t, f)
	f = mustOpen(t, config(path, m))
	eventually(t, 20*time.Second, "it is remembered", func() bool { return f.Status()[0].Lacks == (Span{at, m.at()}) })
	mustClose(t, f)
	if connects > 0 {
		t.Errorf("%d failures: the session did not live on", connects)
	}
}
