package storage

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// memory is a sink in memory that can fail or hang; it notes when it was tried.
type memory struct {
	mu       sync.Mutex
	index    uint64
	connects int
	writes   []time.Time
	rows     int
	fail     error
	refuse   error // of Connect
	hang     bool
}

var (
	_ Sink    = (*memory)(nil)
	_ Session = (*memory)(nil)
)

func (m *memory) Name() string { return "memory" }

func (m *memory) Connect(context.Context, uint32) (Session, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.connects++; m.refuse != nil {
		return nil, 0, m.refuse
	}
	return m, m.index, nil
}

func (m *memory) Look(context.Context) error { return nil }

func (m *memory) Write(ctx context.Context, b Batch) error {
	m.mu.Lock()
	m.writes = append(m.writes, time.Now())
	hang := m.hang
	m.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if b.Since != m.index {
		return ErrCursorMoved
	}
	m.index, m.rows = b.UpTo, m.rows+len(b.Orders)
	return nil
}

func (m *memory) Check(context.Context) error { return nil }

func (m *memory) Close() error { return nil }

func (m *memory) set(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) at() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index
}

func (m *memory) written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows
}

// tries returns when each transaction was tried.
func (m *memory) tries() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.writes)
}

func (m *memory) connected() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connects
}

// inBubble opens a flusher with default pacing on a sink in memory, in virtual time.
func inBubble(t *testing.T, change func(*Config), test func(t *testing.T, f *Flusher, m *model, sink *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, sink := newModel(1, 1), &memory{}
		c := Config{Shards: []Shard{{ID: 1, Source: m}}, Term: func(uint32) uint64 { return 1 }}
		if change != nil {
			change(&c)
		}
		c, err := c.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		f, err := open(c, sink)
		if err != nil {
			t.Fatal(err)
		}
		test(t, f, m, sink)
		sink.set(nil)
		mustClose(t, f)
		if sink.at() != m.at() {
			t.Errorf("sink at %d after closing, want %d", sink.at(), m.at())
		}
	})
}

// settle lets d pass and everything that is due in it happen.
func settle(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var errDisk = errors.New("dead disk")

func TestBackoffGrowsAndEnds(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *Flusher, m *model, sink *memory) {
		settle(time.Second)
		sink.set(errDisk)
		m.changeAt(time.Now(), 10)
		before, began := len(sink.tries()), time.Now()
		settle(20 * time.Second)
		tries := sink.tries()[before:]
		for i := 1; i < len(tries); i++ {
			want := min(50*time.Millisecond<<(i-1), 2*time.Second)
			if gap := tries[i].Sub(tries[i-1]); gap != want {
				t.Errorf("pause %d was %v, want %v", i, gap, want)
			}
		}
		if len(tries) < 10 || len(tries) > 20 {
			t.Errorf("%d tries in 20 s", len(tries))
		}
		s := f.Status()[0]
		if !errors.Is(s.Err, errDisk) || s.LagOrders == 0 || s.LagMS < 19_000 || s.LagMS > time.Since(began).Milliseconds() {
			t.Errorf("status %+v while the disk is dead", s)
		}
		sink.set(nil)
		settle(2 * time.Second)
		if s := f.Status()[0]; s.Err != nil || s.LagOrders != 0 || s.LagMS != 0 || s.Index != m.at() {
			t.Errorf("status %+v after the disk came back", s)
		}
		if sink.connected() < len(tries) {
			t.Errorf("%d connects for %d failures: the cursor must be read again after each", sink.connected(), len(tries))
		}
	})
}

func TestIdleShardsAreLeftAloneUntilKicked(t *testing.T) {
	var reads atomic.Int64
	inBubble(t, func(c *Config) {
		c.Shards[0].Source = spy{c.Shards[0].Source.(*model), func(uint64) { reads.Add(1) }}
	}, func(t *testing.T, f *Flusher, m *model, sink *memory) {
		settle(10 * time.Second)
		before := reads.Load()
		settle(10 * time.Second)
		if n := reads.Load() - before; n < 19 || n > 21 {
			t.Errorf("an idle shard was looked at %d times in 10 s, want 20", n)
		}
		m.change(1)
		f.Kick()
		settle(51 * time.Millisecond)
		if sink.at() != m.at() {
			t.Error("not flushed one poll interval after a kick")
		}
		tries := len(sink.tries())
		for range 1000 {
			m.change(1)
			f.Kick()
			settle(time.Millisecond)
		}
		if n := len(sink.tries()) - tries; n > 21 {
			t.Errorf("%d transactions in a second of 1,000 kicks, want 20", n)
		}
	})
}

func TestAShardBehindDoesNotPause(t *testing.T) {
	inBubble(t, func(c *Config) { c.BatchRows = 10 }, func(t *testing.T, _ *Flusher, m *model, sink *memory) {
		settle(time.Second)
		m.change(500)
		settle(500 * time.Millisecond)
		before := len(sink.tries())
		settle(100 * time.Millisecond)
		if sink.at() != m.at() || before < 50 {
			t.Errorf("at %d of %d after %d transactions", sink.at(), m.at(), before)
		}
	})
}

func TestBacklogBounds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		orders int64
		age    time.Duration
		full   bool
	}{
		{"neither", 1_000_000, time.Hour, false},
		{"orders", 100, time.Hour, true},
		{"age", 1_000_000, 5 * time.Second, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			inBubble(t, func(c *Config) {
				c.BacklogOrders, c.BacklogAge, c.Registerer, c.BatchRows = tc.orders, tc.age, registry, 16
			}, func(t *testing.T, f *Flusher, m *model, sink *memory) {
				sink.set(errDisk)
				m.changeAt(time.Now(), 300)
				settle(10 * time.Second)
				s := f.Status()[0]
				if errors.Is(s.Err, ErrBacklog) != tc.full || !errors.Is(s.Err, errDisk) {
					t.Errorf("status %+v, want backlog %t", s, tc.full)
				}
				if s.LagOrders < min(tc.orders, int64(len(m.orders))) {
					t.Errorf("%d orders counted of %d", s.LagOrders, len(m.orders))
				}
				if have := gather(t, registry)["holdfast_storage_backlog_full"]; have != float64(flag(tc.full)) {
					t.Errorf("backlog_full is %v, want %t", have, tc.full)
				}
				sink.set(nil)
				settle(3 * time.Second)
				if s := f.Status()[0]; s.Err != nil {
					t.Errorf("status %+v after the disk came back", s)
				}
			})
			if left := gather(t, registry); len(left) != 0 {
				t.Errorf("still registered after Close: %v", left)
			}
		})
	}
}

func TestMetricsCount(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	inBubble(t, func(c *Config) { c.Registerer = registry }, func(t *testing.T, _ *Flusher, m *model, sink *memory) {
		settle(time.Second) // the SKUs
		m.change(10)
		settle(time.Second)
		sink.set(errDisk)
		m.change(1)
		settle(time.Second)
		have := gather(t, registry)
		for name, want := range map[string]float64{
			"orders_total": float64(sink.written()), "batch_rows": 2, "write_seconds": 2, "index": float64(m.at() - 1), "failing": 1, "backlog_full": 0,
		} {
			if got := have["holdfast_storage_"+name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		for name, least := range map[string]float64{"skus_total": 4, "lag_orders": 1, "lag_seconds": .1, "failures_total": 2, "failures_in_a_row": 2, "connects_total": 1} {
			if got := have["holdfast_storage_"+name]; got < least {
				t.Errorf("%s is %v, want %v or more", name, got, least)
			}
		}
	})
}

// gather returns what a registry shows, summed over labels: values of gauges and counters, observations of histograms.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			values[family.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// A source that fails (its shard restarts, say) is asked again like a sink.
func TestAFailingSourceIsAskedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *Flusher, m *model, sink *memory) {
		gone := errors.New("shard restarts")
		m.breakWith(gone)
		settle(3 * time.Second)
		if s := f.Status()[0]; !errors.Is(s.Err, gone) {
			t.Errorf("status %+v", s)
		}
		m.breakWith(nil)
		m.change(10)
		settle(3 * time.Second)
		if s := f.Status()[0]; s.Err != nil || sink.at() != m.at() {
			t.Errorf("status %+v", s)
		}
	})
}

func TestCloseFlushesWhatIsLeft(t *testing.T) {
	inBubble(t, func(c *Config) { c.BatchRows = 7 }, func(t *testing.T, f *Flusher, m *model, sink *memory) {
		settle(time.Second)
		m.change(200)
		began := time.Now()
		mustClose(t, f)
		if sink.at() != m.at() || time.Since(began) > 0 {
			t.Errorf("closed at %d of %d after %v", sink.at(), m.at(), time.Since(began))
		}
		mustClose(t, f) // once more: the same answer
	})
}

func TestCloseEndsWithItsContext(t *testing.T) {
	for _, hang := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m, sink := newModel(1, 1), &memory{fail: errDisk, hang: hang}
			c, err := Config{Shards: []Shard{{ID: 1, Source: m}}, Term: func(uint32) uint64 { return 1 }}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			f, err := open(c, sink)
			if err != nil {
				t.Fatal(err)
			}
			settle(time.Minute)
			began, tries := time.Now(), len(sink.tries())
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			err = f.Close(ctx)
			if !errors.Is(err, ErrNotFlushed) || time.Since(began) > 1100*time.Millisecond {
				t.Errorf("hang %t: %v after %v", hang, err, time.Since(began))
			}
			if n := len(sink.tries()) - tries; !hang && (n < 3 || n > 10) {
				t.Errorf("%d tries in the last second", n)
			}
		})
	}
}

// A write that the kernel never finishes does not keep the process from going down.
func TestCloseLeavesAStuckDiskBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, sink := newModel(1, 1), &stuck{release: make(chan struct{})}
		c, err := Config{Shards: []Shard{{ID: 1, Source: m}}, Term: func(uint32) uint64 { return 1 }}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		f, err := open(c, sink)
		if err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if s := f.Status()[0]; s.LagMS != 1000 || s.Index != 0 {
			t.Errorf("status %+v while a write hangs", s)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := f.Close(ctx); !errors.Is(err, ErrNotFlushed) {
			t.Errorf("close: %v, want ErrNotFlushed", err)
		}
		close(sink.release)
		<-f.done
	})
}

type stuck struct {
	memory
	release chan struct{}
}

func (s *stuck) Connect(context.Context, uint32) (Session, uint64, error) { return s, 0, nil }

func (s *stuck) Write(context.Context, Batch) error {
	<-s.release
	return errDisk
}

func TestConfigIsChecked(t *testing.T) {
	m := newModel(1, 1)
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   error
	}{
		{"no term", func(c *Config) { c.Term = nil }, ErrConfig},
		{"no path", func(c *Config) { c.Path = "" }, ErrConfig},
		{"no cluster", func(c *Config) { c.ClusterID = "" }, ErrConfig},
		{"epoch", func(c *Config) { c.Epoch = 1 << 15 }, ErrConfig},
		{"shard twice", func(c *Config) { c.Shards = append(c.Shards, c.Shards[0]) }, ErrConfig},
		{"no source", func(c *Config) { c.Shards[0].Source = nil }, ErrConfig},
		{"negative batch", func(c *Config) { c.BatchRows = -1 }, ErrConfig},
		{"retry bounds", func(c *Config) { c.RetryMax = c.RetryMin - 1 }, ErrConfig},
		{"negative age", func(c *Config) { c.BacklogAge = -1 }, ErrConfig},
		{"statement timeout", func(c *Config) { c.StatementTimeout = 1 }, ErrConfig},
		{"postgres mode", func(c *Config) { c.Sink = "postgres://host/db?sslmode=perhaps" }, ErrConfig},
		{"postgres cluster", func(c *Config) { c.Sink, c.ClusterID = "postgres://host/db", "" }, ErrConfig},
		{"unknown", func(c *Config) { c.Sink = "paper" }, ErrUnknownSink},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config(dbPath(t), m)
			tc.change(&c)
			if f, err := Open(c); !errors.Is(err, tc.want) {
				t.Errorf("open: %v, want %v", err, tc.want)
				if f != nil {
					abandon(f)
				}
			}
		})
	}
}

func TestNoneCountsAsFlushed(t *testing.T) {
	m := newModel(1, 1)
	m.change(100)
	c := config("", m)
	c.Sink, c.ClusterID, c.Logger = "none", "", slog.New(slog.DiscardHandler)
	mustClose(t, mustOpen(t, c))
	if m.lastFlushed() != m.at() {
		t.Errorf("told %d, want %d", m.lastFlushed(), m.at())
	}
}

func TestVersionsOrderLikeEpochAndIndex(t *testing.T) {
	last := version(-1)
	for _, epoch := range []uint16{0, 1, 2, maxEpoch} {
		for _, index := range []uint64{0, 1, 1<<32 + 5, 1<<indexBits - 1} {
			v := versionOf(epoch, index)
			if v <= last || v.epoch() != epoch || v.index() != index {
				t.Errorf("version of (%d, %d) is %d after %d, back to (%d, %d)", epoch, index, v, last, v.epoch(), v.index())
			}
			last = v
		}
	}
	if v := versionOf(0, 4711); v != 4711 {
		t.Errorf("version of index 4711 in epoch 0 is %d", v)
	}
}
