package node

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/api/client"
	"holdfast/storage"
	"holdfast/storage/pgtest"
)

var phaseFor = flag.Duration("phase", 700*time.Millisecond, "how long PostgreSQL is up, down or locked at a time in tests")

// shop places orders at a steady rate, confirms some and cancels some, and notes what it was told and how long that took.
type shop struct {
	client *client.Client
	phase  atomic.Pointer[string]
	quit   chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	states map[string]string
	took   map[string][]time.Duration
}

func openShop(t *testing.T, c *client.Client, workers int) *shop {
	t.Helper()
	s := &shop{client: c, quit: make(chan struct{}), states: make(map[string]string), took: make(map[string][]time.Duration)}
	s.enter("up")
	for w := range workers {
		sku := fmt.Sprintf("shoe-%d", w)
		if _, err := c.CreateSKU(t.Context(), client.SKUSpec{SKU: sku, Stock: 1_000_000, Hot: w%2 == 0}); err != nil {
			t.Fatal(err)
		}
		s.work.Go(func() { s.sell(t, sku) })
	}
	return s
}

func (s *shop) enter(phase string) { s.phase.Store(&phase) }

func (s *shop) sell(t *testing.T, sku string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-s.quit:
			return
		case <-tick.C:
		}
		key, phase, began := fmt.Sprint(sku, "-", i), *s.phase.Load(), time.Now()
		placed, err := s.client.PlaceOrderUntilKnown(context.Background(), key, client.NewOrder{SKU: sku, User: key})
		took := time.Since(began)
		if err != nil {
			t.Errorf("order %s, PostgreSQL %s: %v", key, phase, err)
			continue
		}
		state := string(placed.State)
		switch i % 3 {
		case 1:
			o, err := s.client.Confirm(context.Background(), placed.ID, "pay-"+key)
			state = told(t, o, err)
		case 2:
			o, err := s.client.Cancel(context.Background(), placed.ID, "")
			state = told(t, o, err)
		}
		s.mu.Lock()
		s.states[placed.ID], s.took[phase] = state, append(s.took[phase], took)
		s.mu.Unlock()
	}
}

func told(t *testing.T, o client.Order, err error) string {
	if err != nil {
		t.Error(err)
	}
	return string(o.State)
}

// close ends the sale and prints the times of each phase. They are figures and no verdict: client, node and database share the machine.
func (s *shop) close(t *testing.T) {
	close(s.quit)
	s.work.Wait()
	for _, phase := range []string{"up", "down", "coming back", "locked"} {
		took := s.took[phase]
		if len(took) == 0 {
			t.Errorf("no order while PostgreSQL was %s", phase)
			continue
		}
		slices.Sort(took)
		t.Logf("PostgreSQL %-11s %6d orders, p50 %v, p99 %v", phase, len(took), took[len(took)/2], took[len(took)*99/100])
	}
}

// PostgreSQL is away when the node starts, is killed five times while orders come in over HTTP, and has its tables locked by somebody. No order
// fails or waits for it; in the end it has exactly what the callers were told.
func TestPostgresSinkUnderLoad(t *testing.T) {
	server := pgtest.Start(t)
	_, sink := server.Schema(t)
	server.Stop(t)
	cfg := config(t.TempDir())
	cfg.Sink = sink
	n := open(t, cfg)
	s := openShop(t, n.client(t), 8)
	lagging := func() bool { return strings.Contains(storageDetail(n), "postgres://") }
	flushed := func() bool {
		return !slices.ContainsFunc(n.flusher.Status(), func(st storage.Status) bool { return st.Err != nil || st.LagMS > 1000 })
	}
	await(t, "the node says that it cannot flush", lagging)
	server.Start(t)
	for range 5 {
		await(t, "flushing", flushed)
		s.enter("up")
		pass(t)
		server.Kill(t)
		s.enter("down")
		await(t, "the kill is noticed", lagging)
		pass(t)
		s.enter("coming back")
		server.Start(t)
	}
	await(t, "flushing", flushed)
	locked(t, sink, func() {
		s.enter("locked")
		await(t, "the lock is noticed", lagging)
		pass(t)
	})
	s.close(t)
	drain(t, n)
	s.compare(t, sink)
}

// compare checks that storage has exactly the orders that callers were told of, in the states they were told.
func (s *shop) compare(t *testing.T, sink string) {
	t.Helper()
	rows, err := storage.ReadOrders(t.Context(), sink)
	if err != nil || len(rows) != len(s.states) || len(rows) == 0 {
		t.Fatalf("%d orders stored, %d acknowledged: %v", len(rows), len(s.states), err)
	}
	for _, row := range rows {
		if s.states[row.ID] != row.State {
			t.Fatalf("order %s is stored as %s, the caller was told %q", row.ID, row.State, s.states[row.ID])
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
	began := time.Now()
	await(t, "a phase passes", func() bool { return time.Since(began) > *phaseFor })
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
