package storage

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A shard that comes, goes and comes again is flushed from the sink's cursor each time; the others do not notice.
func TestShardsComeAndGoWhileOthersAreFlushed(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		steady, guest := newModel(50, 1), newModel(51, 2)
		f := mustOpen(t, config(sink, steady))
		stop := stream(f, steady)
		failures := func() int { return f.Status()[0].inARow }
		for round := range 5 {
			from := guest.at()
			guest.change(40)
			first := make(chan uint64, 1)
			reads := spy{guest, func(since uint64) {
				select {
				case first <- since:
				default:
				}
			}}
			if err := f.AddShard(Shard{ID: 2, Source: reads}); err != nil {
				t.Fatal(err)
			}
			if err := f.AddShard(Shard{ID: 2, Source: guest}); !errors.Is(err, ErrShardKnown) {
				t.Errorf("added twice: %v", err)
			}
			eventually(t, 20*time.Second, "the guest is flushed", func() bool { return guest.lastFlushed() == guest.at() })
			if since := <-first; round > 0 && since != from {
				t.Errorf("round %d: read from %d, the cursor was at %d", round, since, from)
			}
			passes(t, steady, 20)
			if err := f.RemoveShard(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			if s := f.Status(); len(s) != 1 || s[0].Shard != 1 || failures() > 0 {
				t.Errorf("status %+v after shard 2 was removed", s)
			}
			if err := f.RemoveShard(t.Context(), 2); !errors.Is(err, ErrNoShard) {
				t.Errorf("removed twice: %v", err)
			}
			passes(t, steady, 20)
		}
		stop()
		mustClose(t, f)
		requireSame(t, sink, steady, guest)
		if err := f.AddShard(Shard{ID: 3, Source: guest}); !errors.Is(err, ErrClosed) {
			t.Errorf("added after Close: %v", err)
		}
	})
}

// A flusher may begin without a shard, as on a node that joins: a sink that must not be written is refused all the same.
func TestAFlusherWithoutShards(t *testing.T) {
	overSinks(t, func(t *testing.T, sink string) {
		m := newModel(52, 1)
		f := mustOpen(t, config(sink))
		m.change(20)
		if err := f.AddShard(Shard{ID: 1}); !errors.Is(err, ErrConfig) {
			t.Errorf("without a source: %v", err)
		}
		if err := f.AddShard(Shard{ID: 1, Source: m}); err != nil {
			t.Fatal(err)
		}
		mustClose(t, f)
		requireSame(t, sink, m)
		c := config(sink)
		c.ClusterID = "cluster-b"
		if f, err := Open(c); !errors.Is(err, ErrOtherCluster) {
			t.Errorf("another cluster's sink: %v", err)
			abandon(f)
		}
	})
}

// A shard whose disk never answers is out of the way at once; its id is free again when it has ended.
func TestARemovalDoesNotWaitForAStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, sink, registry := newModel(1, 1), &stuck{release: make(chan struct{})}, prometheus.NewRegistry()
		c, err := Config{Shards: []Shard{{ID: 1, Source: m}}, Term: func(uint32) uint64 { return 1 }, Registerer: registry}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		f, err := open(c, sink)
		if err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.RemoveShard(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("removed: %v", err)
		}
		if s := f.Status(); len(s) > 0 {
			t.Errorf("status %+v", s)
		}
		if err := f.AddShard(Shard{ID: 1, Source: m}); !errors.Is(err, ErrShardKnown) {
			t.Errorf("added while it is leaving: %v", err)
		}
		close(sink.release)
		synctest.Wait()
		if err := f.AddShard(Shard{ID: 1, Source: m}); err != nil {
			t.Errorf("added after it had left: %v", err)
		}
		abandon(f)
	})
}

// sharedBubble opens a flusher of a shared sink, in virtual time, whose term a test sets.
func sharedBubble(t *testing.T, sink *memory, test func(t *testing.T, f *Flusher, m *model, term *atomic.Uint64)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, term := newModel(1, 1), new(atomic.Uint64)
		c := Config{Sink: "postgres://host/db", Shards: []Shard{{ID: 1, Source: m}}, Term: func(uint32) uint64 { return term.Load() }}
		c, err := c.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		f, err := open(c, sink)
		if err != nil {
			t.Fatal(err)
		}
		test(t, f, m, term)
		abandon(f)
	})
}

// Without the term there is no session and no transaction, and the status says whose work it is; a server that is away is not this node's trouble.
func TestAShardOfAnotherNodeNeedsNoConnection(t *testing.T) {
	sink := &memory{fail: errDisk}
	sharedBubble(t, sink, func(t *testing.T, f *Flusher, m *model, term *atomic.Uint64) {
		m.change(10)
		settle(time.Minute)
		if s := f.Status()[0]; !s.Elsewhere || s.Err != nil || s.LagOrders > 0 || sink.connected() > 0 || len(sink.tries()) > 0 {
			t.Errorf("status %+v, %d connects", s, sink.connected())
		}
		sink.set(nil)
		term.Store(3)
		f.Kick()
		settle(time.Second)
		if s := f.Status()[0]; s.Elsewhere || s.Index != m.at() || sink.at() != m.at() {
			t.Errorf("status %+v with the term", s)
		}
	})
}

// A leadership that comes and goes all the time makes no storm of connections, least of all on a server that fails.
func TestConnectsAreBoundedWhileTheTermFlaps(t *testing.T) {
	for name, tc := range map[string]struct {
		fail error
		most int
	}{"server well": {nil, 210}, "server away": {errDisk, 20}} {
		t.Run(name, func(t *testing.T) {
			sink := &memory{refuse: tc.fail}
			sharedBubble(t, sink, func(t *testing.T, f *Flusher, _ *model, term *atomic.Uint64) {
				for i := range uint64(1000) {
					term.Store(i % 2 * (i + 1))
					f.Kick()
					settle(10 * time.Millisecond)
				}
				if n := sink.connected(); n < 3 || n > tc.most {
					t.Errorf("%d connects in 10 s, want at most %d", n, tc.most)
				}
			})
		})
	}
}
