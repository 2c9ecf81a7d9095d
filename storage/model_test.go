package storage

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/stock"
	"holdfast/storage/pgtest"
)

// model is a shard in memory: the source that tests flush from, and what the sink must come to hold.
type model struct {
	mu      sync.Mutex
	rng     *rand.Rand
	shard   stock.Partition
	epoch   uint16
	index   uint64
	clock   stock.Time
	orders  []*stock.Order
	gone    []*stock.Order // left memory
	skus    []*stock.SKU
	flushed []uint64
	broken  error
	history History
	reading bool
}

var _ Source = (*model)(nil)

func newModel(seed uint64, shard uint32) *model {
	m := &model{shard: stock.Partition(shard), rng: rand.New(rand.NewPCG(seed, uint64(shard))), clock: 1_700_000_000_000}
	for i := range 3 {
		m.index++
		spec := stock.Spec{SKU: fmt.Sprintf("sku-%d-%d", shard, i), Stock: 1 << 40, Mode: stock.Mode(i + 1), HoldTTLMS: 1000, MaxQty: 5}
		m.skus = append(m.skus, &stock.SKU{Spec: spec, Number: uint32(i), Available: spec.Stock, Version: m.index})
	}
	return m
}

// Changes implements Source: whole log indexes in order, until about limit rows are found.
func (m *model) Changes(ctx context.Context, since uint64, limit int) (stock.Changes, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return stock.Changes{}, m.broken
	}
	if err := ctx.Err(); err != nil {
		return stock.Changes{}, err
	}
	var versions []uint64
	for _, o := range m.orders {
		if o.Version > since {
			versions = append(versions, o.Version)
		}
	}
	for _, s := range m.skus {
		if s.Version > since {
			versions = append(versions, s.Version)
		}
	}
	upTo := max(m.index, since)
	if limit == 0 {
		return stock.Changes{UpTo: upTo}, nil
	}
	if slices.Sort(versions); len(versions) > limit {
		upTo = versions[limit-1]
	}
	ch := stock.Changes{UpTo: upTo}
	for _, o := range m.orders {
		if o.Version > since && o.Version <= upTo {
			ch.Orders = append(ch.Orders, *o)
		}
	}
	for _, s := range m.skus {
		if s.Version > since && s.Version <= upTo {
			ch.SKUs = append(ch.SKUs, *s)
		}
	}
	slices.SortFunc(ch.Orders, func(a, b stock.Order) int { return cmp.Compare(a.Version, b.Version) })
	return ch, nil
}

// Flushed implements Source.
func (m *model) Flushed(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flushed = append(m.flushed, index)
}

// History implements Source: a log that was never read before, unless the test says otherwise.
func (m *model) History(context.Context) (History, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.history, !m.reading, m.broken
}

// FlushMark implements Source.
func (m *model) FlushMark(context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.history.Mark, m.broken
}

// evict applies a flush mark: settled orders that changed last at or below it leave memory. It returns how many have left so far.
func (m *model) evict(mark uint64) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.history.Mark = max(m.history.Mark, mark)
	m.orders = slices.DeleteFunc(m.orders, func(o *stock.Order) bool {
		leaves := o.State > stock.StateConfirmed && o.Version <= mark
		if leaves {
			m.gone = append(m.gone, o)
		}
		return leaves
	})
	return len(m.gone)
}

// partitions returns those of the model's SKUs, and some that have none.
func (m *model) partitions() []stock.Partition {
	partitions := []stock.Partition{m.shard * 7, m.shard*7 + 1, stock.Partitions - 1 - m.shard, stock.PartitionOf(fmt.Sprintf("late-%d", m.shard))}
	for _, s := range m.skus {
		partitions = append(partitions, stock.PartitionOf(s.SKU))
	}
	return partitions
}

func (m *model) breakWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

func (m *model) lastFlushed() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.flushed) == 0 {
		return 0
	}
	return m.flushed[len(m.flushed)-1]
}

func (m *model) at() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index
}

// change makes n log entries, each of some new orders and some that move on.
func (m *model) change(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.index++
		m.clock++
		for range 1 + m.rng.IntN(3) {
			if len(m.orders) == 0 || m.rng.IntN(3) > 0 {
				m.place(m.skus[m.rng.IntN(len(m.skus))])
			} else {
				m.advance(m.orders[m.rng.IntN(len(m.orders))])
			}
		}
	}
}

// changeAt lets n log entries happen at a given time.
func (m *model) changeAt(now time.Time, n int) {
	m.mu.Lock()
	m.clock = stock.TimeOf(now)
	m.mu.Unlock()
	m.change(n)
}

func (m *model) place(s *stock.SKU) {
	number := uint64(len(m.orders) + len(m.gone) + 1)
	o := &stock.Order{
		ID:  stock.OrderID{Epoch: m.epoch, Partition: stock.PartitionOf(s.SKU), SKU: s.Number, Counter: number},
		SKU: s.SKU, User: fmt.Sprintf("user-%d", number), Key: fmt.Sprintf("key-%d", number), Qty: 1 + m.rng.Int64N(5),
		State: stock.StateHeld, Mode: s.Mode, CreatedAt: m.clock, UpdatedAt: m.clock, ExpiresAt: m.clock + 1000, Version: m.index,
	}
	switch s.Mode {
	case stock.ModeOnOrder:
		o.State, o.ExpiresAt, o.ConfirmedAt = stock.StateConfirmed, 0, m.clock
	case stock.ModeOnPayment:
		o.State, o.ClientRef = stock.StateOpen, "ref"
	}
	s.Available, s.Held, s.Version = s.Available-o.Qty, s.Held+o.Qty, m.index
	m.orders = append(m.orders, o)
}

func (m *model) advance(o *stock.Order) {
	o.Version, o.UpdatedAt = m.index, m.clock
	switch pick := m.rng.IntN(3); {
	case o.State == stock.StateConfirmed:
		o.State, o.ReturnedQty, o.ReturnedAt = stock.StateReturned, o.Qty, m.clock
	case o.State > stock.StateConfirmed:
	case pick == 0:
		o.State, o.ConfirmedAt, o.PaymentID = stock.StateConfirmed, m.clock, "pay-"+o.Key
	case pick == 1:
		o.State, o.CancelledAt = stock.StateCancelled, m.clock
	default:
		o.State, o.ExpiredAt = stock.StateExpired, m.clock
	}
}

// rows returns every row the sink must hold, as the text of its columns; written out by hand, so as not to trust orderRow and skuRow.
func rows(models ...*model) []string {
	var all []string
	null := func(t stock.Time) any {
		if t == 0 {
			return nil
		}
		return int64(t)
	}
	str := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	for _, m := range models {
		m.mu.Lock()
		for _, o := range slices.Concat(m.orders, m.gone) {
			all = append(all, fmt.Sprint("order ", []any{o.ID.String(), o.SKU, o.User, o.Qty, o.ReturnedQty, o.State.String(), o.Mode.String(),
				o.Key, str(o.ClientRef), str(o.PaymentID), null(o.CreatedAt), null(o.ConfirmedAt), null(o.CancelledAt), null(o.ExpiredAt),
				null(o.ReturnedAt), null(o.ExpiresAt), int64(m.epoch)<<48 + int64(o.Version)}))
		}
		for _, s := range m.skus {
			all = append(all, fmt.Sprint("sku ", []any{s.SKU, s.Stock, s.Available, s.Held, s.Sold, s.Mode.String(), s.HoldTTLMS, s.LimitPerUser,
				s.MaxQty, null(s.OpensAt), null(s.ClosesAt), 0, 0, int64(m.epoch)<<48 + int64(s.Version)}))
		}
		m.mu.Unlock()
	}
	slices.Sort(all)
	return all
}

const (
	selectOrders = `select id, sku, user_id, qty, returned_qty, state, mode, idem_key, client_ref, payment_id,
		held_at, confirmed_at, cancelled_at, expired_at, returned_at, expires_at, version from orders`
	selectSKUs = `select sku, stock, available, held, sold, mode, hold_ttl_ms, limit_per_user, max_qty, opens_at, closes_at, frozen, hot, version
		from skus`
)

// stored returns the rows of a sink in the shape of rows, read by another connection.
func stored(t testing.TB, sink string) []string {
	t.Helper()
	all := slices.Concat(dump(t, sink, "order ", selectOrders), dump(t, sink, "sku ", selectSKUs))
	slices.Sort(all)
	return all
}

func dump(t testing.TB, sink, prefix, query string) (all []string) {
	t.Helper()
	if isPostgres(sink) {
		for _, row := range pgtest.Rows(t, sink, query) {
			all = append(all, fmt.Sprint(prefix, row))
		}
		return all
	}
	db := other(t, sink)
	defer func() { _ = db.Close() }()
	rs, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rs.Close() }()
	names, err := rs.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rs.Next() {
		if err := rs.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(prefix, values))
	}
	if err := rs.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// other opens a connection of another program.
func other(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, _, err := openSQLite(path, "rw", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func run(t testing.TB, sink string, statements ...string) {
	t.Helper()
	if isPostgres(sink) {
		pgtest.Exec(t, sink, statements...)
		return
	}
	db := other(t, sink)
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func requireSame(t testing.TB, sink string, models ...*model) {
	t.Helper()
	want, have := rows(models...), stored(t, sink)
	if len(want) != len(have) {
		t.Fatalf("%d rows stored, want %d", len(have), len(want))
	}
	for i := range want {
		if want[i] != have[i] {
			t.Fatalf("row %d:\nstored %s\nwant   %s", i, have[i], want[i])
		}
	}
}

// eventually polls until the condition holds; the only place of these tests that waits by the clock.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(within), time.NewTicker(2*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// overSinks runs a test on a sink of each kind: a file that is not there yet, a schema that is empty.
func overSinks(t *testing.T, test func(t *testing.T, sink string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, dbPath(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, schemaURL(t)) })
}

// schemaURL returns the URL of an empty schema on the server that all tests share.
func schemaURL(t testing.TB) string {
	_, sink := pgtest.Shared(t).Schema(t)
	return sink
}

// config returns the configuration of a flusher on a file or a PostgreSQL URL, quick enough for tests.
func config(sink string, models ...*model) Config {
	c := Config{
		Path: sink, ClusterID: "cluster-a", Term: func(uint32) uint64 { return 1 },
		PollInterval: time.Millisecond, IdleInterval: 5 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond,
		BusyTimeout: 20 * time.Millisecond, BatchRows: 64,
	}
	if isPostgres(sink) {
		c.Sink, c.Path, c.BusyTimeout = sink, "", 100*time.Millisecond
	}
	for i, m := range models {
		c.Shards = append(c.Shards, Shard{ID: uint32(i + 1), Source: m, Partitions: m.partitions()})
	}
	return c
}

func dbPath(t testing.TB) string { return filepath.Join(t.TempDir(), "orders.db") }

func mustOpen(t testing.TB, c Config) *Flusher {
	t.Helper()
	f, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustClose(t testing.TB, f *Flusher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// abandon closes a flusher without giving it time for what is left.
func abandon(f *Flusher) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = f.Close(ctx) // that it says what is left is tested by itself
}
