package node

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/storage"
	"holdfast/storage/pgtest"
)

var (
	phaseFor = flag.Duration("phase", 700*time.Millisecond, "how long a phase lasts where tests compare latencies, PostgreSQL up, down or locked, say")
	cutFor   = flag.Duration("cut", time.Second, "how long the network to PostgreSQL is cut in tests")
)

// shop places orders at a steady rate, confirms some and cancels some, and notes what it was told and how long that took.
type shop struct {
	client *client.Client
	watch  *stopwatch
	quit   chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	states map[string]string
}

func openShop(t *testing.T, c *client.Client, workers int) *shop {
	t.Helper()
	s := &shop{client: c, watch: newStopwatch(), quit: make(chan struct{}), states: make(map[string]string)}
	s.watch.enter("warm")
	for w := range workers {
		sku := fmt.Sprintf("shoe-%d", w)
		if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 1_000_000, Hot: w%2 == 0}); err != nil {
			t.Fatal(err)
		}
		s.work.Go(func() { s.sell(t, sku) })
	}
	return s
}

func (s *shop) sell(t *testing.T, sku string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
		key, stop := fmt.Sprint(sku, "-", i), s.watch.start()
		placed, err := s.client.PlaceOrder(context.Background(), key, client.NewOrder{SKU: sku, User: key})
		stop()
		if err != nil {
			t.Errorf("order %s: %v", key, err)
			continue
		}
		state := placed.State
		switch i % 3 {
		case 1:
			o, err := s.client.Confirm(context.Background(), placed.ID, "pay-"+key)
			state = told(t, o, err)
		case 2:
			o, err := s.client.Cancel(context.Background(), placed.ID, "")
			state = told(t, o, err)
		}
		s.mu.Lock()
		s.states[placed.ID] = state
		s.mu.Unlock()
	}
}

func told(t *testing.T, o client.Order, err error) string {
	if err != nil {
		t.Error(err)
	}
	return o.State
}

// during runs a phase, and a quiet one of the same length before it.
func (s *shop) during(t *testing.T, n *Node, phase string, do func()) {
	t.Helper()
	await(t, "flushing before "+phase, n.flushed)
	await(t, "an order before "+phase, s.watch.measured)
	s.watch.enter("up")
	pass(t)
	await(t, "an order in quiet", s.watch.measured)
	s.watch.enter(phase)
	do()
	await(t, "an order in "+phase, s.watch.measured)
	s.watch.enter("coming back")
}

func (s *shop) close(t *testing.T) {
	await(t, "an order at the end", s.watch.measured)
	close(s.quit)
	s.work.Wait()
	s.watch.report(t, "up")
}

// flushed reports whether storage is up to date with every shard.
func (n *Node) flushed() bool {
	return !slices.ContainsFunc(n.flusher.Status(), func(st storage.Status) bool { return st.Err != nil || st.LagMS > 300 })
}

func (n *Node) lagging() bool { return strings.Contains(storageDetail(n), "postgres://") }

// PostgreSQL is away when the node starts, is killed again and again while orders come in over HTTP, has its tables locked by somebody and its network
// cut. No order fails or waits for it; in the end it has exactly what the callers were told.
func TestPostgresSinkUnderLoad(t *testing.T) {
	server := pgtest.Start(t)
	schema, sink := server.Schema(t)
	server.Stop(t)
	network := pgtest.NewProxy(t, server.Addr())
	cfg := config(t.TempDir())
	cfg.Sink = pgtest.At(network.Addr(), "postgres", pgtest.Password, "postgres", "search_path", schema)
	n := open(t, cfg)
	s := openShop(t, n.client(t), 8)
	await(t, "the node says that it cannot flush", n.lagging)
	server.Start(t)
	for range 1 + *laps {
		s.during(t, n, "down", func() {
			server.Kill(t)
			await(t, "the kill is noticed", n.lagging)
			pass(t)
			server.Start(t)
		})
	}
	for range *laps {
		s.during(t, n, "locked", func() {
			locked(t, sink, func() {
				await(t, "the lock is noticed", n.lagging)
				pass(t)
			})
		})
	}
	s.during(t, n, "cut", func() {
		network.Cut()
		for began := time.Now(); time.Since(began) < *cutFor; s.watch.enter("cut") {
			last(t, min(*phaseFor, *cutFor))
		}
		if st := n.flusher.Status()[0]; st.LagMS < cutFor.Milliseconds()/2 {
			t.Errorf("vacuous: storage lags %d ms after a cut of %v", st.LagMS, *cutFor)
		}
		network.Restore()
	})
	await(t, "flushing", n.flushed)
	s.finish(t, n, sink)
}

// finish ends the sale, drains the node and compares.
func (s *shop) finish(t *testing.T, n *Node, sink string) {
	t.Helper()
	s.close(t)
	var applied []uint64
	for _, shard := range n.shards {
		applied = append(applied, shard.replica.Load().Applied())
	}
	drain(t, n)
	s.compare(t, sink, applied)
}

// compare checks that storage has exactly the orders that callers were told of, in the states they were told, counters that are their sums, and
// cursors at the end of the log.
func (s *shop) compare(t *testing.T, sink string, applied []uint64) {
	t.Helper()
	rows, err := storage.ReadOrders(t.Context(), sink)
	if err != nil || len(rows) != len(s.states) || len(rows) == 0 {
		t.Fatalf("%d orders stored, %d acknowledged: %v", len(rows), len(s.states), err)
	}
	held, sold := make(map[string]int64), make(map[string]int64)
	for _, row := range rows {
		if s.states[row.ID] != row.State {
			t.Fatalf("order %s is stored as %s, the caller was told %q", row.ID, row.State, s.states[row.ID])
		}
		switch row.State {
		case "held":
			held[row.SKU] += row.Qty
		case "confirmed":
			sold[row.SKU] += row.Qty
		}
	}
	skus, err := storage.ReadSKUs(t.Context(), sink)
	if err != nil || len(skus) == 0 {
		t.Fatalf("%d SKUs stored: %v", len(skus), err)
	}
	for _, sku := range skus {
		if sku.Held != held[sku.SKU] || sku.Sold != sold[sku.SKU] || sku.Available != sku.Stock-sku.Held-sku.Sold {
			t.Errorf("stored %+v; the stored orders hold %d and bought %d", sku, held[sku.SKU], sold[sku.SKU])
		}
	}
	a, err := storage.OpenAudit(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	cursors, err := a.Indexes(t.Context())
	for i, index := range applied {
		if err != nil || cursors[uint32(i+1)] < index {
			t.Errorf("shard %d is stored up to %d, its log was applied up to %d: %v", i+1, cursors[uint32(i+1)], index, err)
		}
	}
}

func storageDetail(n *Node) string {
	for _, c := range n.Ready() {
		if c.Name == "storage" {
			return c.Detail
		}
	}
	return ""
}

// pass lets a phase last.
func pass(t *testing.T) {
	t.Helper()
	last(t, *phaseFor)
}

func last(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// locked runs do while another program keeps the tables locked.
func locked(t *testing.T, sink string, do func()) {
	t.Helper()
	conn := pgtest.Connect(t, sink)
	for _, statement := range []string{"begin", "lock table orders, skus, cursor in access exclusive mode"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do()
	if _, err := conn.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
}
